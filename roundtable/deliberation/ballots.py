"""Ballots: each ranks all answers twice, the second time in the opposite order, and does not know which is hers.

What she gives her own answer is on record and is not counted. What a ranking owes to the order shown comes out in the
tally, as pairs that her two ballots put the other way round.
"""

import math
from collections.abc import Mapping
from itertools import combinations

from protocol import kinds
from protocol.findings import ANY, BallotCast, Pair, TallyCounted
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import rankings, voting
from roundtable.deliberation.answers import Unread
from roundtable.deliberation.brief import Brief, drawn
from roundtable.deliberation.record import is_whole

# With two answers a ballot without the author's own has nothing to rank.
LEAST = 3
# Points are shown; they were compared exactly.
_DIGITS = 4


def answers(transcript: Transcript) -> dict[str, str]:
    """What is ranked, by author: the answers of this sitting that were asked for before its first ballot."""
    sitting = transcript.sitting()
    first = next((turn.seq for turn in sitting if turn.kind == kinds.BALLOT), math.inf)
    given = [turn for turn in sitting if turn.kind == kinds.ANSWER and is_whole(turn) and turn.seq < first]
    return rankings.by_author(transcript, given)


def cast(transcript: Transcript, panelist: str) -> list[BallotCast]:
    """Her ballots of this sitting that could be read."""
    return [ballot for ballot in transcript.found(BallotCast) if ballot.panelist == panelist]


def brief(transcript: Transcript, turn: Turn, complaint: str = "") -> Brief:
    """Asks for her next ballot."""
    texts = answers(transcript)
    return rankings.brief(transcript, _shown(transcript, turn, texts), texts, complaint)


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """Her ballot."""
    texts = answers(transcript)
    if not texts:
        raise Unread("There is nothing to rank.")
    shown = _shown(transcript, turn, texts)
    ranking = rankings.read(turn.text, shown)
    return [
        BallotCast(turn=turn.turn, panelist=turn.panelist, round=turn.round, ranking=ranking, shown=shown)
    ]


def counted(transcript: Transcript) -> list[list[str]]:
    """The rankings of this sitting as they count: each without its author's own answer."""
    return [
        [name for name in ballot.ranking if name != ballot.panelist]
        for ballot in transcript.found(BallotCast)
    ]


def tally(transcript: Transcript) -> TallyCounted:
    """All ballots of this sitting together, which must have some."""
    orders, names = counted(transcript), list(answers(transcript))
    scores = voting.borda(orders, names)
    twice, flipped = _position(transcript)
    return TallyCounted(
        round=transcript.round,
        kind=kinds.BALLOT,
        scores={name: round(float(score), _DIGITS) for name, score in scores.items()},
        winner=voting.most(scores),
        condorcet=voting.condorcet(orders, names),
        pairs=_pairs(voting.duels(orders, names)),
        ballots=len(orders),
        twice=twice,
        flipped=flipped,
    )


def _shown(transcript: Transcript, turn: Turn, texts: Mapping[str, str]) -> list[str]:
    if before := cast(transcript, turn.panelist):
        return before[0].shown[::-1]  # as it was: a fork has another seed
    return drawn(texts, f"{transcript.seed}:{turn.round}:{turn.panelist}:")


def _pairs(duels: Mapping[tuple[str, str], int]) -> list[Pair]:
    return [
        Pair(one, other, wins, wins + duels[other, one])
        for (one, other), wins in duels.items()
        if wins > duels[other, one]
    ]


def _position(transcript: Transcript) -> tuple[int, int]:
    """How many pairs of others' answers the same panelist ranked in both orders, and how many of them she turned
    round."""
    twice = flipped = 0
    for name in dict.fromkeys(ballot.panelist for ballot in transcript.found(BallotCast)):
        both = cast(transcript, name)
        if len(both) != 2:
            continue
        first, second = (
            set(combinations([each for each in ballot.ranking if each != name], 2)) for ballot in both
        )
        same, other = len(first & second), len(first & {(loser, winner) for winner, loser in second})
        twice += same + other
        flipped += other
    return twice, flipped
