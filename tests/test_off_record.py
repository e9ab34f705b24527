"""Tables off the record: held, read and resumed like any other, and on no disk, neither while they live nor after."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol import codec, commands
from protocol import events as e
from protocol.asked import AskedLimits, AskedSeat
from protocol.cursor import ZERO
from protocol.errors import Invalid, LogUnavailable, NotFound
from protocol.transcript import Transcript, fold
from providers.catalog import Catalog
from roundtable.hosting import inbox, off_record
from roundtable.hosting.convening import Convene
from roundtable.hosting.host import Host, stream
from roundtable.log.memory import MemoryLog
from roundtable.log.split import SplitLog, is_off_record
from roundtable.log.sqlite import SqliteLog
from tests.readers import records
from tests.tables import until

SECRET = "the merger with Acme"
ADA = AskedSeat("Ada", "scripted:ada", options={"text": f"I say nothing of {SECRET}.", "rate": 0})

BEN = AskedSeat("Ben", "scripted:ben")


@asynccontextmanager
async def house(folder: Path, max_bytes: int = 1 << 20) -> AsyncIterator[tuple[SplitLog, Host]]:
    log = SplitLog(await SqliteLog.open(folder), MemoryLog(max_bytes))
    host = Host(log, Catalog({}))
    await host.start()
    try:
        yield log, host
    finally:
        await host.close()
        await log.close()


def ask(**more: Any) -> Convene:
    asked = Convene(f"What of {SECRET}?", [ADA], limits=AskedLimits(max_turns=2), record=False)
    return msgspec.structs.replace(asked, **more)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def status(wanted: str) -> Callable[[Transcript], bool]:
    return lambda transcript: transcript.status == wanted


async def test_nothing_of_it_is_on_any_disk_and_after_a_restart_it_never_was(tmp_path: Path) -> None:
    async with house(tmp_path) as (log, host):
        kept = await host.convene(Convene(topic="What may be known?", panel=[BEN]))
        opened = await host.convene(ask(then="rest"))
        await until(log, stream(opened.id), status("resting"))
        await host.submit(opened.id, "k", commands.Say(text=f"More of {SECRET}"))
        await until(log, stream(opened.id), lambda table: len(table.turns) > 2)
        await host.submit(opened.id, "c", commands.Close())
        await until(log, stream(opened.id), status("closed"))
        assert (await host.transcript(opened.id)).record is False  # folded, so a checkpoint was saved
        listed = {table.id: table.record for table in (await host.summaries()).tables}
        assert listed == {kept.id: True, opened.id: False}
        living = on_disk(tmp_path)
        assert (b"may be known" in living, SECRET.encode() in living, opened.id.encode() in living) == (
            True,
            False,
            False,
        )
    assert SECRET.encode() not in on_disk(tmp_path)
    assert opened.id.encode() not in on_disk(tmp_path)
    async with house(tmp_path) as (_, host):
        with pytest.raises(NotFound):
            await host.transcript(opened.id)
        assert [table.id for table in (await host.summaries()).tables] == [kept.id]


async def test_it_says_so_in_its_id_and_its_opening_and_reads_like_any_other(tmp_path: Path) -> None:
    async with house(tmp_path) as (log, host):
        opened = await host.convene(ask())
        table = await until(log, stream(opened.id), status("closed"))
        assert is_off_record(opened.id)
        assert is_off_record(stream(opened.id))
        assert is_off_record(inbox.stream(opened.id))
        entries = [codec.decode_body(*record) for record in await log.read(stream(opened.id), 0)]
        assert isinstance(entries[1].event, e.TableOpened)
        assert not entries[1].event.record
        assert await log.has(stream(opened.id), entries[3].cursor)
        assert fold(entries) == table == await host.transcript(opened.id)


async def test_a_log_that_keeps_everything_refuses_it(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    host = Host(log, Catalog({}))
    await host.start()
    with pytest.raises(Invalid, match="off the record") as refusal:
        await host.convene(ask())
    assert refusal.value.field == "record"
    assert await log.streams("table") == []
    await host.close()
    await log.close()


# Room


async def put(log: MemoryLog, name: str, size: int, *, closed: bool) -> None:
    events: list[e.Event] = [e.TermBegan(owner="x" * size)]
    if closed:
        events.append(e.TableClosed(reason="command"))
    await log.append(f"table/{name}", ZERO, records(events))
    await log.append(f"inbox/{name}", ZERO, records(events[:1]))


async def test_the_oldest_that_are_over_give_way_and_the_others_stay() -> None:
    log = MemoryLog(110_000)
    for name, closed in (("a", False), ("b", True), ("c", True), ("d", True), ("e", False)):
        await put(log, name, 8_000, closed=closed)
    await off_record.make_room(log)
    assert await log.streams("table") == ["table/e", "table/d", "table/a"]
    assert await log.streams("inbox") == ["inbox/e", "inbox/d", "inbox/a"]
    assert log.size <= 55_000
    await off_record.make_room(log)
    assert len(await log.streams("table")) == 3


async def test_where_those_under_way_need_the_room_no_other_begins(tmp_path: Path) -> None:
    async with house(tmp_path, max_bytes=100_000) as (log, host):
        await put(log.volatile, "a-off-record", 26_000, closed=False)
        with pytest.raises(LogUnavailable, match="Close one"):
            await host.convene(ask())
        await host.convene(ask(record=True))
