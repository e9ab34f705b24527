"""Ballots counted: what every rule must hold, and the cases they are known by."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtable.deliberation import voting
from roundtable.deliberation.voting import borda, condorcet, duels, most, plurality

NAMES = ("Ada", "Ben", "Cleo", "Dag")
whole = st.lists(st.permutations(NAMES), min_size=1, max_size=9)
partial = st.lists(
    st.permutations(NAMES).flatmap(lambda order: st.integers(0, 4).map(lambda most: order[:most])), max_size=9
)
Rule = Callable[[Sequence[Sequence[str]], Sequence[str]], str]
RULES: tuple[Rule, ...] = (
    lambda ballots, names: most(borda(ballots, names)),
    condorcet,
    lambda ballots, names: most(plurality(ballots, names)),
)
every_rule = pytest.mark.parametrize("rule", RULES, ids=["borda", "condorcet", "plurality"])


# -- known cases -------------------------------------------------------------------------------------------------


def test_borda_and_plurality_may_disagree() -> None:
    """Borda's own case of 1781: most put A first, and more put A last."""
    ballots = [["A", "B", "C"]] * 1 + [["A", "C", "B"]] * 7 + [["B", "C", "A"]] * 7 + [["C", "B", "A"]] * 6
    assert most(plurality(ballots, "ABC")) == "A"
    assert most(borda(ballots, "ABC")) == condorcet(ballots, "ABC") == "C"


def test_three_may_beat_each_other_in_a_circle() -> None:
    """Condorcet's paradox of 1785."""
    ballots = [["A", "B", "C"], ["B", "C", "A"], ["C", "A", "B"]]
    assert condorcet(ballots, "ABC") == most(borda(ballots, "ABC")) == most(plurality(ballots, "ABC")) == ""


def test_who_beats_everyone_need_not_have_most_points() -> None:
    ballots = [["A", "B", "C"]] * 3 + [["B", "C", "A"]] * 2
    assert condorcet(ballots, "ABC") == "A"
    assert most(borda(ballots, "ABC")) == "B"


def test_who_is_on_fewer_ballots_is_not_worse_off() -> None:
    """Ada's author did cast no ballot and Ben's did: those who rank both decide between them."""
    ballots = [["Ada", "Cleo"], ["Ada", "Ben"]]
    assert borda(ballots, ("Ada", "Ben", "Cleo")) == {"Ada": 2, "Ben": Fraction(1, 2), "Cleo": Fraction(1, 2)}


@pytest.mark.parametrize("names", [(), ("Ada",)])
def test_who_has_no_rival_beats_nobody(names: tuple[str, ...]) -> None:
    assert condorcet([["Ada"]], names) == ""
    assert most(borda([["Ada"]], names)) == "".join(names)


# -- what always holds -------------------------------------------------------------------------------------------


@every_rule
@given(partial, st.randoms())
def test_neither_the_order_of_ballots_nor_of_seats_matters(
    rule: Rule, ballots: list[list[str]], random: Random
) -> None:
    other, seats = list(ballots), list(NAMES)
    random.shuffle(other)
    random.shuffle(seats)
    assert rule(other, seats) == rule(ballots, NAMES)


@every_rule
@given(partial, st.permutations(NAMES))
def test_no_name_is_preferred(rule: Rule, ballots: list[list[str]], others: list[str]) -> None:
    """Whoever are called otherwise win under their other name."""
    called = dict(zip(NAMES, others, strict=True))
    winner = rule([[called[name] for name in ballot] for ballot in ballots], NAMES)
    assert winner == called.get(rule(ballots, NAMES), "")


@every_rule
@given(whole.map(lambda ballots: [["Ada", *(name for name in each if name != "Ada")] for each in ballots]))
def test_whom_all_put_first_wins(rule: Rule, ballots: list[list[str]]) -> None:
    assert rule(ballots, NAMES) == "Ada"


@given(partial)
def test_who_wins_by_condorcet_beats_all_in_pairs_and_is_above_average(ballots: list[list[str]]) -> None:
    winner, counted, points = condorcet(ballots, NAMES), duels(ballots, NAMES), borda(ballots, NAMES)
    beating = [
        name
        for name in NAMES
        if all(counted[name, other] > counted[other, name] for other in NAMES if other != name)
    ]
    assert beating == ([winner] if winner else [])
    if winner:
        assert points[winner] > Fraction(len(NAMES) - 1, 2), "so Borda never puts her last"


@given(whole)
def test_on_whole_ballots_the_points_are_bordas(ballots: list[list[str]]) -> None:
    points = {
        name: sum(len(NAMES) - 1 - ballot.index(name) for ballot in ballots) / Fraction(len(ballots))
        for name in NAMES
    }
    assert borda(ballots, NAMES) == points


@given(partial)
def test_all_points_are_given_out(ballots: list[list[str]]) -> None:
    assert sum(borda(ballots, NAMES).values()) == len(NAMES) * (len(NAMES) - 1) / 2


@every_rule
@given(whole, st.sampled_from(NAMES))
def test_a_ballot_more_for_the_winner_takes_nothing_from_her(
    rule: Rule, ballots: list[list[str]], name: str
) -> None:
    after = [*ballots, [name, *(other for other in NAMES if other != name)]]
    assert rule(ballots, NAMES) != name or rule(after, NAMES) == name


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3)))
def test_a_tie_has_no_winner(scores: dict[str, int]) -> None:
    top = [name for name in scores if scores[name] == max(scores.values())]
    assert most(scores) == (top[0] if len(top) == 1 else "")


def test_a_ballot_and_its_opposite_say_nothing() -> None:
    for order in permutations("ABC"):
        assert set(borda([order, order[::-1]], "ABC").values()) == {1}
        assert condorcet([order, order[::-1]], "ABC") == ""
        assert voting.duels([order, order[::-1]], "ABC")["A", "B"] == 1
