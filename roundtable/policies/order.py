"""Rules of order that every policy keeps: who has left is passed over, whoever a person asks by name answers first."""

from protocol import kinds
from protocol.transcript import Posted, Transcript, Turn
from roundtable.policies.base import Plan, Seat

WAIT = Plan()
ASKED = "asked"
"""The reason of a turn that answers a person."""


def first_of_all(transcript: Transcript) -> Plan:
    """What comes before any policy's own order; nothing when the policy may decide."""
    left = tuple(turn.turn for turn in transcript.of("queued") if turn.panelist in transcript.absent)
    if left:
        return Plan(drop=left)
    if not transcript.present():
        return Plan(end="no_panelists")
    message = _unanswered(transcript)
    return WAIT if message is None else Plan(queue=(Seat(message.to, reason=ASKED),))


def one_at_a_time(transcript: Transcript) -> Plan | None:
    """What comes before the order of a policy under which one speaks at a time; None when that policy may decide."""
    if first := first_of_all(transcript):
        return first
    if transcript.of("started"):
        return WAIT
    queued = transcript.of("queued")
    return Plan(run=(next_in_line(queued).turn,)) if queued else None


def next_in_line(queued: list[Turn]) -> Turn:
    """Who was asked goes first."""
    return next((turn for turn in queued if turn.reason == ASKED), queued[0])


def asked(transcript: Transcript, message: Posted) -> bool:
    """Whether the message is to someone here who was not given a turn for it yet."""
    if all(panelist.name != message.to for panelist in transcript.here()):
        return False
    return not any(
        turn.panelist == message.to and turn.seq > message.seq and kinds.is_heard(turn.kind)
        for turn in transcript.turns
    )


def _unanswered(transcript: Transcript) -> Posted | None:
    """The oldest message that waits for its answer."""
    return next((message for message in transcript.messages if asked(transcript, message)), None)
