"""Each panelist in seat order, round after round; whoever a person asks by name answers first."""

from protocol.transcript import Posted, Transcript, Turn
from roundtable.policies.base import Plan, Seat

WAIT = Plan()
ASKED = "asked"


class RoundRobin:
    """Implements `TurnPolicy`."""

    name = "round_robin"
    title = "In turn"
    summary = (
        "Everyone speaks once a round, in seat order. Ask someone by name, and they have the floor next."
    )

    def plan(self, transcript: Transcript) -> Plan:
        queued = transcript.of("queued")
        left = tuple(turn.turn for turn in queued if turn.panelist in transcript.absent)
        if left:
            return Plan(drop=left)
        if not transcript.present():
            return Plan(end="no_panelists")
        asked = _unanswered(transcript)
        if asked is not None:
            return Plan(queue=(Seat(asked.to, reason=ASKED),))
        if transcript.of("started"):
            return WAIT
        if queued:
            return Plan(run=(_first(queued).turn,))
        seats = tuple(Seat(panelist.name) for panelist in transcript.present())
        return Plan(round=transcript.round + 1, queue=seats)


def _unanswered(transcript: Transcript) -> Posted | None:
    """The oldest message to someone present who was not given a turn for it yet."""
    for message in transcript.messages:
        if message.to and message.to not in transcript.absent:
            later = (
                turn for turn in transcript.turns if turn.panelist == message.to and turn.seq > message.seq
            )
            if not any(later):
                return message
    return None


def _first(queued: list[Turn]) -> Turn:
    return next((turn for turn in queued if turn.reason == ASKED), queued[0])
