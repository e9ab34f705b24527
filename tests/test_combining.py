"""Several flows as one: fair, complete, in order each, and resumed anywhere."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.cursor import Cursor
from protocol.errors import Invalid, LogUnavailable, NotFound
from roundtable.fanout import combining
from roundtable.fanout.combining import MAX_SOURCES, MAX_WAITING, OVERHEAD, QUANTUM, Combination, Cursors
from roundtable.fanout.stages import Item
from roundtable.fanout.transform import Flow
from tests.fake_time import run
from tests.tables import TERM


async def flow(sizes: Sequence[int], *, pauses: random.Random | None = None, after: int = 0) -> Flow:
    for seq, size in enumerate(sizes, 1):
        if pauses and pauses.random() < 0.5:
            await asyncio.sleep(pauses.random())
        if seq > after:
            yield Item(Cursor(TERM, seq), b"step", b"x" * size)


async def everything(combination: Combination) -> list[tuple[int, int | None]]:
    told = list[tuple[int, int | None]]()
    while batch := await combination.take():
        told += [(number, item and item.cursor.seq) for number, item in batch]
    return told


SIZES = st.lists(st.lists(st.sampled_from([0, 10, 500, 5_000, 70_000]), max_size=8), min_size=1, max_size=5)


@settings(deadline=None)
@given(SIZES, st.integers(), st.integers(0, 40))
def test_whatever_the_order_and_the_cut_each_source_goes_on_exactly(
    sizes: list[list[int]], seed: int, cut: int
) -> None:
    async def scene() -> None:
        chance = random.Random(seed)
        async with Combination([flow(each, pauses=chance) for each in sizes]) as combination:
            whole = await everything(combination)
        assert [number for number, seq in whole if seq is None] == sorted(
            range(len(sizes)), key=lambda number: whole.index((number, None))
        )
        place = Cursors(tuple(Cursor(TERM, 0) for _ in sizes))
        for number, seq in whole[:cut]:
            if seq is not None:
                place = place.moved(number, Cursor(TERM, seq))
        place = Cursors.parse(str(place), len(sizes))
        flows = [flow(each, pauses=chance, after=at.seq) for each, at in zip(sizes, place.each, strict=True)]
        async with Combination(flows) as combination:
            rest = await everything(combination)
        for number, each in enumerate(sizes):
            seen = [seq for source, seq in whole[:cut] + rest if source == number and seq is not None]
            assert seen == list(range(1, len(each) + 1))

    run(scene())


@given(st.lists(st.integers(1, 3 * QUANTUM), min_size=2, max_size=6))
def test_none_gets_ahead_by_more_than_its_share_and_an_entry(sizes: list[int]) -> None:
    async def scene() -> None:
        flows = [flow([size] * (60_000 // size + 40)) for size in sizes]
        given_ = [0] * len(sizes)
        async with Combination(flows) as combination:
            await asyncio.sleep(1)
            while max(given_) < 40_000:
                for number, item in await combination.take():
                    assert item is not None
                    given_[number] += len(item.data) + OVERHEAD
        assert max(given_) - min(given_) <= 2 * (QUANTUM + max(sizes) + OVERHEAD)

    run(scene())


def test_a_reader_who_takes_nothing_holds_every_source_back() -> None:
    pulled = [0, 0]

    async def endless(number: int) -> Flow:
        while True:
            pulled[number] += 1000 + OVERHEAD
            yield Item(Cursor(TERM, pulled[number]), b"step", b"x" * 1000)

    async def scene() -> None:
        async with Combination([endless(0), endless(1)]) as combination:
            await combination.take()
            await asyncio.sleep(1)
            assert all(each <= MAX_WAITING + QUANTUM + 2 * (1000 + OVERHEAD) for each in pulled)

    run(scene())


def test_a_busy_source_does_not_keep_a_quiet_one_waiting() -> None:
    async def scene() -> None:
        async with Combination([flow([100] * 10_000), flow([100])]) as combination:
            await asyncio.sleep(1)
            assert 1 in [number for number, _ in await combination.take()]

    run(scene())


@pytest.mark.parametrize(("error", "gone"), [(NotFound("gone"), True), (LogUnavailable("away"), False)])
def test_a_source_that_is_gone_ends_and_one_that_cannot_be_read_ends_all(
    error: Exception, gone: bool
) -> None:
    async def failing() -> Flow:
        yield Item(Cursor(TERM, 1), b"step", b"")
        raise error

    async def scene() -> None:
        async with Combination([failing(), flow([1])]) as combination:
            if gone:
                assert sorted(await everything(combination), key=str) == [
                    (0, 1),
                    (0, None),
                    (1, 1),
                    (1, None),
                ]
                assert [combination.deleted(number) for number in (0, 1)] == [True, False]
            else:
                with pytest.raises(LogUnavailable):
                    await everything(combination)

    run(scene())


def test_taking_that_is_cut_off_loses_nothing() -> None:
    async def scene() -> None:
        seen = list[int]()
        async with Combination([flow([1] * 50, pauses=random.Random(1))]) as combination:
            while len(seen) < 50:
                try:
                    async with asyncio.timeout(0.05):
                        seen += [item.cursor.seq for _, item in await combination.take() if item]
                except TimeoutError:
                    pass
        assert seen == list(range(1, 51))

    run(scene())


@given(
    st.lists(
        st.tuples(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1), st.integers(0, 99_999)), min_size=1
    )
)
def test_a_place_in_several_is_a_text_and_back(places: list[tuple[int, int, int]]) -> None:
    place = Cursors(tuple(Cursor(*each) for each in places))
    assert Cursors.parse(str(place), len(places)) == place
    assert str(place).isascii()
    assert len(str(place)) <= 41 * len(places)


@pytest.mark.parametrize("text", ["", "1-1", "1-1,", "1-1,2-2,3-3", "1-1;2-2", "1-1, 2-2", "," * 100_000])
def test_what_is_no_place_in_two_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        Cursors.parse(text, 2)
    assert caught.value.field == "after"


def test_as_many_as_are_taken_fit_in_a_header() -> None:
    longest = Cursors((Cursor(2**53 - 1, 2**53 - 1, 99_999),) * MAX_SOURCES)
    assert len(str(longest)) < 2_000
    assert combining.MAX_WAITING >= QUANTUM
