"""Moving a library between stores, also while it is in use, interrupted, or in part there already; and backups."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, LogDamaged, LogError, LogUnavailable
from roundtable.log import copying
from roundtable.log.backup import backup, restore
from roundtable.log.base import Checkpoint, EventLog, Outcome, Record
from roundtable.log.copying import Copied, copy
from roundtable.log.memory import MemoryLog
from roundtable.log.sqlite import SqliteLog
from tests.readers import records
from tests.test_log import STORES, batch, everything, write

PAIRS = list(product(("sqlite", "memory"), repeat=2))
Library = dict[str, list[Record]]


@pytest.fixture(params=PAIRS, ids="-".join)
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[EventLog, EventLog]]:
    source, target = [await STORES[name](tmp_path / str(at)) for at, name in enumerate(request.param)]
    yield source, target
    await source.close()
    await target.close()


async def library(log: EventLog) -> Library:
    """All that a log holds."""
    names = [name for kind in copying.KINDS for name in await log.streams(kind, limit=1000)]
    return {name: await everything(log, name) for name in names}


async def furnish(log: EventLog) -> Library:
    """Tables of several terms and sizes, open and closed, with inboxes."""
    for number in range(5):
        last = (await write(log, f"table/{number}", 3 * number + 1, size=30))[-1].cursor
        await log.append(f"table/{number}", last, batch(last, b"\x00\xff", b"", term=9))
        if number % 2:
            await write(log, f"inbox/{number}", number)
    opening: list[e.Event] = [e.TermBegan(owner="test")]
    await log.append("table/open", ZERO, records(opening))
    await log.append("table/closed", ZERO, records([*opening, e.TableClosed(reason="command")]))
    await write(log, "table/big", 5, size=200_000)
    await log.save_checkpoint("table/big", Checkpoint(Cursor(1, 5), b"fold"))
    return await library(log)


async def test_everything_is_there_at_its_cursor_and_a_second_time_there_is_nothing_to_do(
    pair: tuple[EventLog, EventLog],
) -> None:
    source, target = pair
    held = await furnish(source)
    await write(source, "table/2-off-record", 2)
    heard: list[Copied] = []
    copied = await copy(source, target, heard.append)
    assert await library(target) == held
    assert copied == heard[-1]
    assert copied == Copied(
        total=len(held),
        streams=len(held),
        records=sum(map(len, held.values())),
        size=sum(len(record.body) for stream in held.values() for record in stream),
    )
    assert await target.checkpoint("table/big") is None
    again = await copy(source, target)
    assert (again.streams, again.already, again.records) == (len(held), len(held), 0)


async def test_tables_that_are_not_closed_need_an_owner_there_and_nobody_loses_his(
    pair: tuple[EventLog, EventLog],
) -> None:
    source, target = pair
    held = await furnish(source)
    await target.leases.claim(["table/2"], "ada", 3600)
    await copy(source, target)
    tables = {name for name in held if name.startswith("table/")}
    assert set(await target.leases.abandoned()) == tables - {"table/closed", "table/2"}


async def test_a_library_is_copied_while_it_is_written(pair: tuple[EventLog, EventLog]) -> None:
    source, target = pair
    tables = [str(number) for number in range(4)]
    stop = asyncio.Event()

    async def hold(table: str) -> None:
        """Each command goes to the inbox and is acted on: the table's record names its position."""
        done = acted = ZERO
        while not stop.is_set():
            done = (await write(source, f"inbox/{table}", 1, done))[-1].cursor
            record = batch(acted, b"%d" % done.seq + b"." * 3000)
            await source.append(f"table/{table}", acted, record)
            acted = record[-1].cursor
            await asyncio.sleep(0)

    def progress(copied: Copied) -> None:
        if copied.streams == len(tables):
            stop.set()

    holding = [asyncio.create_task(hold(table)) for table in tables]
    while len(await source.streams("table")) < len(tables):  # noqa: ASYNC110 - the log tells nobody
        await asyncio.sleep(0)
    copied = await copy(source, target, progress)
    stop.set()
    await asyncio.gather(*holding)
    assert not copied.refused
    there, whole = await library(target), await library(source)
    for table in tables:
        for stream in (f"table/{table}", f"inbox/{table}"):
            assert there[stream] == whole[stream][: len(there[stream])]
        acted_on = int(there[f"table/{table}"][-1].body.split(b".")[0])
        assert len(there[f"inbox/{table}"]) >= acted_on
    await copy(source, target)
    assert await library(target) == whole


class Interrupted(Exception):
    """As if the process had ended there."""


class Progress:
    """Interrupts a copy once it has written more than `left` pages."""

    def __init__(self) -> None:
        self.left = 0
        self.records = 0  # of all attempts together
        self._before = 0

    def __call__(self, copied: Copied) -> None:
        written, self._before = copied.records - self._before, copied.records
        if not written:
            return
        self.records += written
        self.left -= 1
        if self.left < 0:
            self._before = 0
            raise Interrupted


