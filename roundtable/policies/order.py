"""Rules of order that every policy keeps: who has left is passed over, whoever a person asks by name answers first."""

from protocol.transcript import Posted, Transcript, Turn
from roundtable.policies.base import Plan, Seat

WAIT = Plan()
ASKED = "asked"
"""The reason of a turn that answers a person."""


def first_of_all(transcript: Transcript) -> Plan:
    """What comes before any policy's own order; nothing when the policy may decide."""
    here = {panelist.name for panelist in transcript.here()}
    left = tuple(turn.turn for turn in transcript.of("queued") if turn.panelist not in here)
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
    return Plan(run=(_next_in_line(queued).turn,)) if queued else None


def _next_in_line(queued: list[Turn]) -> Turn:
    return next((turn for turn in queued if turn.reason == ASKED), queued[0])


def _unanswered(transcript: Transcript) -> Posted | None:
    """The oldest message to someone who is here and was not given a turn for it yet."""
    here = {panelist.name for panelist in transcript.here()}
    for message in transcript.messages:
        if message.to in here:
            later = (
                turn for turn in transcript.turns if turn.panelist == message.to and turn.seq > message.seq
            )
            if not any(later):
                return message
    return None
