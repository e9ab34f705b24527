"""A stress test of a discussion's outcome: does its winner still win when something that should not matter is
different?

The chair judges the final answers as she is shown them, in the opposite order, cut to the length of the shortest, and
without her own; where there were ballots, they are counted by other rules too. Nothing is guessed: a judgement that
could not be read is told as that.
"""

from typing import NamedTuple

from protocol import kinds
from protocol.findings import ANY, JudgementGiven, StressTested, TallyCounted, Variation
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import ballots, officers, rankings, voting
from roundtable.deliberation.answers import Unread
from roundtable.deliberation.brief import Brief, drawn

AS_SHOWN, ORDER, LENGTH, SELF = "as_shown", "order_swapped", "lengths_equalised", "self_excluded"
REASONS = {f"stress test: {name.replace('_', ' ')}": name for name in (AS_SHOWN, ORDER, LENGTH, SELF)}
"""By the reason of a judgement's turn, the variation that it is asked under."""
# As for every form: asked once, and once more with what was wrong.
_ATTEMPTS = 2
# Characters: lengths are not made equal below this. Two sentences; less of an answer is none.
_SHORTEST = 200


class Asked(NamedTuple):
    """Who is to judge next, under which variation."""

    judge: str
    reason: str


def why_not(transcript: Transcript) -> str:
    """Why a table at rest cannot be tested, in a sentence; empty when it can."""
    answers = len(rankings.final(transcript))
    if answers < 2:
        return f"A stress test compares answers; this discussion has {answers or 'none'}."
    return "" if officers.chair(transcript) else "Nobody is left at this table who could judge."


def following(transcript: Transcript) -> Asked | None:
    """The next judgement to ask for; None when all that can be had are there."""
    given = _given(transcript)
    for reason, variation in REASONS.items():
        turns = _asked(transcript, reason)
        if variation in given:
            continue
        if len(turns) >= _ATTEMPTS or (turns and turns[-1].status == "cancelled"):
            if variation == AS_SHOWN:
                return None  # who cannot judge what lies before her as it is will not judge it otherwise
            continue
        judge = _judge(transcript, variation)
        if judge and len(_shown(transcript, variation, judge)) > 1:
            return Asked(judge, reason)
    return None


def result(transcript: Transcript) -> StressTested:
    """What the test came to."""
    winner = _winner(transcript)
    variations = [*_judged(transcript), *_by_rule(transcript)]
    against = any(each.read and each.winner != winner for each in variations)
    known = winner and all(each.read for each in variations)
    survives = False if winner and against else True if known else None
    return StressTested(round=transcript.round, winner=winner, survives=survives, variations=variations)


def brief(transcript: Transcript, turn: Turn, complaint: str = "") -> Brief:
    """Asks for a judgement under the variation of the turn's reason."""
    variation = REASONS.get(turn.reason, "")
    texts = _texts(transcript, variation)
    return rankings.brief(transcript, _shown(transcript, variation, turn.panelist), texts, complaint)


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """The judgement."""
    variation = REASONS.get(turn.reason, "")
    shown = _shown(transcript, variation, turn.panelist)
    if not variation or not shown:
        raise Unread("There is nothing to judge.")
    who = {"turn": turn.turn, "panelist": turn.panelist}
    ranking = rankings.read(turn.text, shown)
    return [JudgementGiven(**who, round=turn.round, variation=variation, ranking=ranking, shown=shown)]


def _judge(transcript: Transcript, variation: str) -> str:
    """The chair; only where she wrote the winner, and her own answer is to be left out, somebody else who did not."""
    chair = officers.chair(transcript)
    winner = _winner(transcript)
    if variation != SELF or chair is None or chair.name != winner:
        return chair.name if chair else ""
    return next((other.name for other in transcript.present() if other.name != winner), "")


def _texts(transcript: Transcript, variation: str) -> dict[str, str]:
    texts = rankings.final(transcript)
    if variation != LENGTH:
        return texts
    most = max(_SHORTEST, min((len(text) for text in texts.values()), default=0))
    return {name: rankings.cut(text, most) for name, text in texts.items()}


def _shown(transcript: Transcript, variation: str, judge: str) -> list[str]:
    """In which order; nobody where her own answer is to be left out and she gave none."""
    shown = drawn(rankings.final(transcript), f"{transcript.seed}:{kinds.JUDGEMENT}:")
    if variation == SELF:
        return [name for name in shown if name != judge] if judge in shown else []
    return shown[::-1] if variation == ORDER else shown


def _asked(transcript: Transcript, reason: str) -> list[Turn]:
    """Turns of this test in which that judgement was asked for."""
    return [
        turn
        for turn in transcript.turns
        if turn.seq > transcript.testing and turn.kind == kinds.JUDGEMENT and turn.reason == reason
    ]


def _given(transcript: Transcript) -> dict[str, JudgementGiven]:
    """Judgements of this test, by variation."""
    return {
        each.variation: each
        for each in transcript.found(JudgementGiven)
        if transcript.turn(each.turn).seq > transcript.testing
    }


def _winner(transcript: Transcript) -> str:
    """Who won: by the ballots, else by the judgement of the answers as they were shown."""
    tallies = [tally for tally in transcript.found(TallyCounted) if tally.kind == kinds.BALLOT]
    if tallies and tallies[-1].winner:
        return tallies[-1].winner
    judged = _given(transcript).get(AS_SHOWN)
    return judged.ranking[0] if judged else ""


def _judged(transcript: Transcript) -> list[Variation]:
    given = _given(transcript)
    found = list[Variation]()
    for reason, name in REASONS.items():
        judge = given[name].panelist if name in given else _judge(transcript, name)
        if name in given:
            found.append(Variation(name, given[name].ranking[0], judge))
        elif len(_shown(transcript, name, judge)) > 1:
            asked = "was asked and could not be read" if _asked(transcript, reason) else "could not be asked"
            found.append(Variation(name, judge=judge, detail=f"{judge or 'Nobody'} {asked}.", read=False))
    return found


def _by_rule(transcript: Transcript) -> list[Variation]:
    """The ballots by each rule, if there were any."""
    cast, names = ballots.counted(transcript), list(ballots.answers(transcript))
    if not cast:
        return []
    winners = {
        "borda": voting.most(voting.borda(cast, names)),
        "condorcet": voting.condorcet(cast, names),
        "plurality": voting.most(voting.plurality(cast, names)),
    }
    return [
        Variation(rule, winner, detail="" if winner else "Nobody wins by this rule.")
        for rule, winner in winners.items()
    ]