async def test_an_interrupted_copy_is_continued(pair: tuple[EventLog, EventLog]) -> None:
    source, target = pair
    held = await furnish(source)
    progress, copied = Progress(), Copied()
    while not copied.streams:
        progress.left = 4
        try:
            copied = await copy(source, target, progress)
        except Interrupted:
            there = await library(target)
            assert all(held[name][: len(stream)] == stream for name, stream in there.items())
            assert sum(map(len, there.values())) == progress.records
    assert await library(target) == held
    assert 0 < copied.already < len(held) == copied.streams


async def test_what_goes_on_differently_is_refused_and_left_alone(pair: tuple[EventLog, EventLog]) -> None:
    source, target = pair
    held = await furnish(source)
    other = (await write(target, "table/2", 3, size=31))[:]  # the same cursors, other words
    await target.append("table/3", ZERO, held["table/3"][:4])
    await target.append("table/4", ZERO, [*held["table/4"], *batch(held["table/4"][-1].cursor, b"more")])
    copied = await copy(source, target)
    assert [refusal.stream for refusal in copied.refused] == ["table/2"]
    assert "table/2" in copied.refused[0].detail
    there = await library(target)
    assert there.pop("table/2") == other
    assert there.pop("table/4")[:-1] == held["table/4"]  # somebody has gone on with it: it holds all of ours
    assert there == {name: stream for name, stream in held.items() if name not in ("table/2", "table/4")}
    assert (copied.total, copied.streams, copied.already) == (len(held), len(held) - 1, 1)


Sizes = st.lists(
    st.tuples(st.lists(st.binary(max_size=9), min_size=1, max_size=9), st.integers(0, 9)), max_size=6
)


@given(Sizes)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_was_there_of_it_the_copy_is_the_original(
    streams: list[tuple[list[bytes], int]],
) -> None:
    source, target = MemoryLog(), MemoryLog()
    for number, (bodies, begun) in enumerate(streams):
        made = batch(ZERO, *bodies)
        await source.append(f"table/{number}", ZERO, made)
        if begun:
            await target.append(f"table/{number}", ZERO, made[:begun])
    copied = await copy(source, target)
    assert await library(target) == await library(source)
    assert (copied.streams, copied.refused) == (len(streams), ())


async def test_another_library_is_not_compared_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "MAX_REFUSED", 3)
    source, target = MemoryLog(), MemoryLog()
    for number in range(9):
        await write(source, f"table/{number}", 2)
        await write(target, f"table/{number}", 2, size=3)
    with pytest.raises(LogError, match="3 streams could not be copied"):
        await copy(source, target)


async def test_a_table_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    source, target = await SqliteLog.open(tmp_path), MemoryLog()
    held = await furnish(source)
    await source.close()
    database = sqlite3.connect(tmp_path / "roundtable.db")
    with database:
        (big,) = database.execute("SELECT id FROM streams WHERE name = 'table/big'").fetchone()
        database.execute("DELETE FROM entries WHERE seq = 3 AND stream_id = ?", (big,))
    database.close()
    source = await SqliteLog.open(tmp_path)
    copied = await copy(source, target)
    await source.close()
    assert [refusal.stream for refusal in copied.refused] == ["table/big"]
    del held["table/big"]
    assert {name: stream for name, stream in (await library(target)).items() if name != "table/big"} == held


class Forgetful(MemoryLog):
    """Its table `big` is deleted once it was read in part."""

    async def read(
        self, stream: str, after_seq: int, *, limit: int = 1000, max_bytes: int = 256 * 1024
    ) -> list[Record]:
        page = await super().read(stream, after_seq, limit=limit, max_bytes=max_bytes)
        if stream == "table/big" and after_seq:
            await self.delete(stream)
            return []
        return page


async def test_a_table_deleted_while_it_is_read_does_not_live_on_in_the_copy() -> None:
    source, target = Forgetful(), MemoryLog()
    held = await furnish(source)
    copied = await copy(source, target)
    assert held.keys() - (await library(target)).keys() == {"table/big"}
    assert copied.refused == ()


class Unfaithful(MemoryLog):
    """Keeps something other than what it was given."""

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        if stream == "table/3":
            batch = [*batch[:-1], Record(batch[-1].cursor, b"?")]
        return await super().append(stream, expected, batch)


async def test_a_copy_is_read_again_before_it_counts() -> None:
    source, target = MemoryLog(), Unfaithful()
    held = await furnish(source)
    copied = await copy(source, target)
    assert [refusal.stream for refusal in copied.refused] == ["table/3"]
    assert copied.streams == len(held) - 1


# Backups


async def test_a_backup_is_one_private_file_that_is_restored_as_it_was(
    pair: tuple[EventLog, EventLog], tmp_path: Path
) -> None:
    source, target = pair
    held = await furnish(source)
    file = tmp_path / "away" / "library.db"
    heard: list[Copied] = []
    saved = await backup(source, file, heard.append)
    assert saved == heard[-1]
    assert [path.name for path in file.parent.iterdir()] == ["library.db"]
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o400)
    restored = await restore(file, target)
    assert await library(target) == held
    assert restored == saved
    assert "table/open" in await target.leases.abandoned()
    assert [path.name for path in file.parent.iterdir()] == ["library.db"]


