"""The store in memory alone: its bound; and two stores as one: which stream is where, and a tail over both."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.cursor import ZERO, Cursor
from protocol.errors import LogUnavailable
from roundtable.log.base import Checkpoint, Tail
from roundtable.log.memory import OVERHEAD, MemoryLog
from roundtable.log.split import OFF_RECORD, SplitLog
from roundtable.log.sqlite import SqliteLog
from tests.test_log import batch, everything, take, write

ONE, SECRET = "table/one", f"table/one{OFF_RECORD}"


async def test_past_its_bound_it_refuses_until_something_is_deleted() -> None:
    log = MemoryLog(10 * (100 + OVERHEAD))
    written = await write(log, ONE, 6, size=100)
    other = await write(log, "table/other", 4, size=100)
    for stream, after in ((ONE, written[-1].cursor), ("table/new", ZERO)):
        with pytest.raises(LogUnavailable, match="full"):
            await log.append(stream, after, batch(after, b""))
    assert await log.append("table/other", other[-2].cursor, other[-1:]) == "already"
    assert await log.streams("table") == ["table/other", ONE]
    await log.delete("table/other")
    await write(log, ONE, 4, written[-1].cursor, size=100)
    await log.delete(ONE)
    assert log.size == 0


async def test_checkpoints_count_and_give_way() -> None:
    log = MemoryLog(1000 + 2 * OVERHEAD)
    await log.append(ONE, ZERO, batch(ZERO, b"x" * 500))
    kept = Checkpoint(Cursor(1, 1), b"f" * 500)
    await log.save_checkpoint(ONE, Checkpoint(Cursor(1, 1), b"f" * 400))
    await log.save_checkpoint(ONE, kept)
    assert log.size == log.max_bytes
    await log.save_checkpoint(ONE, Checkpoint(Cursor(1, 1), b"f" * 501))
    assert await log.checkpoint(ONE) == kept
    await log.save_checkpoint("table/none", kept)
    assert await log.checkpoint("table/none") is None
    await log.delete(ONE)
    assert log.size == 0


async def test_what_was_closed_holds_nothing_and_says_so() -> None:
    log = MemoryLog()
    tail = await log.tail()
    await write(log, ONE, 1)
    await log.close()
    assert [item async for item in tail] == []
    for refused in (log.last(ONE), log.append(ONE, ZERO, batch(ZERO, b"")), log.streams("table"), log.tail()):
        with pytest.raises(LogUnavailable, match="closed"):
            await refused


@pytest.fixture
async def split(tmp_path: Path) -> AsyncIterator[SplitLog]:
    log = SplitLog(await SqliteLog.open(tmp_path), MemoryLog())
    yield log
    await log.close()


async def test_a_name_says_where_a_stream_is(split: SplitLog) -> None:
    for stream in (ONE, SECRET, f"inbox/one{OFF_RECORD}", f"table/{OFF_RECORD}-not"):
        await write(split, stream, 2)
        await split.leases.claim([stream], "ada", 0)
    assert await split.durable.streams("table") == [ONE, f"table/{OFF_RECORD}-not"]
    assert await split.volatile.streams("table") == [SECRET]
    assert await split.streams("table") == [SECRET, ONE, f"table/{OFF_RECORD}-not"]
    assert await split.streams("table", before=SECRET, limit=1) == [ONE]
    assert len(await everything(split.volatile, f"inbox/one{OFF_RECORD}")) == 2
    assert set(await split.durable.leases.abandoned()) == {ONE, f"table/{OFF_RECORD}-not"}


async def both(split: SplitLog) -> tuple[Tail, dict[str, Cursor]]:
    """A tail that has delivered one record of either store, and where it stands."""
    tail = await split.tail()
    for stream in (ONE, SECRET):
        await tail.add(stream, ZERO)
        await write(split, stream, 1)
    await take(tail, 2)
    return tail, dict.fromkeys((ONE, SECRET), Cursor(1, 1))


async def test_the_two_stores_take_turns(split: SplitLog) -> None:
    tail, places = await both(split)
    for stream, place in places.items():
        await write(split, stream, 20, place, size=100_000)
    heard = [(await anext(aiter(tail)))[0] for _ in range(12)]
    assert heard.count(ONE) == 6
    await tail.close()


async def test_a_stream_that_is_left_and_followed_again_repeats_nothing(split: SplitLog) -> None:
    tail, places = await both(split)
    for stream, place in places.items():
        await write(split, stream, 1, place)
    heard, _ = await anext(aiter(tail))
    await asyncio.sleep(0)  # the other has answered too, and what it said is kept
    other = SECRET if heard == ONE else ONE
    tail.remove(other)
    await tail.add(other, Cursor(1, 1))
    assert (await take(tail, 1))[0][1].cursor == Cursor(1, 2)
    await write(split, other, 1, Cursor(1, 2))
    assert (await take(tail, 1))[0][1].cursor == Cursor(1, 3)
    await tail.close()


async def test_a_reader_who_leaves_just_as_something_comes_does_not_end_the_tail(split: SplitLog) -> None:
    tail = await split.tail()
    for stream in (ONE, SECRET):
        await tail.add(stream, ZERO)
    waiting = asyncio.create_task(take(tail, 1))
    await asyncio.sleep(0)
    await write(split, SECRET, 1)
    while not any(task and task.done() for task in tail._asked.values()):  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    tail.remove(SECRET)  # before whoever waits for the two has woken
    await write(split, ONE, 1)
    await waiting
    await tail.close()
