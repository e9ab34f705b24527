"""Each panelist in seat order, round after round; whoever a person asks by name answers first."""

from protocol.transcript import Transcript
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat


class RoundRobin:
    """Implements `TurnPolicy`."""

    name = "round_robin"
    title = "In turn"
    summary = (
        "Everyone speaks once a round, in seat order. Ask someone by name, and they have the floor next."
    )
    blind = False

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        plan = order.one_at_a_time(transcript)
        if plan is not None:
            return plan
        seats = tuple(Seat(panelist.name) for panelist in transcript.present())
        return Plan(round=transcript.round + 1, queue=seats)
