"""Rankings counted: who beats whom, and by which rule somebody wins.

A ballot names what it ranks, best first, and need not rank everything. Every rule works on pairs or places alone, so
none knows an order of seats: where two are level, nobody wins. Counts are exact; nothing is rounded before it is
compared.
"""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, permutations
from typing import TypeVar

Ballot = Sequence[str]
N = TypeVar("N", int, Fraction)


def duels(ballots: Collection[Ballot], names: Collection[str]) -> dict[tuple[str, str], int]:
    """For each two names, on how many ballots that rank both the first stands before the second."""
    counted = dict.fromkeys(permutations(names, 2), 0)
    for ballot in ballots:
        for pair in combinations([name for name in ballot if name in names], 2):
            counted[pair] += 1
    return counted


def borda(ballots: Collection[Ballot], names: Collection[str]) -> dict[str, Fraction]:
    """Borda's points (1781) an average ballot gives: how many of the others it puts below.

    Taken pair by pair, from the ballots that rank both, and half a point where none does or they are level: so whoever
    is on fewer ballots, as when no author ranks her own answer, has neither more nor less for it. Where every ballot
    ranks everything this is Borda's own count over the number of ballots.
    """
    counted = duels(ballots, names)
    return {
        name: sum((_share(counted, name, other) for other in names if other != name), Fraction())
        for name in names
    }


def condorcet(ballots: Collection[Ballot], names: Collection[str]) -> str:
    """Who beats every other in a duel (Condorcet 1785): on more of the ballots that rank both than not. Empty when
    nobody does, as where three beat each other in a circle, or with fewer than two names."""
    counted = duels(ballots, names)
    for name in names:
        others = [other for other in names if other != name]
        if others and all(counted[name, other] > counted[other, name] for other in others):
            return name
    return ""


def plurality(ballots: Collection[Ballot], names: Collection[str]) -> dict[str, int]:
    """On how many ballots each stands first of those named."""
    firsts = [next((name for name in ballot if name in names), "") for ballot in ballots]
    return {name: firsts.count(name) for name in names}


def most(scores: Mapping[str, N]) -> str:
    """Who has more than any other; empty where two are level at the top, or there is nobody."""
    best = [name for name, score in scores.items() if score == max(scores.values())]
    return best[0] if len(best) == 1 else ""


def _share(counted: Mapping[tuple[str, str], int], name: str, other: str) -> Fraction:
    wins, losses = counted[name, other], counted[other, name]
    return Fraction(wins, wins + losses) if wins + losses else Fraction(1, 2)
