"""Who may run, who waits and who is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Busy
from roundtable.invocations.lanes import Bounds, Lanes, Place


def test_callers_are_served_in_turn() -> None:
    lanes = Lanes(Bounds(running=1, per_caller=1, waiting=10, waiting_per_caller=10))
    running = lanes.enter("a")
    greedy = [lanes.enter("a") for _ in range(3)]
    modest = lanes.enter("b")
    assert [place.ahead for place in (running, *greedy, modest)] == [None, 0, 1, 2, 0]
    order = []
    waiting = dict(zip([*greedy, modest], ["a1", "a2", "a3", "b"], strict=True))
    while waiting:
        running.leave()
        running = next(place for place in waiting if place.called.is_set())
        order.append(waiting.pop(running))
    assert order == ["a1", "b", "a2", "a3"]


def test_what_one_caller_may_not_have_another_may() -> None:
    lanes = Lanes(Bounds(running=3, per_caller=1, waiting=3, waiting_per_caller=1))
    assert lanes.enter("a").ahead is None
    waits = lanes.enter("a")
    assert waits.ahead == 0
    with pytest.raises(Busy, match=r"1 invocations of yours wait already.*try again in 2 s\."):
        lanes.enter("a")
    assert lanes.enter("b").ahead is None
    assert not waits.called.is_set()
    assert lanes.enter("c").ahead is None
    assert [lanes.enter(name).ahead for name in "bc"] == [0, 0]
    with pytest.raises(Busy, match=r"3 invocations wait already, the most this server keeps"):
        lanes.enter("d")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", "b", "c"]), st.integers(0, 30)), max_size=80))
def test_the_bounds_hold_and_nobody_waits_in_vain(moves: list[tuple[bool, str, int]]) -> None:
    bounds = Bounds(running=4, per_caller=3, waiting=6, waiting_per_caller=4)
    lanes = Lanes(bounds)
    here: list[Place] = []
    for enters, caller, index in moves:
        if enters:
            with contextlib.suppress(Busy):
                here.append(lanes.enter(caller))
        elif here:
            here.pop(index % len(here)).leave()
        runs = [place for place in here if place.called.is_set()]
        waits = [place for place in here if not place.called.is_set()]
        mine = {name: sum(place.caller == name for place in runs) for name in ("", "b", "c")}
        assert (lanes.running, lanes.waiting) == (len(runs), len(waits))
        assert len(runs) <= bounds.running
        assert len(waits) <= bounds.waiting
        assert max(mine.values()) <= bounds.per_caller
        if len(runs) < bounds.running:
            assert all(mine[place.caller] == bounds.per_caller for place in waits)
    for place in here:
        place.leave()
        place.leave()
    assert (lanes.running, lanes.waiting) == (0, 0)
