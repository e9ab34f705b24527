"""The embedded store alone: its file and lock, a full or failing disk, damage, and how it ends."""

import asyncio
import os
import resource
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict, LogDamaged, LogUnavailable
from roundtable.log import sqlite_writer
from roundtable.log.base import Checkpoint, Record
from roundtable.log.buffer import MAX_BUFFER
from roundtable.log.local_tail import LocalTail
from roundtable.log.sqlite import SqliteLog
from roundtable.log.sqlite_format import FORMAT

TABLE = "table/one"


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(tmp_path)
    yield log
    await log.close()


async def write(log: SqliteLog, after: Cursor, *bodies: bytes, stream: str = TABLE) -> Cursor:
    records = [Record(Cursor(1, after.seq + 1 + i), body) for i, body in enumerate(bodies)]
    await log.append(stream, after, records)
    return records[-1].cursor


def commits_of(log: SqliteLog) -> list[str]:
    """Grows with every commit."""
    commits: list[str] = []
    log._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    return commits


@contextmanager
def together() -> Iterator[None]:
    """What is asked for in one turn of the loop reaches the writer together, however busy the machine is: it gets the
    interpreter when the loop has nothing more to do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(30)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def contents(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


async def test_nobody_else_may_read_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    log = await SqliteLog.open(directory)
    await write(log, ZERO, b"secret")
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert directory.stat().st_mode & 0o777 == 0o700
    assert modes == dict.fromkeys(("lock", "roundtable.db", "roundtable.db-wal", "roundtable.db-shm"), 0o600)
    await log.close()
    assert {path.name for path in directory.iterdir()} == {"lock", "roundtable.db"}


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    last = await write(log, ZERO, b"a", b"b")
    await log.save_checkpoint(TABLE, Checkpoint(last, b"fold"))
    await log.close()
    log = await SqliteLog.open(tmp_path, sync="full")
    assert [record.body for record in await log.read(TABLE, 0)] == [b"a", b"b"]
    assert await log.checkpoint(TABLE) == Checkpoint(last, b"fold")
    assert await write(log, last, b"c") == Cursor(1, 3)
    await log.close()


async def test_the_directory_has_one_user(log: SqliteLog, tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="Another roundtable process") as refusal:
        await SqliteLog.open(tmp_path)
    assert f"(pid {os.getpid()})" in refusal.value.detail
    assert str(tmp_path) in refusal.value.detail


async def test_a_path_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LogUnavailable, match=r"file cannot hold the log"):
        await SqliteLog.open(tmp_path / "file")


async def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    await (await SqliteLog.open(tmp_path)).close()
    database = sqlite3.connect(tmp_path / "roundtable.db")
    database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    database.close()
    for _ in range(2):  # the first refusal has let go of the lock
        with pytest.raises(LogUnavailable, match="newer roundtable") as refusal:
            await SqliteLog.open(tmp_path)
        assert not refusal.value.retryable


async def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "roundtable.db").write_bytes(b"this is no database, but long enough to be asked" * 100)
    with pytest.raises(LogDamaged, match=r"roundtable\.db is damaged"):
        await SqliteLog.open(tmp_path)


async def test_overwritten_pages_are_damage(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    after = ZERO
    for _ in range(20):
        after = await write(log, after, *(b"x" * 1000 for _ in range(20)))
    await log.close()
    path = tmp_path / "roundtable.db"
    content = bytearray(path.read_bytes())
    content[8 * 4096 :] = b"\xa5" * (len(content) - 8 * 4096)
    path.write_bytes(content)
    log = await SqliteLog.open(tmp_path)
    with pytest.raises(LogDamaged, match=r"\.recover"):
        await log.read(TABLE, 200)
    await log.close()


async def test_a_missing_entry_is_damage_and_not_a_gap(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await write(log, ZERO, *(b"%d" % i for i in range(10)))
    await log.close()
    database = sqlite3.connect(tmp_path / "roundtable.db")
    with database:
        database.execute("DELETE FROM entries WHERE seq = 5")
    database.close()
    log = await SqliteLog.open(tmp_path)
    assert len(await log.read(TABLE, 0, limit=4)) == 4
    for after in (0, 4):
        with pytest.raises(LogDamaged, match="gap"):
            await log.read(TABLE, after)
    with pytest.raises(LogDamaged, match="gap"):  # and not the end of the stream
        await log.read(TABLE, 4, limit=1)
    await log.close()


async def test_a_full_disk_refuses_and_recovers(log: SqliteLog) -> None:
    last = await write(log, ZERO, b"before")
    (pages,) = log._connection.execute("PRAGMA page_count").fetchone()
    log._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    big = b"x" * 100_000
    tables = [f"table/{i}" for i in range(5)]
    outcomes = await asyncio.gather(
        write(log, last, big),
        *(write(log, ZERO, b"small", stream=table) for table in tables),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], LogUnavailable)
    assert "full; see that the disk of" in outcomes[0].detail
    assert outcomes[1:] == [Cursor(1, 1)] * 5  # committed together with it, and none the worse
    log._connection.execute("PRAGMA max_page_count = 1000000")
    last = await write(log, last, big)
    assert [record.body for record in await log.read(TABLE, 0)] == [b"before", big]


async def test_a_failing_disk_refuses_and_recovers(log: SqliteLog, tmp_path: Path) -> None:
    last = await write(log, ZERO, b"before")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "roundtable.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, unlimited[1]))
    try:
        with pytest.raises(LogUnavailable, match="I/O error"):
            await write(log, last, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert await log.last(TABLE) == Record(last, b"before")
    await write(log, last, b"after")
    assert [record.body for record in await log.read(TABLE, 0)] == [b"before", b"after"]


class Unclear:
    """A connection whose commits succeed and then report that the disk failed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        cursor = self._connection.execute(sql, *args)
        if sql == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return cursor

    def rollback(self) -> None:
        self._connection.rollback()


