"""All at once, round after round: nobody hears the others' words of the same round before it is over.

Whoever a person asks by name answers in a turn of its own, at once or right after the one under way, and hears
everything said so far. The round is over when all turns in it have ended.
"""

from protocol.transcript import Transcript
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat


class Parallel:
    """Implements `TurnPolicy`."""

    name = "parallel"
    title = "All at once"
    summary = "Everyone answers at the same time, each without hearing the others until the round is over."
    blind = True

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        plan = order.all_at_once(transcript)
        if plan is not None:
            return plan
        seats = tuple(Seat(panelist.name) for panelist in transcript.present())
        return Plan(round=transcript.round + 1, queue=seats)
