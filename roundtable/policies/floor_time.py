"""One at a time, and always whoever has spoken least so far.

What counts is tokens written, thinking included, in contributions that completed, failed or were cut. Nobody speaks
twice in a row while someone else is present, unless asked by name. A round is as many turns as there are
panelists present; answers to a person come on top.
"""

from collections import Counter

from protocol import kinds
from protocol.transcript import Transcript, Turn
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
        held = sum(
            turn.round == transcript.round and turn.reason != order.ASKED and _is_contribution(turn)
            for turn in transcript.turns
        )
        over = transcript.round == 0 or held >= len(transcript.present())
        return Plan(round=transcript.round + 1 if over else None, queue=(_least_heard(transcript),))


def _least_heard(transcript: Transcript) -> Seat:
    """Ties go by seat order."""
    turns = [turn for turn in transcript.turns if _is_contribution(turn)]
    spoken = Counter({turn.panelist: 0 for turn in turns})
    for turn in turns:
        spoken[turn.panelist] += turn.usage.output if turn.usage else 0
    names = [panelist.name for panelist in transcript.present()]
    begun = [turn for turn in turns if turn.started_seq]  # who was skipped before that has not spoken
    if len(names) > 1 and begun:
        last = max(begun, key=lambda turn: turn.started_seq).panelist
        names = [name for name in names if name != last]
    name = min(names, key=lambda name: spoken[name])
    count = spoken[name]
    return Seat(name, reason=f"spoke least so far, {count} tokens" if spoken.total() else "")


def _is_contribution(turn: Turn) -> bool:
    """Not what somebody wrote for the table: its record, its verdict."""
    return kinds.is_heard(turn.kind) and turn.kind != kinds.VERDICT