@pytest.mark.parametrize("settled_by", ["retry", "reading"])
async def test_a_commit_of_unclear_outcome_is_settled_and_reaches_the_tails(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, settled_by: str
) -> None:
    records = [Record(Cursor(1, seq), b"x") for seq in range(1, 4)]
    tail = await log.tail()
    await tail.add(TABLE, ZERO)
    await log.append(TABLE, ZERO, records[:1])
    assert await anext(aiter(tail)) == (TABLE, records[:1])
    with monkeypatch.context() as failing:
        failing.setattr(log._writer, "_connection", Unclear(log._connection))
        with pytest.raises(LogUnavailable):
            await log.append(TABLE, records[0].cursor, records[1:2])
    if settled_by == "retry":
        assert await log.append(TABLE, records[0].cursor, records[1:2]) == "already"
    else:
        assert await log.last(TABLE) == records[1]
        await log.append(TABLE, records[1].cursor, records[2:])
    expected = records[1:2] if settled_by == "retry" else records[1:]
    async with asyncio.timeout(10):
        assert await anext(aiter(tail)) == (TABLE, expected)


async def test_one_bad_stream_name_does_not_fail_its_neighbours(log: SqliteLog) -> None:
    outcomes = await asyncio.gather(
        write(log, ZERO, b"a"), write(log, ZERO, b"b", stream="table/\ud800"), return_exceptions=True
    )
    assert outcomes[0] == Cursor(1, 1)
    assert isinstance(outcomes[1], UnicodeEncodeError)


async def test_deleted_text_is_on_no_disk(log: SqliteLog, tmp_path: Path) -> None:
    await write(log, ZERO, *[b"a confession " + b"x" * 3000] * 50)
    await write(log, ZERO, b"kept words", stream="table/two")
    await log.save_checkpoint(TABLE, Checkpoint(Cursor(1, 50), b"a confession, folded"))
    await log.delete(TABLE)
    stored = contents(tmp_path)
    assert b"confession" not in stored
    assert b"kept words" in stored