async def test_a_backup_does_not_replace_a_file_unless_it_is_told_to(tmp_path: Path) -> None:
    source, file = MemoryLog(), tmp_path / "library.db"
    await write(source, "table/one", 1)
    file.write_text("precious")
    with pytest.raises(Invalid, match="exists already"):
        await backup(source, file)
    assert file.read_text() == "precious"
    await backup(source, file, replace=True)
    view = await SqliteLog.view(file)
    assert len(await view.read("table/one", 0)) == 1
    await view.close()


async def test_a_backup_that_is_interrupted_leaves_nothing_and_what_one_that_was_killed_left_is_not_in_the_next(
    tmp_path: Path,
) -> None:
    source, file = MemoryLog(), tmp_path / "library.db"
    held = await furnish(source)

    def stop(copied: Copied) -> None:
        if copied.streams > 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        await backup(source, file, stop)
    assert list(tmp_path.iterdir()) == []
    killed = await SqliteLog.open(tmp_path / ".library.db.partial")
    await write(killed, "table/deleted-since", 3)
    with pytest.raises(LogUnavailable, match="is using"):
        await backup(source, file)  # no: it is still at work
    await killed.close()
    await backup(source, file)
    assert [path.name for path in tmp_path.iterdir()] == ["library.db"]
    view = await SqliteLog.view(file)
    assert await library(view) == held
    await view.close()


async def test_a_damaged_backup_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source, file = MemoryLog(), tmp_path / "library.db"
    for number in range(3):
        await source.append(f"table/{number}", ZERO, batch(ZERO, *[b"words" * 50] * 200))
    held = await library(source)
    await backup(source, file)
    whole = file.read_bytes()
    damaged = [whole[: len(whole) // 2], whole[:-1], whole[:-4096], b"", b"no database" * 999]
    damaged += [
        whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :]
        for at in range(16, len(whole), len(whole) // 60)
    ]
    refused = 0
    for content in damaged:
        file.write_bytes(content)
        target = MemoryLog()
        try:
            await restore(file, target)
        except LogError:
            assert await library(target) == {}
            refused += 1
        else:
            assert await library(target) == held  # it was where nothing is kept
    assert refused > len(damaged) // 2


async def test_a_word_that_was_changed_in_a_backup_is_found(tmp_path: Path) -> None:
    source, file = MemoryLog(), tmp_path / "library.db"
    await source.append("table/one", ZERO, batch(ZERO, b"I said yes to this."))
    await backup(source, file)
    file.write_bytes(file.read_bytes().replace(b"said yes", b"said no."))
    with pytest.raises(LogDamaged, match="digest"):
        await restore(file, source)


async def test_a_database_without_a_seal_is_restored_and_a_library_that_is_used_has_none(
    tmp_path: Path,
) -> None:
    source, file = MemoryLog(), tmp_path / "roundtable.db"
    held = await furnish(source)
    await backup(source, file)
    log = await SqliteLog.open(tmp_path)  # the backup itself is used as a library, and goes on
    assert await library(log) == held
    held |= {"table/new": await write(log, "table/new", 2)}
    await log.close()
    target = MemoryLog()
    await restore(file, target)
    assert await library(target) == held


async def test_there_must_be_a_file_to_restore(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(LogUnavailable, match=f"no log at {path}"):
            await restore(path, MemoryLog())


# A library that is in use, for reading


async def test_a_view_reads_what_a_server_acknowledged_and_writes_nothing(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    view = await SqliteLog.view(tmp_path)
    for _ in range(3):
        last = await log.last("table/one")
        written = await write(log, "table/one", 2, last.cursor if last else ZERO)
        assert await view.last("table/one") == written[-1]
    assert await view.streams("table") == ["table/one"]
    before = (tmp_path / "roundtable.db-wal").read_bytes()
    for refused in (
        view.append("table/one", ZERO, batch(ZERO, b"x")),
        view.delete("table/one"),
        view.tail(),
    ):
        with pytest.raises(LogUnavailable, match="reading only"):
            await refused
    await view.save_checkpoint("table/one", Checkpoint(Cursor(1, 1), b"fold"))
    assert await view.checkpoint("table/one") is None
    assert await view.leases.claim(["table/one"], "ada", 60) == set()
    assert await view.leases.abandoned() == []
    assert (tmp_path / "roundtable.db-wal").read_bytes() == before
    await log.close()
    assert len(await everything(view, "table/one")) == 6  # also when the server has gone
    await view.close()
    await (await SqliteLog.open(tmp_path)).close()


async def test_a_view_of_what_is_no_library_says_so(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="no log at"):
        await SqliteLog.view(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(LogUnavailable, match="no log of roundtable"):
        await SqliteLog.view(tmp_path / "empty")
    (tmp_path / "letter").write_bytes(b"Dear Ada, " * 1000)
    with pytest.raises(LogDamaged):
        await SqliteLog.view(tmp_path / "letter")
