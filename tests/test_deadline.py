"""The deadline of a block of code: moved often, kept exactly, and kept once more by those who take too long to end."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtable.table.deadline import Deadline
from tests.fake_time import run

GRACE = 5.0


def held(block: Callable[[Deadline], Awaitable[None]]) -> tuple[str, float]:
    """How a block under a deadline ended, and when."""

    async def scenario() -> tuple[str, float]:
        deadline = Deadline(GRACE)
        try:
            async with deadline:
                await block(deadline)
        except TimeoutError:
            assert deadline.passed
            return "timeout", round(asyncio.get_running_loop().time(), 2)
        return "done", round(asyncio.get_running_loop().time(), 2)

    return run(scenario())


@given(st.lists(st.tuples(st.floats(0.01, 9.0), st.none() | st.floats(0.01, 9.0)), max_size=12))
def test_it_is_kept_wherever_it_is_moved(moves: list[tuple[float, float | None]]) -> None:
    """Each move sets it so many seconds ahead, or to never; then the block goes on for a while."""

    async def block(deadline: Deadline) -> None:
        for pause, ahead in moves:
            now = asyncio.get_running_loop().time()
            deadline.move(None if ahead is None else now + ahead)
            await asyncio.sleep(pause)
        deadline.move(None)

    expected, now = "done", 0.0
    for pause, ahead in moves:
        if ahead is not None and ahead <= pause:
            expected, now = "timeout", now + ahead
            break
        now += pause
    ended, at = held(block)
    tie = any(ahead is not None and abs(ahead - pause) < 0.01 for pause, ahead in moves)
    assert tie or (ended == expected and abs(at - now) < 0.03)


def test_who_takes_too_long_to_end_is_cut_short_in_that() -> None:
    async def block(deadline: Deadline) -> None:
        deadline.move(1.0)
        try:
            await asyncio.sleep(100.0)
        finally:
            await asyncio.sleep(100.0)

    assert held(block) == ("timeout", 1.0 + GRACE)


def test_moving_makes_no_timers() -> None:
    async def block(deadline: Deadline) -> None:
        loop = asyncio.get_running_loop()
        deadline.move(10.0)
        timer = deadline._timer
        for number in range(1_000):
            deadline.move(loop.time() + 20.0 + number)
        assert deadline._timer is timer
        await asyncio.sleep(15.0)
        deadline.move(16.0)
        await asyncio.sleep(100.0)

    assert held(block) == ("timeout", 16.0)


def test_one_who_is_cancelled_by_others_is_cancelled() -> None:
    async def scenario() -> None:
        async def work() -> None:
            async with Deadline(GRACE) as deadline:
                deadline.move(1.0)
                try:
                    await asyncio.sleep(100.0)
                finally:
                    await asyncio.sleep(2.0)  # its deadline passed, and then its owner went

        task = asyncio.create_task(work())
        await asyncio.sleep(2.0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(scenario())


def test_a_deadline_before_the_block_and_one_behind_it() -> None:
    async def scenario() -> None:
        deadline = Deadline(GRACE)
        deadline.move(3.0)
        with pytest.raises(TimeoutError):
            async with deadline:
                await asyncio.sleep(100.0)
        assert asyncio.get_running_loop().time() == pytest.approx(3.0)
        deadline.move(4.0)
        await asyncio.sleep(10.0)  # nothing happens any more

    run(scenario())
