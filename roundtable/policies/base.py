"""The seam to every way of sharing the floor."""

from typing import NamedTuple, Protocol

import msgspec

from protocol.findings import Finding
from protocol.kinds import SPEECH
from protocol.transcript import Transcript


class Seat(NamedTuple):
    """A turn to be queued. `reason` is shown when it is not simply her place in the round, `question` put to her."""

    panelist: str
    kind: str = SPEECH
    reason: str = ""
    question: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What should happen now; nothing at all means: wait for what is under way.

    In order: `note` writes findings, `measure` the dispersion of the round that is over (the agenda sees to it), `drop`
    cancels queued turns, `round` begins a round, `queue` adds turns, `run` gives queued turns the floor, and `end` says
    why the table has nothing more to say (then the others are empty). The plan is asked again after every step, so a
    policy need not do more than one thing at a time.
    """

    note: tuple[Finding, ...] = ()
    measure: bool = False
    drop: tuple[str, ...] = ()
    round: int | None = None
    queue: tuple[Seat, ...] = ()
    run: tuple[str, ...] = ()
    end: str = ""

    def __bool__(self) -> bool:
        return bool(
            self.note
            or self.measure
            or self.drop
            or self.round is not None
            or self.queue
            or self.run
            or self.end
        )


class TurnPolicy(Protocol):
    """`title` and `summary` are for people: a few words, one sentence. Under a policy that is `blind` nobody is sent
    what others said in the same round.

    A policy may have more: `verdict`, true where its tables come to one unless asked otherwise; `until`, what ends its
    discussions unless asked otherwise (`Until`); `least`, how many panelists it takes; `rounds`, how many rounds it has
    where no limit is set; `stances`, false where who stands where is not to be put on record after each round of a
    table that comes to a verdict; `brief(transcript, turn)`, a `Brief` of what one of its turns is asked for, or None
    where nothing is special about it; `veil(transcript, turn, brief)`, the brief of any turn with names hidden; and
    `settle(transcript)`, findings to write before its discussion ends at whatever point, which write none once they are
    there.
    """

    name: str
    title: str
    summary: str
    blind: bool

    def plan(self, transcript: Transcript) -> Plan:
        """Decide from an open table's transcript and nothing else; the transcript is not to be changed."""
        ...
