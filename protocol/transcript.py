"""The Transcript is the fold of a table's entries; there is no other state.

`MOVES` is the table of legal transitions, `apply` the one function that applies an entry.
An illegal entry raises `IllegalMove` and changes nothing. `web/src/reduce.ts` does the same for the
browser, and both run the golden transcripts in `tests/golden/`.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, cast

import msgspec

from protocol import events as e
from protocol.codec import event_type
from protocol.cursor import ZERO
from protocol.errors import IllegalMove
from protocol.messages import Cost, Failure, Limits, Panelist, StopReason, Usage

TableStatus = Literal["new", "open", "paused", "resting", "closed"]
TurnStatus = Literal["queued", "started", "completed", "failed", "cancelled"]

# After so many retryable failures in a row a panelist has left the table; one that no retry can help leaves at once.
FAILURES_BEFORE_ABSENT = 3


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
    attempt: int = 1
    model: str = ""
    digest: str = ""
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


class Spent(msgspec.Struct):
    """What the table has used, in all. `unpriced` counts turns whose price is unknown: with any, dollars
    are a lower bound."""

    turns: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0


class Transcript(msgspec.Struct):
    """A table at a cursor. `spent` is for the whole table, `base` what it was when the limits last began to
    count (at opening, or when it woke from rest), `base_round` the round likewise."""

    cursor: str = str(ZERO)
    at: float = 0.0
    status: TableStatus = "new"
    table: str = ""
    topic: str = ""
    panel: list[Panelist] = []
    policy: str = ""
    limits: Limits = Limits()
    then: e.Then = "close"
    seed: int = 0
    record: bool = True
    opened_at: float = 0.0
    running_since: float = 0.0  # when the clock of max_seconds last started; 0 while it stands
    ended_reason: str = ""
    ended_detail: str = ""
    round: int = 0
    turns: list[Turn] = []
    messages: list[Posted] = []
    absent: dict[str, Failure] = {}
    failures: dict[str, int] = {}
    spent: Spent = msgspec.field(default_factory=Spent)
    base: Spent = msgspec.field(default_factory=Spent)
    base_round: int = 0
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

    def present(self) -> list[Panelist]:
        """Panelists who have not left the table, in seat order."""
        return [panelist for panelist in self.panel if panelist.name not in self.absent]


# What may happen, and in which state: for the table's status and, for turn events, the turn's.
_LIVE = ("open", "paused")
_OPENED = ("open", "paused", "resting")
MOVES: dict[type[e.Event], tuple[tuple[str, ...], tuple[str, ...]]] = {
    #                  table's status      turn's status
    e.TermBegan: (("new", *_OPENED), ()),
    e.TableOpened: (("new",), ()),
    e.TablePaused: (("open",), ()),
    e.TableResumed: (("paused", "resting"), ()),
    e.TableRested: (("open",), ()),
    e.TableClosed: (_OPENED, ()),
    e.RoundStarted: (("open",), ()),
    e.TurnQueued: (("open",), ()),
    e.TurnStarted: (("open",), ("queued",)),
    e.TurnRetried: (_LIVE, ("started",)),
    e.TurnDelta: (_LIVE, ("started",)),
    e.TurnThinking: (_LIVE, ("started",)),
    e.TurnTool: (_LIVE, ("started",)),
    e.TurnCompleted: (_LIVE, ("started",)),
    e.TurnFailed: (_LIVE, ("started",)),
    e.TurnCancelled: (_LIVE, ("queued", "started")),
    e.MessagePosted: (_OPENED, ()),
    e.CommandRefused: (_OPENED, ()),
}


def apply(transcript: Transcript, entry: e.Entry) -> None:
    """Apply one entry in place. Raises `IllegalMove`, and changes nothing, when it does not follow."""
    event = entry.event
    expected = int(transcript.cursor.partition("-")[2]) + 1
    if entry.cursor.seq != expected:
        raise IllegalMove(f"Entry {entry.cursor} cannot follow {transcript.cursor}.")
    _check(transcript, event)
    transcript.cursor = str(entry.cursor)
    transcript.at = max(transcript.at, entry.at)
    if isinstance(event, e.Effect | e.TurnQueued | e.TurnCancelled) and event.command:
        transcript.commands.setdefault(event.command, transcript.cursor)
        transcript.inbox = max(transcript.inbox, event.inbox or 0)
    step = _STEPS.get(type(event))
    if step is not None:
        step(transcript, entry, event)


def fold(entries: Iterable[e.Entry], transcript: Transcript | None = None) -> Transcript:
    """The Transcript after these entries, starting from nothing or from a transcript (which is changed)."""
    result = Transcript() if transcript is None else transcript
    for entry in entries:
        apply(result, entry)
    return result


def _check(transcript: Transcript, event: e.Event) -> None:
    if type(event) not in MOVES:
        return  # an event of a later version changes nothing here
    tables, turns = MOVES[type(event)]
    if transcript.status not in tables:
        raise IllegalMove(f"{event_type(event)} cannot happen at a table that is {transcript.status}.")
    if isinstance(event, e.TurnQueued):
        if event.turn != f"t{len(transcript.turns) + 1}":
            raise IllegalMove(f"The next turn is t{len(transcript.turns) + 1}, not {event.turn!r}.")
        if all(panelist.name != event.panelist for panelist in transcript.panel):
            raise IllegalMove(f"Nobody named {event.panelist!r} sits at this table.")
    elif isinstance(event, e.TurnEvent):
        turn = transcript.turn(event.turn)
        if turn.status not in turns:
            raise IllegalMove(f"{event_type(event)} cannot happen to {turn.turn}, which is {turn.status}.")
        if turn.panelist != event.panelist:
            raise IllegalMove(f"{turn.turn} is {turn.panelist}'s, not {event.panelist}'s.")
    elif isinstance(event, e.TableClosed | e.TableRested) and transcript.of("queued", "started"):
        raise IllegalMove(f"{event_type(event)} cannot happen while turns are open.")


# -- One step per event. All checks were made; nothing below raises. ---------------------------------------------


def _opened(t: Transcript, entry: e.Entry, event: e.TableOpened) -> None:
    t.status, t.table, t.topic, t.policy = "open", event.table, event.topic, event.policy
    t.panel, t.limits, t.then, t.seed = event.panel, event.limits, event.then, event.seed
    t.record = event.record
    t.opened_at = t.running_since = entry.at


def _stop_clock(t: Transcript, at: float) -> None:
    if t.running_since:
        t.spent.seconds += max(0.0, at - t.running_since)
        t.running_since = 0.0


def _paused(t: Transcript, entry: e.Entry, event: e.TablePaused) -> None:
    t.status = "paused"
    _stop_clock(t, entry.at)


def _resumed(t: Transcript, entry: e.Entry, event: e.TableResumed) -> None:
    if t.status == "resting":
        t.base, t.base_round = msgspec.structs.replace(t.spent), t.round
        t.ended_reason = ""
    t.status, t.running_since = "open", entry.at


def _rested(t: Transcript, entry: e.Entry, event: e.TableRested) -> None:
    t.status, t.ended_reason = "resting", event.reason
    _stop_clock(t, entry.at)


def _closed(t: Transcript, entry: e.Entry, event: e.TableClosed) -> None:
    t.status, t.ended_reason, t.ended_detail = "closed", event.reason, event.detail
    _stop_clock(t, entry.at)


def _round(t: Transcript, entry: e.Entry, event: e.RoundStarted) -> None:
    t.round = event.round


def _queued(t: Transcript, entry: e.Entry, event: e.TurnQueued) -> None:
    t.turns.append(
        Turn(event.turn, event.panelist, entry.cursor.seq, kind=event.kind, round=event.round,
             reason=event.reason, queued_at=entry.at)
    )  # fmt: skip


def _started(t: Transcript, entry: e.Entry, event: e.TurnStarted) -> None:
    turn = t.turn(event.turn)
    turn.status, turn.started_at, turn.started_seq = "started", entry.at, entry.cursor.seq
    turn.attempt, turn.model, turn.digest = event.attempt, event.model, event.digest
    turn.first_within, turn.idle_within = event.first_within, event.idle_within
    turn.total_within = event.total_within
    t.spent.turns += 1


def _retried(t: Transcript, entry: e.Entry, event: e.TurnRetried) -> None:
    t.turn(event.turn).attempt = event.attempt


def _delta(t: Transcript, entry: e.Entry, event: e.TurnDelta) -> None:
    turn = t.turn(event.turn)
    turn.text += event.text
    turn.first_at = turn.first_at or entry.at


def _thinking(t: Transcript, entry: e.Entry, event: e.TurnThinking) -> None:
    turn = t.turn(event.turn)
    turn.thinking += event.text
    turn.first_at = turn.first_at or entry.at


def _tool(t: Transcript, entry: e.Entry, event: e.TurnTool) -> None:
    turn = t.turn(event.turn)
    turn.tools += event.arguments
    turn.first_at = turn.first_at or entry.at


_Ended = e.TurnCompleted | e.TurnFailed | e.TurnCancelled


def _ended(t: Transcript, entry: e.Entry, event: _Ended) -> None:
    turn = t.turn(event.turn)
    was_started = turn.status == "started"
    turn.ended_at, turn.text = entry.at, event.text
    if was_started:
        turn.attempt, turn.usage, turn.cost = event.attempt, event.usage, event.cost
        _spend(t.spent, event.usage, event.cost)
    match event:
        case e.TurnCompleted():
            turn.status, turn.stop_reason = "completed", event.stop_reason
            t.failures.pop(turn.panelist, None)
            t.absent.pop(turn.panelist, None)
        case e.TurnFailed(error=Failure(code="interrupted")):  # our own stopping, not the panelist's doing
            turn.status, turn.error = "failed", event.error
        case e.TurnFailed():
            turn.status, turn.error = "failed", event.error
            count = t.failures[turn.panelist] = t.failures.get(turn.panelist, 0) + 1
            if not event.error.retryable or count >= FAILURES_BEFORE_ABSENT:
                t.absent[turn.panelist] = event.error
        case e.TurnCancelled():
            turn.status, turn.reason = "cancelled", event.reason


def _spend(spent: Spent, usage: Usage, cost: Cost | None) -> None:
    spent.tokens_in += usage.input
    spent.tokens_out += usage.output
    if cost is None:
        spent.unpriced += 1
    else:
        spent.dollars += cost.dollars


def _posted(t: Transcript, entry: e.Entry, event: e.MessagePosted) -> None:
    t.messages.append(Posted(event.message, event.author, event.text, entry.cursor.seq, entry.at, event.to))


_Step = Callable[[Transcript, e.Entry, Any], None]
_STEPS: dict[type[e.Event], _Step] = cast(
    "dict[type[e.Event], _Step]",
    {
        e.TableOpened: _opened,
        e.TablePaused: _paused,
        e.TableResumed: _resumed,
        e.TableRested: _rested,
        e.TableClosed: _closed,
        e.RoundStarted: _round,
        e.TurnQueued: _queued,
        e.TurnStarted: _started,
        e.TurnRetried: _retried,
        e.TurnDelta: _delta,
        e.TurnThinking: _thinking,
        e.TurnTool: _tool,
        e.TurnCompleted: _ended,
        e.TurnFailed: _ended,
        e.TurnCancelled: _ended,
        e.MessagePosted: _posted,
    },
)
