"""A council: everyone answers without seeing the others, everyone ranks all answers, and the chair sums up.

All answer at once and blind (kind `answer`). Then each panelist ranks the answers twice (kind `ballot`), in an order
of her own and in the opposite one, without their authors; her own answer is not counted, and what cannot be read is
asked for once more. The ballots are counted by Borda and by Condorcet (`deliberation/voting.py`), and the chair's
synthesis, which is told the tally, owes a minority report. That is one round, however many the limits allow: who wants
revisions takes `delphi`. Under three answers, or where the turns that are left would not do for two ballots each, it
goes without ballots and says so.
"""

from msgspec.structs import replace

from protocol import kinds
from protocol.findings import ANY, BudgetDegraded, TallyCounted
from protocol.messages import Panelist
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import ballots, verdicts
from roundtable.deliberation.brief import Brief, same_round, subject
from roundtable.deliberation.reading import ATTEMPTS, complaint
from roundtable.deliberation.record import stopped_by_us
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat

RANKED, ANSWERED = "ranked", "answered"
NO_BALLOTS = "no_ballots"
FIRST, SECOND = "ranks the answers", "ranks them in the opposite order"

_ANSWER = """\
You have the floor, {name}. The others answer at the same time, and nobody sees another's answer before all are in. \
Answer {subject}, completely enough to stand alone and with your reasons. Answers are compared without \
their authors: say nothing of who you are."""
_MINORITY = """\
What stands under Dissent is the minority report: each panelist whose answer yours does not follow, and what that one \
holds."""


class Council:
    """Implements `TurnPolicy`."""

    name = "council"
    title = "Council"
    summary = "Everyone answers unseen by the others and ranks all answers without their authors; the chair sums up."
    blind = True
    verdict = True
    least = 2

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        plan = order.all_at_once(transcript)
        if plan is not None:
            return plan
        if transcript.found(TallyCounted):
            return Plan(end=RANKED)
        if any(each.measure == NO_BALLOTS for each in transcript.found(BudgetDegraded)):
            return Plan(end=ANSWERED)
        if _turns(transcript, kinds.BALLOT):
            return _ranking(self.settle(transcript), transcript)
        if seats := _to_answer(transcript):
            begun = any(turn.reason != order.ASKED for turn in _turns(transcript, kinds.ANSWER))
            return Plan(round=None if begun else transcript.round + 1, queue=seats)
        if why := _why_no_ballots(transcript):
            return Plan(note=(_without(transcript, why),))
        return Plan(queue=_to_rank(transcript))

    def settle(self, transcript: Transcript) -> tuple[ANY, ...]:
        """The tally, if ballots were cast and not counted yet."""
        uncounted = ballots.counted(transcript) and not transcript.found(TallyCounted)
        return (ballots.tally(transcript),) if uncounted else ()

    def brief(self, transcript: Transcript, turn: Turn) -> Brief | None:
        """What an answer, a ballot and the synthesis are asked for."""
        if turn.kind == kinds.ANSWER:
            return Brief(
                task=_ANSWER.format(name=turn.panelist, subject=subject(transcript)),
                unheard=same_round(transcript, turn),
            )
        if turn.kind == kinds.BALLOT and ballots.answers(transcript):
            return ballots.brief(transcript, turn, complaint(transcript, turn))
        if turn.kind == kinds.VERDICT:
            chair = verdicts.brief(transcript, turn)
            return replace(chair, task=f"{chair.task}\n\n{_told(transcript)}")
        return None


def _told(transcript: Transcript) -> str:
    """What the chair is told of the tally, and owes those whom she does not follow."""
    tally = next(reversed(transcript.found(TallyCounted)), None)
    if tally is None:
        return f"The answers were not ranked. {_MINORITY}"
    points = ", ".join(f"{name} {score:g}" for name, score in tally.scores.items())
    best = f"{tally.condorcet} beats every other" if tally.condorcet else "nobody beats every other"
    return (
        f"The panel ranked the answers without knowing whose they are. Points, of {len(tally.scores) - 1} at the "
        f"most: {points}; taken two by two, {best}. Follow what is ranked best unless it is wrong. {_MINORITY}"
    )


def _ranking(tally: tuple[ANY, ...], transcript: Transcript) -> Plan:
    if seats := _to_rank(transcript):
        return Plan(queue=seats)
    return Plan(note=tally or (_without(transcript, "No ballot could be read."),))


def _turns(transcript: Transcript, kind: str, panelist: str = "") -> list[Turn]:
    return [turn for turn in transcript.sitting() if turn.kind == kind and panelist in ("", turn.panelist)]


def _to_answer(transcript: Transcript) -> tuple[Seat, ...]:
    """Who was not asked yet, or was cut off by a stop of ours."""
    return tuple(
        Seat(panelist.name, kinds.ANSWER)
        for panelist in transcript.present()
        if not (mine := _turns(transcript, kinds.ANSWER, panelist.name))
        or (stopped_by_us(mine[-1]) and len(mine) < ATTEMPTS)
    )


def _to_rank(transcript: Transcript) -> tuple[Seat, ...]:
    """The next ballot of each who owes one."""
    return tuple(seat for panelist in transcript.present() if (seat := _next_ballot(transcript, panelist)))


def _next_ballot(transcript: Transcript, panelist: Panelist) -> Seat | None:
    cast = ballots.cast(transcript, panelist.name)
    if len(cast) >= 2:
        return None
    asked = [turn.turn for turn in _turns(transcript, kinds.BALLOT, panelist.name)]
    vain = asked[asked.index(cast[-1].turn) + 1 :] if cast else asked
    if len(vain) >= ATTEMPTS or (vain and not _is_worth_asking(transcript.turn(vain[-1]))):
        return None
    reason = SECOND if cast else FIRST
    return Seat(panelist.name, kinds.BALLOT, reason=f"{reason}, asked again" if vain else reason)


def _is_worth_asking(turn: Turn) -> bool:
    """What was said and could not be read, or was cut off by a stop of ours; not what failed, or was skipped."""
    return turn.status == "completed" or stopped_by_us(turn)


def _why_no_ballots(transcript: Transcript) -> str:
    answers, panel = len(ballots.answers(transcript)), len(transcript.present())
    if answers < ballots.LEAST:
        return f"Ranking means little with {answers or 'no'} answer{'' if answers == 1 else 's'}."
    left = order.turns_left(transcript)
    if left is None or left >= 2 * panel:
        return ""
    return f"{left} turns are left, and two ballots each take {2 * panel}."


def _without(transcript: Transcript, why: str) -> BudgetDegraded:
    return BudgetDegraded(round=transcript.round, measure=NO_BALLOTS, detail=why)
