"""One proposes, the others attack, the proposer revises.

The first panelist present proposes; all others attack at the same time, each for the strongest concrete failure and
without hearing the other attacks; then the proposer answers every attack by name and revises. A round is attacks and
their revision. It ends by `max_rounds` (two where nothing is set), or when every attacker passes. A proposer who fails
or leaves is followed by the next in seat order, who proposes anew; whoever a person asks by name answers in between.
"""

from protocol.kinds import ATTACK, PROPOSAL, REVISION
from protocol.transcript import Transcript, Turn
from roundtable.deliberation.brief import Brief, subject
from roundtable.deliberation.passes import passed
from roundtable.deliberation.record import is_whole, stopped_by_us
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat

_PROPOSE = """\
You propose, {name}; the others will attack what you propose, and you will revise it. Propose an answer to {subject}: \
definite, complete, and such that it can be found wrong. Say on what assumptions it stands. At most about 250 words."""

_ATTACK = """\
Attack what {proposer} proposed, {name}, as it stands in its last version. Find the strongest concrete failure: a \
case, a number, a person for whom it goes wrong, or an assumption that does not hold, and what follows. One attack, \
the worst you can find, not its style and not what others already said. At most about 120 words. If you have searched \
and there is nothing left that would change the proposal, answer with the single word PASS."""

_REVISE = """\
Answer the attacks on what you proposed, {name}. Take each by name ({attackers}): accepted, and what you change, or \
rejected, and why. Then write the whole proposal as it now stands, so that it can be read without the rest."""


class RedTeam:
    """Implements `TurnPolicy`."""

    name = "red_team"
    title = "Red team"
    summary = (
        "One proposes, the others look for where it fails, and the proposer revises, answering each of them."
    )
    blind = False
    verdict = True
    stances = False  # who attacks was asked to
    least = 2
    rounds = 2

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        plan = order.together(transcript, frozenset({ATTACK}))
        if plan is not None:
            return plan
        begins = transcript.round + 1 if transcript.round == transcript.base_round else None
        proposal = _proposal(transcript)
        if proposal is None:
            return _propose(transcript, begins)
        return _examine(transcript, proposal)

    def brief(self, transcript: Transcript, turn: Turn) -> Brief | None:
        """What it asks of each."""
        name, proposal = turn.panelist, _proposal(transcript)
        if turn.kind == PROPOSAL:
            return Brief(task=_PROPOSE.format(name=name, subject=subject(transcript)))
        if turn.kind == ATTACK and proposal:
            attacks = (each for each in transcript.sitting() if each.kind == ATTACK)
            unheard = (each.turn for each in attacks if each.round == turn.round and each.panelist != name)
            task = _ATTACK.format(name=name, proposer=proposal.panelist)
            return Brief(task=task, unheard=frozenset(unheard))
        if turn.kind == REVISION and proposal:
            attackers = [
                each.panelist
                for each in _of_round(transcript, proposal, ATTACK)
                if is_whole(each) and not passed(each)
            ]
            return Brief(task=_REVISE.format(name=name, attackers=", ".join(attackers)))
        return None


def _propose(transcript: Transcript, begins: int | None) -> Plan:
    """Who tried and did not come to a proposal is not asked for another."""
    proposals = (turn for turn in transcript.sitting() if turn.kind == PROPOSAL)
    tried = {turn.panelist for turn in proposals if not is_whole(turn) and not stopped_by_us(turn)}
    seats = [panelist.name for panelist in transcript.present() if panelist.name not in tried]
    if not seats:
        return Plan(end="no_proposal")
    return Plan(round=begins, queue=(Seat(seats[0], PROPOSAL, reason="proposes"),))


def _examine(transcript: Transcript, proposal: Turn) -> Plan:
    proposer = proposal.panelist
    attacks, revisions = (_of_round(transcript, proposal, kind) for kind in (ATTACK, REVISION))
    seats = tuple(
        Seat(panelist.name, ATTACK, reason=f"attacks what {proposer} proposed")
        for panelist in transcript.present()
        if panelist.name != proposer
    )
    made, attacked = [turn for turn in attacks if is_whole(turn)], {turn.panelist for turn in attacks}
    if not revisions and (missing := tuple(seat for seat in seats if seat.panelist not in attacked)):
        return Plan(queue=missing)
    if made and all(map(passed, made)):
        return Plan(end="passes")
    if made and not revisions:
        return Plan(queue=(Seat(proposer, REVISION, reason="revises"),))
    if not seats:
        return Plan(end=order.ONE_SIDE)
    if transcript.limits.max_rounds is None and transcript.round - transcript.base_round >= RedTeam.rounds:
        return Plan(end="max_rounds")
    return Plan(round=transcript.round + 1, queue=seats)


def _proposal(transcript: Transcript) -> Turn | None:
    """The last one of the sitting whose proposer is still here."""
    present = {panelist.name for panelist in transcript.present()}
    made = [turn for turn in transcript.sitting() if turn.kind == PROPOSAL and is_whole(turn)]
    return next((turn for turn in reversed(made) if turn.panelist in present), None)


def _of_round(transcript: Transcript, proposal: Turn, kind: str) -> list[Turn]:
    """Turns of that kind in the round under way, on that proposal; not those that ended because we stopped."""
    return [
        turn
        for turn in transcript.sitting()
        if turn.kind == kind
        and turn.round == transcript.round
        and turn.seq > proposal.seq
        and not stopped_by_us(turn)
    ]
