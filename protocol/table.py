"""A table as it stands at a cursor: what its entries fold to, as values. How they do is in `transcript.py`."""

from typing import Literal, TypeVar

import msgspec

from protocol import findings
from protocol.cursor import ZERO
from protocol.errors import IllegalMove
from protocol.events import Then
from protocol.messages import Cost, Failure, Limits, Origin, Panelist, StopReason, Until, Usage

TableStatus = Literal["new", "open", "paused", "resting", "closed"]
TurnStatus = Literal["queued", "started", "completed", "failed", "cancelled"]
F = TypeVar("F", bound=findings.Finding)


MOST_USED, MOST_USES = 2_000, 64
"""Characters of a tool's arguments and of its result that a transcript keeps, and uses of one turn; the log has all."""


class Use(msgspec.Struct, frozen=True):
    """A tool that she used, or began to: `seconds` and what came of it once it is `done`."""

    call: str
    name: str
    arguments: str = ""
    done: bool = False
    text: str = ""
    error: bool = False
    truncated: bool = False
    seconds: float = 0.0


class Turn(msgspec.Struct):
    """One panelist's turn. `seq` is the entry that queued it, so turns and messages order together.
    Times are Unix seconds, 0 while not reached; `first_at` is the first word or thought."""

    turn: str
    panelist: str
    seq: int
    status: TurnStatus = "queued"
    kind: str = "speech"
    round: int = 0
    reason: str = ""
    question: str = ""
    attempt: int = 1
    model: str = ""
    digest: str = ""
    room: int = 0
    length: int = 0
    pictures: int = 0
    most: int = 0
    queued_at: float = 0.0
    started_seq: int = 0
    started_at: float = 0.0
    first_at: float = 0.0
    ended_at: float = 0.0
    first_within: float = 0.0
    idle_within: float = 0.0
    total_within: float = 0.0
    text: str = ""
    thinking: str = ""
    tools: str = ""
    uses: list[Use] = []
    yielding: bool = False
    stop_reason: StopReason | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    error: Failure | None = None


class Posted(msgspec.Struct):
    """What a person said."""

    message: str
    author: str
    text: str
    seq: int
    at: float
    to: str = ""


class Material(msgspec.Struct):
    """What lies on the table."""

    material: str
    name: str
    media_type: str
    form: Literal["text", "image"]
    size: int
    sha256: str
    seq: int
    at: float
    text: str = ""
    pages: int = 0
    cut: bool = False
    author: str = ""


class Found(msgspec.Struct):
    """A finding at its place in the log."""

    seq: int
    at: float
    finding: findings.ANY


class Spent(msgspec.Struct):
    """What the table has used, in all. `unpriced` counts turns and measurements whose price is unknown:
    with any, dollars are a lower bound."""

    turns: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0


class Transcript(msgspec.Struct):
    """A table at a cursor. `spent` is for the whole table, `base` what it was when the limits last began to
    count (at opening, or when it woke from rest: a sitting), `base_round` the round and `base_seq` the entry likewise.

    `concluding` is why the discussion of this sitting ended, while its verdict is still to come or was given;
    `concluding_seq` is the entry that said so. `testing` is the entry that asked for a stress test, while one is held;
    `ended_reason` is then still why the table rested. The table waits for the first of `hands` since `hand_at`, as far
    as nobody speaks, for `hand_within` seconds."""

    cursor: str = str(ZERO)
    at: float = 0.0
    status: TableStatus = "new"
    table: str = ""
    topic: str = ""
    panel: list[Panelist] = []
    policy: str = ""
    limits: Limits = Limits()
    then: Then = "close"
    seed: int = 0
    record: bool = True
    opened_at: float = 0.0
    running_since: float = 0.0  # when the clock of max_seconds last started; 0 while it stands
    ended_reason: str = ""
    ended_detail: str = ""
    round: int = 0
    turns: list[Turn] = []
    messages: list[Posted] = []
    materials: list[Material] = []
    findings: list[Found] = []
    title: str = ""
    verdict: bool = False
    until: Until = Until()
    origin: Origin | None = None
    concluding: str = ""
    concluding_detail: str = ""
    testing: int = 0
    concluding_seq: int = 0
    muted: list[str] = []
    removed: list[str] = []
    hands: list[str] = []
    hand_at: float = 0.0
    hand_within: float = 0.0
    absent: dict[str, Failure] = {}
    failures: dict[str, int] = {}
    spent: Spent = msgspec.field(default_factory=Spent)
    base: Spent = msgspec.field(default_factory=Spent)
    base_round: int = 0
    base_seq: int = 0
    commands: dict[str, str] = {}  # idempotency key -> cursor of the entry that was its effect
    inbox: int = 0  # last inbox position acted upon

    def turn(self, turn: str) -> Turn:
        """The turn of that id (`t1`, `t2`, ... in order of queueing); raises `IllegalMove` when there is none."""
        number = turn[1:]
        if turn[:1] == "t" and number.isascii() and number.isdigit() and 0 < int(number) <= len(self.turns):
            return self.turns[int(number) - 1]
        raise IllegalMove(f"There is no turn {turn!r}.")

    def of(self, *statuses: TurnStatus) -> list[Turn]:
        """Turns in one of these states, oldest first."""
        return [turn for turn in self.turns if turn.status in statuses]

    def seat(self, name: str) -> Panelist | None:
        """The seat of that name, taken or left."""
        return next((panelist for panelist in self.panel if panelist.name == name), None)

    def seated(self) -> list[Panelist]:
        """Everyone who sits at the table, muted and absent ones too, in seat order."""
        return [panelist for panelist in self.panel if panelist.name not in self.removed]

    def here(self) -> list[Panelist]:
        """Everyone who can be given a turn, whatever her office, in seat order."""
        gone = {*self.absent, *self.muted, *self.removed}
        return [panelist for panelist in self.panel if panelist.name not in gone]

    def present(self) -> list[Panelist]:
        """Those of them who take part in the discussion."""
        return [panelist for panelist in self.here() if not panelist.role]

    def sitting(self) -> list[Turn]:
        """Turns since the table opened or last woke from rest."""
        return [turn for turn in self.turns if turn.seq > self.base_seq]

    def found(self, kind: type[F], *, sitting: bool = True) -> list[F]:
        """Findings of that kind, oldest first; only those of this sitting unless told otherwise."""
        since = self.base_seq if sitting else 0
        return [each.finding for each in self.findings if each.seq > since and isinstance(each.finding, kind)]
