"""One at a time, and always whoever has spoken least so far.

What counts is tokens written, thinking included, in speeches that completed, failed or were cut. Nobody speaks
twice in a row while someone else is present, unless asked by name. A round is as many turns as there are
panelists present; answers to a person come on top.
"""

from protocol.transcript import Transcript
from roundtable.deliberation import ledger
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat


class FloorTime:
    """Implements `TurnPolicy`."""

    name = "floor_time"
    title = "Who spoke least"
    summary = "One at a time: the floor goes to whoever has spoken least so far, never twice in a row."
    blind = False

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        plan = order.one_at_a_time(transcript)
        if plan is not None:
            return plan
        return Plan(round=order.round_to_begin(transcript), queue=(_least_heard(transcript),))


def _least_heard(transcript: Transcript) -> Seat:
    """Ties go by seat order."""
    tokens = ledger.spoken(transcript)
    name = ledger.least_heard(transcript)
    return Seat(name, reason=f"spoke least so far, {tokens[name]} tokens" if any(tokens.values()) else "")
