"""The contract of every store: what `roundtable/log/base.py` promises, run on each of `STORES`."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict, Invalid, LogError
from roundtable.log.base import MAX_BATCH_BYTES, Checkpoint, EventLog, Outcome, Record, Tail
from roundtable.log.batch import MAX_RECORD_BYTES
from roundtable.log.memory import MemoryLog
from roundtable.log.split import SplitLog
from roundtable.log.sqlite import SqliteLog
from tests import redis_server


async def _memory(_: Path) -> EventLog:
    return MemoryLog()


async def _split(directory: Path) -> EventLog:
    """Names of either store in any order; `tests/test_log_memory.py` has those of the product."""
    return SplitLog(
        await SqliteLog.open(directory), MemoryLog(), lambda stream: bool(crc32(stream.encode()) & 1)
    )


STORES: dict[str, Callable[[Path], Awaitable[EventLog]]] = {
    "sqlite": SqliteLog.open,
    "redis": redis_server.open_fresh,
    "memory": _memory,
    "split": _split,
}
TABLE = "table/one"
names = (f"table/{number}" for number in itertools.count())


@pytest.fixture(params=STORES)
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventLog]:
    log = await STORES[request.param](tmp_path)
    yield log
    await log.close()


@pytest.fixture
async def tail(log: EventLog) -> AsyncIterator[Tail]:
    tail = await log.tail()
    yield tail
    await tail.close()


def batch(after: Cursor, *bodies: bytes, term: int | None = None) -> list[Record]:
    """Records for `bodies` directly after `after`."""
    term = after.term or 1 if term is None else term
    return [Record(Cursor(term, after.seq + 1 + i), body) for i, body in enumerate(bodies)]


async def write(log: EventLog, stream: str, count: int, after: Cursor = ZERO, size: int = 10) -> list[Record]:
    """Append `count` records one by one."""
    written: list[Record] = []
    for _ in range(count):
        one = batch(after, b"%0*d" % (size, after.seq + 1))
        await log.append(stream, after, one)
        written += one
        after = one[-1].cursor
    return written


async def everything(log: EventLog, stream: str) -> list[Record]:
    """All records, page by page."""
    found: list[Record] = []
    while page := await log.read(stream, len(found)):
        found += page
    return found


async def take(tail: Tail, count: int) -> list[tuple[str, Record]]:
    """The next `count` records a tail delivers, and no more."""
    seen: list[tuple[str, Record]] = []
    async with asyncio.timeout(30):
        while len(seen) < count:
            stream, records = await anext(aiter(tail))
            assert records
            seen += [(stream, record) for record in records]
    assert len(seen) == count
    return seen


@pytest.mark.parametrize(
    "bodies",
    [[b""], [b"", b"\x00\xff not text \x80", "\u2028 text".encode(), b"x" * 300_000], [b"\x00", b""]],
    ids=["empty", "anything", "zero"],
)
async def test_a_batch_is_read_as_it_was_written(log: EventLog, bodies: list[bytes]) -> None:
    written = batch(ZERO, *bodies)
    assert (await log.last(TABLE), await log.read(TABLE, 0)) == (None, [])
    assert await log.append(TABLE, ZERO, written) == "appended"
    assert await everything(log, TABLE) == written
    assert await log.last(TABLE) == written[-1]


@pytest.mark.parametrize("expected", [ZERO, Cursor(1, 1), Cursor(2, 2), Cursor(1, 3)], ids=str)
async def test_a_wrong_expected_tail_is_refused(log: EventLog, expected: Cursor) -> None:
    written = await write(log, TABLE, 2)
    with pytest.raises(Conflict):
        await log.append(TABLE, expected, batch(expected, b"late"))
    assert await everything(log, TABLE) == written


async def test_a_retried_batch_is_settled(log: EventLog) -> None:
    first = batch(ZERO, b"a", b"b")
    second = batch(first[-1].cursor, b"c", b"d")
    for expected, written in ((ZERO, first), (first[-1].cursor, second)):
        assert await log.append(TABLE, expected, written) == "appended"
        assert await log.append(TABLE, expected, written) == "already"
    assert await everything(log, TABLE) == first + second


async def test_what_only_resembles_a_retry_is_refused(log: EventLog) -> None:
    first = batch(ZERO, b"a", b"b")
    second = batch(first[-1].cursor, b"c", b"d")
    await log.append(TABLE, ZERO, first)
    await log.append(TABLE, first[-1].cursor, second)
    for expected, other in (
        (ZERO, first),  # no longer the tail
        (first[-1].cursor, batch(first[-1].cursor, b"c", b"other")),
        (first[-1].cursor, second[:1]),
        (first[-1].cursor, [*second, *batch(second[-1].cursor, b"e")]),
        (Cursor(0, 2), second),  # the same records after something else
    ):
        with pytest.raises(Conflict):
            await log.append(TABLE, expected, other)
    assert await everything(log, TABLE) == first + second


async def test_a_new_term_runs_on_and_an_old_one_is_refused(log: EventLog) -> None:
    first = batch(ZERO, b"old", term=5)
    second = batch(first[-1].cursor, b"new", term=9)
    await log.append(TABLE, ZERO, first)
    await log.append(TABLE, first[-1].cursor, second)
    with pytest.raises(Conflict):
        await log.append(TABLE, second[-1].cursor, batch(second[-1].cursor, b"old", term=8))
    falling = [*batch(second[-1].cursor, b"x", term=12), Record(Cursor(11, 4), b"y")]
    with pytest.raises(Conflict):
        await log.append(TABLE, second[-1].cursor, falling)
    assert [record.cursor for record in await everything(log, TABLE)] == [Cursor(5, 1), Cursor(9, 2)]


@pytest.mark.parametrize("seqs", [[], [2], [1, 3], [1, 1]], ids=str)
async def test_a_batch_that_is_not_dense_is_a_bug(log: EventLog, seqs: list[int]) -> None:
    with pytest.raises(ValueError, match=r"at least one|does not follow"):
        await log.append(TABLE, ZERO, [Record(Cursor(1, seq), b"") for seq in seqs])
    assert await log.last(TABLE) is None


async def test_a_record_has_a_largest_size(log: EventLog) -> None:
    with pytest.raises(LogError, match="at most") as refusal:
        await log.append(TABLE, ZERO, batch(ZERO, b"x" * (MAX_RECORD_BYTES + 1)))
    assert refusal.value.code == "too_large"
    assert await log.append(TABLE, ZERO, batch(ZERO, b"x" * MAX_RECORD_BYTES)) == "appended"


async def test_reads_are_bounded(log: EventLog) -> None:
    written = await write(log, TABLE, 20, size=100)
    assert await log.read(TABLE, 0, limit=7) == written[:7]
    assert await log.read(TABLE, 15, limit=7) == written[15:]
    assert await log.read(TABLE, 3, max_bytes=399) == written[3:6]
    assert await log.read(TABLE, 3, max_bytes=400) == written[3:7]
    assert await log.read(TABLE, 3, max_bytes=1) == written[3:4]
    assert await log.read(TABLE, 3, limit=4, max_bytes=399) == written[3:6]
    assert await log.read(TABLE, 3, limit=4, max_bytes=400) == written[3:7]
    assert await log.read(TABLE, 20) == []
    assert await log.read(TABLE, 99) == []


async def test_a_cursor_exists_only_under_its_own_term(log: EventLog) -> None:
    await write(log, TABLE, 3)
    assert await log.has(TABLE, Cursor(1, 3))
    assert not await log.has(TABLE, Cursor(2, 3))
    assert not await log.has(TABLE, Cursor(1, 4))
    assert await log.has(TABLE, ZERO)
    assert await log.has("table/none", ZERO)
    assert not await log.has("table/none", Cursor(1, 1))


async def test_streams_are_listed_newest_name_first(log: EventLog) -> None:
    for name in ("table/a", "table/c", "table/b", "inbox/a", "tables/x", "table0", "tabl/e"):
        await write(log, name, 1)
    assert await log.streams("table") == ["table/c", "table/b", "table/a"]
    assert await log.streams("table", limit=2) == ["table/c", "table/b"]
    assert await log.streams("table", before="table/b") == ["table/a"]
    assert await log.streams("table", before="table/a") == []
    assert await log.streams("inbox") == ["inbox/a"]
    assert await log.streams("none") == []


async def test_a_deleted_stream_is_gone_and_may_begin_again(log: EventLog) -> None:
    written = await write(log, TABLE, 3)
    other = await write(log, "table/other", 2)
    await log.save_checkpoint(TABLE, Checkpoint(written[-1].cursor, b"fold"))
    await log.delete(TABLE)
    await log.delete(TABLE)
    assert await log.last(TABLE) is None
    assert await log.read(TABLE, 0) == []
    assert not await log.has(TABLE, written[0].cursor)
    assert await log.checkpoint(TABLE) is None
    assert await log.streams("table") == ["table/other"]
    with pytest.raises(Conflict):
        await log.append(TABLE, written[-1].cursor, batch(written[-1].cursor, b"on"))
    again = await write(log, TABLE, 2)
    assert await everything(log, TABLE) == again
    assert await everything(log, "table/other") == other


async def test_the_newest_checkpoint_is_kept(log: EventLog) -> None:
    await write(log, TABLE, 3)
    newest = Checkpoint(Cursor(2, 2), b"newest")
    for checkpoint in (Checkpoint(Cursor(1, 1), b"first"), newest, Checkpoint(Cursor(1, 3), b"older term")):
        await log.save_checkpoint(TABLE, checkpoint)
    assert await log.checkpoint(TABLE) == newest
    assert await log.checkpoint("table/other") is None


async def test_fifty_streams_at_once(log: EventLog) -> None:
    streams = [f"table/{i}" for i in range(50)]
    written = await asyncio.gather(*(write(log, stream, 20) for stream in streams))
    for stream, records in zip(streams, written, strict=True):
        assert await everything(log, stream) == records


async def test_of_appends_that_race_for_one_place_one_wins(log: EventLog) -> None:
    rivals = [batch(ZERO, b"%d" % i, b"!") for i in range(20)]
    outcomes = await asyncio.gather(
        *(log.append(TABLE, ZERO, rival) for rival in rivals), return_exceptions=True
    )
    winners = [rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome == "appended"]
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19
    assert [await everything(log, TABLE)] == winners


async def test_a_cancelled_append_is_written_whole_or_not_at_all(log: EventLog) -> None:
    for _ in range(20):
        last = await log.last(TABLE)
        after = last.cursor if last else ZERO
        records = batch(after, b"a", b"b")
        pending = asyncio.create_task(log.append(TABLE, after, records))
        await asyncio.sleep(0)  # it has begun to wait
        pending.cancel()
        records.clear()
        with contextlib.suppress(asyncio.CancelledError):
            await pending
        settled = await log.append(TABLE, after, batch(after, b"a", b"b"))
        assert settled in {"appended", "already"}
    assert [record.body for record in await everything(log, TABLE)] == [b"a", b"b"] * 20


Step = tuple[int, int, bool]  # owner, number of records, whether it first takes a new term
steps = st.lists(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 4), st.booleans()),
        min_size=1,
        max_size=2,
        unique_by=lambda s: s[0],
    ),
    max_size=25,
)


@given(steps)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_two_owners_do_the_log_is_one_dense_sequence(
    log: EventLog, steps: list[list[Step]]
) -> None:
    stream = next(names)
    written: list[Record] = []
    places = [ZERO, ZERO]  # where each owner believes the stream to end, and under which term

    async def act(owner: int, count: int, renew: bool) -> tuple[Outcome | None, list[Record]]:
        expected = places[owner]
        term = None
        if renew:
            last = await log.last(stream)
            expected = last.cursor if last else ZERO
            term = expected.term + 1
        records = batch(expected, *(b"%d" % owner for _ in range(count)), term=term)
        try:
            outcome = await log.append(stream, expected, records)
        except Conflict:
            return None, []
        places[owner] = records[-1].cursor
        return outcome, records

    for together in steps:
        outcomes = await asyncio.gather(*(act(*step) for step in together))
        for records in sorted(records for outcome, records in outcomes if outcome == "appended"):
            assert records[0].cursor.seq == len(written) + 1
            written += records
    assert await everything(log, stream) == written


async def test_a_tail_begins_after_a_cursor_and_goes_on(log: EventLog, tail: Tail) -> None:
    written = await write(log, TABLE, 5)
    await tail.add(TABLE, written[1].cursor)
    await tail.add("table/new", ZERO)
    assert await take(tail, 3) == [(TABLE, record) for record in written[2:]]
    more = await write(log, TABLE, 2, written[-1].cursor)
    assert await take(tail, 2) == [(TABLE, record) for record in more]
    new = await write(log, "table/new", 1)
    assert await take(tail, 1) == [("table/new", new[0])]


async def test_a_tail_refuses_an_unknown_cursor_and_a_second_add(log: EventLog, tail: Tail) -> None:
    await write(log, TABLE, 2)
    with pytest.raises(Invalid):
        await tail.add(TABLE, Cursor(7, 2))
    await tail.add(TABLE, ZERO)
    with pytest.raises(ValueError, match="already"):
        await tail.add(TABLE, ZERO)


@pytest.mark.parametrize("head_start", [0, 1, 7, 50, 200])
async def test_a_tail_added_amid_writes_misses_nothing(log: EventLog, tail: Tail, head_start: int) -> None:
    written = await write(log, TABLE, head_start)
    after = written[-1].cursor if written else ZERO
    writing = asyncio.create_task(write(log, TABLE, 300, after))
    await tail.add(TABLE, ZERO)
    seen = await take(tail, head_start + 300)
    assert seen == [(TABLE, record) for record in written + await writing]


async def test_a_tail_that_leaves_and_returns_continues(log: EventLog, tail: Tail) -> None:
    writing = asyncio.create_task(write(log, TABLE, 500))
    seen: list[Record] = []
    place = ZERO
    while len(seen) < 500:
        await tail.add(TABLE, place)
        async with asyncio.timeout(30):
            _, records = await anext(aiter(tail))
        tail.remove(TABLE)
        seen += records
        place = seen[-1].cursor
    assert seen == await writing


async def test_a_removed_stream_is_silent_and_the_others_are_not(log: EventLog, tail: Tail) -> None:
    for stream in (TABLE, "table/two"):
        await tail.add(stream, ZERO)
    first = await write(log, TABLE, 1)
    assert await take(tail, 1) == [(TABLE, first[0])]
    tail.remove(TABLE)
    tail.remove("table/none")
    await write(log, TABLE, 3, first[-1].cursor)
    two = await write(log, "table/two", 1)
    assert await take(tail, 1) == [("table/two", two[0])]


@pytest.mark.parametrize("live", [False, True])
async def test_every_tail_says_that_a_stream_was_deleted_and_follows_it_no_longer(
    log: EventLog, live: bool
) -> None:
    tails = [await log.tail(), await log.tail()]
    written = await write(log, TABLE, 3)
    for tail in tails:
        await tail.add(TABLE, ZERO if live else written[-1].cursor)
        await take(tail, 3 if live else 0)
    await log.delete(TABLE)
    again = await write(log, TABLE, 5)
    for tail in tails:
        async with asyncio.timeout(30):
            assert await anext(aiter(tail)) == (TABLE, [])
        await tail.add(TABLE, again[2].cursor)
        assert await take(tail, 2) == [(TABLE, record) for record in again[3:]]
        await tail.close()


async def test_a_deletion_is_told_of_a_stream_that_never_began(log: EventLog) -> None:
    """As that of a table which nobody has sent a command: its owner follows an inbox that is not there."""
    tails = [await log.tail(), await log.tail()]
    for tail in tails:
        await tail.add(TABLE, ZERO)
    await log.delete(TABLE)
    for tail in tails:
        async with asyncio.timeout(30):
            assert await anext(aiter(tail)) == (TABLE, [])
        await tail.close()


async def test_a_stream_that_is_not_followed_any_more_is_deleted_in_silence(
    log: EventLog, tail: Tail
) -> None:
    await write(log, TABLE, 3)
    await tail.add(TABLE, ZERO)
    await take(tail, 3)
    await tail.add("table/other", ZERO)
    tail.remove(TABLE)
    await log.delete(TABLE)
    other = await write(log, "table/other", 1)
    assert await take(tail, 1) == [("table/other", other[0])]


async def test_a_tail_that_overflows_reads_again_from_the_store(log: EventLog, tail: Tail) -> None:
    await tail.add(TABLE, ZERO)
    first = await write(log, TABLE, 1)
    await take(tail, 1)  # now it is current, and what follows is buffered
    more = await write(log, TABLE, 60, first[-1].cursor, size=100_000)
    assert await take(tail, 60) == [(TABLE, record) for record in more]
    last = await write(log, TABLE, 1, more[-1].cursor)
    assert await take(tail, 1) == [(TABLE, last[0])]


@pytest.mark.parametrize("begun", [False, True], ids=["from the store", "live"])
async def test_a_tail_delivers_bounded_batches(log: EventLog, tail: Tail, begun: bool) -> None:
    first = await write(log, TABLE, 1)
    if begun:
        await tail.add(TABLE, ZERO)
        await take(tail, 1)
    written = await write(log, TABLE, 12, first[-1].cursor, size=100_000)
    written += await write(log, TABLE, 1, written[-1].cursor, size=MAX_BATCH_BYTES + 1)
    if not begun:
        await tail.add(TABLE, first[-1].cursor)
    seen: list[Record] = []
    async with asyncio.timeout(30):
        while len(seen) < len(written):
            _, records = await anext(aiter(tail))
            assert len(records) == 1 or sum(len(record.body) for record in records) <= MAX_BATCH_BYTES
            seen += records
    assert seen == written


async def test_a_busy_stream_does_not_hold_up_another(log: EventLog, tail: Tail) -> None:
    await write(log, "table/busy", 30, size=100_000)
    quiet = await write(log, "table/quiet", 1)
    await tail.add("table/busy", ZERO)
    await tail.add("table/quiet", ZERO)
    turns = [await anext(aiter(tail)) for _ in range(2)]
    assert ("table/quiet", quiet) in turns


async def test_two_tails_each_see_everything(log: EventLog) -> None:
    tails = [await log.tail(), await log.tail()]
    for tail in tails:
        await tail.add(TABLE, ZERO)
    written = await write(log, TABLE, 50)
    for tail in tails:
        assert await take(tail, 50) == [(TABLE, record) for record in written]
        await tail.close()


async def test_closing_a_tail_ends_its_iteration(tail: Tail) -> None:
    async def follow() -> list[tuple[str, list[Record]]]:
        return [item async for item in tail]

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)  # it has begun to wait
    await tail.close()
    async with asyncio.timeout(10):
        assert await following == []