async def test_what_the_store_showed_first_is_not_delivered_again_when_published(log: SqliteLog) -> None:
    tail = LocalTail(log, set())  # no member of the log's audience: it hears what we tell it
    records = [Record(Cursor(1, seq), b"x") for seq in range(1, 5)]
    last = await write(log, ZERO, b"x", b"x")
    await tail.add(TABLE, ZERO)
    assert await anext(tail) == (TABLE, records[:2])
    tail.publish(TABLE, records[:1])
    await write(log, last, b"x")
    assert await anext(tail) == (TABLE, records[2:3])  # from here on it is current
    for record in records[1:]:
        tail.publish(TABLE, [record])
    assert await anext(tail) == (TABLE, records[3:])


async def test_what_a_tail_holds_is_bounded(log: SqliteLog) -> None:
    tail = LocalTail(log, set())
    await tail.add(TABLE, ZERO)
    tail.publish(TABLE, [Record(Cursor(1, 1), b"")])
    await write(log, ZERO, b"")
    await anext(tail)
    most = 0
    for seq in range(2, 100):
        tail.publish(TABLE, [Record(Cursor(1, seq), b"x" * 100_000)])
        most = max(most, tail._buffer.size)
    assert MAX_BUFFER / 2 < most <= MAX_BUFFER
    tail.remove(TABLE)
    assert tail._buffer.size == 0


async def test_what_follows_a_deletion_is_committed_when_the_tails_know_of_it(log: SqliteLog) -> None:
    last = await write(log, ZERO, b"a", b"b")
    commits = commits_of(log)
    with together():
        await asyncio.gather(
            write(log, last, b"c"),
            log.delete(TABLE),
            write(log, ZERO, b"again"),
            write(log, ZERO, b"x", stream="t/2"),
        )
    assert len(commits) == 2


async def test_a_stream_deleted_by_a_commit_of_unclear_outcome_ends_for_its_tails(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = await log.tail()
    await tail.add(TABLE, ZERO)
    await write(log, ZERO, b"x" * MAX_BUFFER, b"y")  # too much to be held: it is read from the store
    with monkeypatch.context() as failing:
        failing.setattr(log._writer, "_connection", Unclear(log._connection))
        with pytest.raises(LogUnavailable):
            await log.delete(TABLE)
    async with asyncio.timeout(10):
        assert await anext(aiter(tail)) == (TABLE, [])


async def test_forgotten_ends_are_read_again(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "MAX_HEADS", 2)
    ends = dict.fromkeys((f"table/{i}" for i in range(8)), ZERO)
    for _ in range(3):
        for stream, end in ends.items():
            with pytest.raises(Conflict):
                await write(log, end.next(1), b"gap", stream=stream)
            ends[stream] = await write(log, end, b"on", stream=stream)
    assert set(ends.values()) == {Cursor(1, 3)}


async def test_appends_wait_for_room_and_none_is_lost(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "MAX_WAITING", 1000)
    appends = [asyncio.create_task(write(log, ZERO, b"x" * 400, stream=f"table/{i}")) for i in range(40)]
    await asyncio.sleep(0)  # all have asked
    assert log._writer._waiting < 2000
    assert await asyncio.gather(*appends) == [Cursor(1, 1)] * 40


async def test_close_finishes_what_it_accepted_and_refuses_the_rest(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    tail = await log.tail()
    accepted = [asyncio.create_task(write(log, ZERO, b"x", stream=f"table/{i}")) for i in range(20)]
    await asyncio.sleep(0)  # all have been accepted
    await log.close()
    await log.close()
    assert await asyncio.gather(*accepted) == [Cursor(1, 1)] * 20
    assert [item async for item in tail] == []
    for refused in (write(log, ZERO, b"x"), log.read(TABLE, 0)):
        with pytest.raises(LogUnavailable, match="closed"):
            await refused
    log = await SqliteLog.open(tmp_path)
    assert len(await log.streams("table")) == 20
    await log.close()


async def test_close_refuses_those_who_wait_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "MAX_WAITING", 0)
    log = await SqliteLog.open(tmp_path)
    appends = [asyncio.create_task(write(log, ZERO, b"x", stream=f"table/{i}")) for i in range(3)]
    await asyncio.sleep(0)
    await log.close()
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert outcomes[0] == Cursor(1, 1)
    assert all(isinstance(outcome, LogUnavailable) for outcome in outcomes[1:])
