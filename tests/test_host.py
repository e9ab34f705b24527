"""Convening, steering, waking and taking over, on the real store; the inbox and the snapshots behind them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol import codec, commands
from protocol import events as e
from protocol.asked import AskedLimits, AskedSeat
from protocol.cursor import ZERO, Cursor
from protocol.errors import CallerError, Invalid, KeyReused, LogDamaged, LogUnavailable, NotFound, WrongState
from protocol.transcript import Transcript, fold
from providers.catalog import Catalog
from roundtable.hosting import convening, inbox, snapshots
from roundtable.hosting.convening import MAX_TOPIC, Convene
from roundtable.hosting.host import Host, stream
from roundtable.hosting.inbox import Inbox
from roundtable.hosting.snapshots import Snapshots
from roundtable.log.base import Checkpoint, EventLog, Record
from roundtable.log.sqlite import SqliteLog
from tests.tables import AT, until

MUTE = AskedSeat("Ada", "scripted:ada", options={"ttft": 3600})
QUICK = AskedSeat("Ben", "scripted:ben", options={"text": "Yes.", "rate": 0})


def closed(table: Transcript) -> bool:
    return table.status == "closed"


def resting(table: Transcript) -> bool:
    return table.status == "resting"


def speaking(table: Transcript) -> bool:
    return bool(table.of("started"))


def deep(levels: int) -> object:
    """JSON nested so deep."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


class House:
    """A host over a store in a folder; `again` is the same folder after the process has died."""

    def __init__(self, log: SqliteLog) -> None:
        self.log = log
        self.host = Host(log, Catalog({}))

    async def entries(self, table: str) -> list[e.Entry]:
        records = await self.log.read(stream(table), 0, limit=10_000)
        return [codec.decode_body(*record) for record in records]

    async def until(self, table: str, reached: Callable[[Transcript], object]) -> Transcript:
        return await until(self.log, stream(table), reached)


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    log = await SqliteLog.open(folder)
    rooms = House(log)
    await rooms.host.start()
    try:
        yield rooms
    finally:
        await rooms.host.close()
        await log.close()


def ask(*panel: AskedSeat, **more: Any) -> Convene:
    return Convene(topic="Why?", panel=list(panel) or [MUTE], **more)


# -- convening ---------------------------------------------------------------------------------------------------


async def test_a_table_is_held_to_its_end_and_listed(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        first = await rooms.host.convene(ask(QUICK, limits=AskedLimits(max_turns=2)))
        await rooms.until(first.id, closed)
        second = await rooms.host.convene(ask())
        listed = (await rooms.host.summaries()).tables
        assert [summary.id for summary in listed] == [second.id, first.id]
        assert [summary.id for summary in (await rooms.host.summaries(before=second.id)).tables] == [first.id]
        assert (listed[1].reason, listed[1].turns, listed[1].panel[0].name) == ("max_turns", 2, "Ben")
        opened = (await rooms.entries(first.id))[1]
        assert (opened.cursor, codec.event_type(opened.event)) == (first.cursor, "table.opened")


async def test_nothing_asked_for_is_the_default_panel_and_a_limit_that_is_shown(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        opened = await rooms.host.convene(Convene(topic="Soll man das tun?"))
        table = await rooms.host.transcript(opened.id)
        assert len(table.panel) >= 3
        assert table.limits.max_rounds == 3


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"topic": " \n"}, "topic"),
        ({"topic": "\u200b\u200e"}, "topic"),
        ({"topic": "x" * (MAX_TOPIC + 1)}, "topic"),
        ({"panel": []}, "panel"),
        ({"panel": [MUTE] * 13}, "panel"),
        ({"panel": [MUTE, AskedSeat("ADA", "scripted:x")]}, "panel[1].name"),
        ({"panel": [AskedSeat("", "scripted:x")]}, "panel[0].name"),
        ({"panel": [AskedSeat("A\nB", "scripted:x")]}, "panel[0].name"),
        ({"panel": [AskedSeat("[A]", "scripted:x")]}, "panel[0].name"),
        ({"panel": [AskedSeat("A", "nobody:x")]}, "panel[0].model"),
        ({"panel": [AskedSeat("A", "scripted")]}, "panel[0].model"),
        ({"panel": [AskedSeat("A", "openai:gpt-x")]}, "panel[0].model"),
        ({"panel": [AskedSeat("A", "scripted:x", "p" * 5_000)]}, "panel[0].persona"),
        ({"panel": [AskedSeat("A", "scripted:x", options={"tempo": 1})]}, "panel[0].options.tempo"),
        ({"panel": [AskedSeat("A", "scripted:x", options={"tool": deep(40)})]}, "panel[0].options"),
        ({"panel": [AskedSeat("\u00e9", "scripted:x"), AskedSeat("e\u0301", "scripted:x")]}, "panel[1].name"),
        ({"panel": [AskedSeat("host", "scripted:x")]}, "panel[0].name"),
        ({"policy": "anarchy"}, "policy"),
        ({"limits": AskedLimits(max_turns=0)}, "limits.max_turns"),
        ({"limits": AskedLimits(max_dollars=-1)}, "limits.max_dollars"),
    ],
)
async def test_what_cannot_be_convened_names_the_field_and_leaves_nothing(
    tmp_path: Path, wrong: dict[str, Any], field: str
) -> None:
    async with house(tmp_path) as rooms:
        with pytest.raises(Invalid) as caught:
            await rooms.host.convene(msgspec.structs.replace(ask(), **wrong))
        assert caught.value.field == field
        assert await rooms.log.streams("table") == []


async def test_dollars_alone_bound_nothing_so_rounds_do_too(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        opened = await rooms.host.convene(ask(QUICK, limits=AskedLimits(max_dollars=0.01)))
        assert (await rooms.until(opened.id, closed)).ended_reason == "max_rounds"


async def test_with_no_room_for_it_a_table_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise LogUnavailable("The disk is full.")

    async with house(tmp_path) as rooms:
        with monkeypatch.context() as patch:
            patch.setattr(rooms.log, "append", full)
            with pytest.raises(LogUnavailable):
                await rooms.host.convene(ask())
        assert (await rooms.host.summaries()).tables == []


async def test_one_table_that_cannot_be_read_costs_neither_the_list_nor_the_next_try(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        good = (await rooms.host.convene(ask())).id
        records = [
            Record(Cursor(1, 1), codec.encode_body(e.TermBegan(owner="x"), AT)),
            Record(Cursor(1, 2), b"rubbish"),
        ]
        await rooms.log.append("table/sz", ZERO, records)
        listed = await rooms.host.summaries()
        assert ([summary.id for summary in listed.tables], listed.unreadable) == ([good], ["sz"])
        assert await rooms.host.summaries(limit=1) == ([], ["sz"], "sz")  # nor what comes after it
        for _ in range(2):  # the same error again: the fold was not left half done
            with pytest.raises(LogDamaged):
                await rooms.host.transcript("sz")


def test_ids_order_by_time_and_do_not_repeat() -> None:
    ids = [convening.new_id(AT + second) for second in range(200)]
    assert ids == sorted(set(ids))
    assert len({convening.new_id(AT) for _ in range(1_000)}) == 1_000
    assert {len(each) for each in ids} == {16}


# -- commands ----------------------------------------------------------------------------------------------------


async def test_a_command_has_one_effect_however_often_it_is_sent(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        table = (await rooms.host.convene(ask())).id
        receipts = await asyncio.gather(
            *(rooms.host.submit(table, "k", commands.Say("Hi")) for _ in range(5))
        )
        assert len({(receipt.position, receipt.entry) for receipt in receipts}) == 1
        assert len((await rooms.host.transcript(table)).messages) == 1
        with pytest.raises(KeyReused):
            await rooms.host.submit(table, "k", commands.Say("Other"))


async def test_wrong_commands_are_told_why_and_change_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        table = (await rooms.host.convene(ask())).id
        wrong: list[tuple[commands.ANY, type[CallerError]]] = [
            (commands.Resume(), WrongState),
            (commands.Cancel("t77"), WrongState),
            (commands.Say(" "), Invalid),
            (commands.Say("x" * 30_000), Invalid),
            (commands.Say("x", to="Nobody"), Invalid),
            (commands.Say("x", author="<b>"), Invalid),
            (commands.Say("x", author="ADA"), Invalid),
        ]
        for number, (command, error) in enumerate(wrong):
            with pytest.raises(error):
                await rooms.host.submit(table, f"k{number}", command)
        with pytest.raises(WrongState):  # the same answer again
            await rooms.host.submit(table, "k0", commands.Resume())
        with pytest.raises(NotFound):
            await rooms.host.submit("nowhere", "k", commands.Pause())
        assert (await rooms.host.transcript(table)).status == "open"


async def test_after_the_end_only_what_was_done_before_is_answered(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        table = (await rooms.host.convene(ask())).id
        done = await rooms.host.submit(table, "end", commands.Close())
        await rooms.until(table, closed)
        assert await rooms.host.submit(table, "end", commands.Close()) == done
        with pytest.raises(WrongState):
            await rooms.host.submit(table, "late", commands.Say("Wait!"))
        assert codec.event_type((await rooms.entries(table))[-1].event) == "table.closed"


async def test_a_word_wakes_a_resting_table(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        table = (await rooms.host.convene(ask(QUICK, then="rest", limits=AskedLimits(max_turns=1)))).id
        await rooms.until(table, resting)
        receipt = await rooms.host.submit(table, "k", commands.Say("And then?"))
        assert receipt.entry is not None
        await rooms.until(table, lambda found: found.status == "resting" and found.spent.turns == 2)


# -- going on after a death ----------------------------------------------------------------------------------------


async def test_open_tables_go_on_and_ended_ones_stay(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        done = (await rooms.host.convene(ask(QUICK, limits=AskedLimits(max_turns=1)))).id
        await rooms.until(done, closed)
        going = (await rooms.host.convene(ask(MUTE, QUICK, limits=AskedLimits(max_turns=2)))).id
        await rooms.until(going, speaking)
        paused = (await rooms.host.convene(ask(MUTE))).id
        await rooms.host.submit(paused, "k", commands.Pause())
        ended = await rooms.entries(done)
    async with house(tmp_path) as rooms:
        transcript = await rooms.until(going, closed)
        assert [turn.status for turn in transcript.turns] == ["failed", "completed"]
        assert await rooms.entries(done) == ended
        assert (await rooms.host.transcript(paused)).status == "paused"
        await rooms.host.submit(paused, "k2", commands.Resume())


async def test_a_table_that_cannot_be_read_keeps_no_other_from_going_on(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        going = (await rooms.host.convene(ask(MUTE, QUICK, limits=AskedLimits(max_turns=2)))).id
        await rooms.until(going, speaking)
        await rooms.log.append("table/sz", ZERO, [Record(Cursor(1, 1), b"rubbish")])
    async with house(tmp_path) as rooms:
        await rooms.until(going, closed)


async def test_a_command_accepted_and_not_acted_on_is_acted_on_by_the_next_owner(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        table = (await rooms.host.convene(ask(QUICK, then="rest", limits=AskedLimits(max_turns=1)))).id
        await rooms.until(table, resting)
        # What a node does that dies before it has looked after the table.
        while not await rooms.log.leases.claim([stream(table)], "a node that died", 60):
            pass  # its owner is just leaving it
        await Inbox(rooms.log, table, lambda: AT).submit("k", commands.Say("Anyone?"))
    async with house(tmp_path) as rooms:
        await rooms.until(table, lambda found: found.messages)


async def test_what_others_left_open_stays_theirs_unless_asked(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        table = (await rooms.host.convene(ask())).id
        await rooms.until(table, speaking)
    log = await SqliteLog.open(tmp_path)
    host = Host(log, Catalog({}))
    await host.start(take_over=False)
    assert (await host.transcript(table)).of("started")
    await host.close()
    await log.close()


# -- the inbox and the snapshots -----------------------------------------------------------------------------------


async def test_two_nodes_write_one_inbox_and_a_key_counts_on_both(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    boxes = [Inbox(log, "t", lambda: AT) for _ in range(2)]
    work = [box.submit(f"k{number}", commands.Say(str(number))) for number in range(20) for box in boxes]
    positions = await asyncio.gather(*work)
    assert sorted(positions) == sorted([*range(1, 21)] * 2)
    with pytest.raises(KeyReused):
        await boxes[1].submit("k3", commands.Pause())
    await log.close()


async def test_an_inbox_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_COMMANDS", 2)
    log = await SqliteLog.open(tmp_path)
    box = Inbox(log, "t", lambda: AT)
    await box.submit("a", commands.Pause())
    await box.submit("b", commands.Pause())
    with pytest.raises(WrongState) as caught:
        await box.submit("c", commands.Pause())
    assert caught.value.code == "inbox_full"
    assert await box.submit("a", commands.Pause()) == 1
    assert await box.submit("d", commands.Close()) == 3
    await log.close()


async def test_a_snapshot_is_the_fold_of_the_log_with_and_without_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "CHECKPOINT_EVERY", 3)
    async with house(tmp_path) as rooms:
        seats = [QUICK, AskedSeat("Cleo", "scripted:c", options={"error": "auth"})]
        table = (await rooms.host.convene(ask(*seats, limits=AskedLimits(max_turns=5)))).id
        await rooms.until(table, closed)
        expected = codec.encode(fold(await rooms.entries(table)))
        fresh = await Snapshots(rooms.log).of(stream(table))
        again = await Snapshots(rooms.log).of(stream(table))  # from the checkpoint that the first one saved
        saved = await rooms.log.checkpoint(stream(table))
        assert saved is not None
        assert expected == codec.encode(fresh) == codec.encode(again) == saved.body


async def test_a_checkpoint_that_the_log_does_not_bear_out_is_not_used(tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        table = (await rooms.host.convene(ask(QUICK, limits=AskedLimits(max_turns=1)))).id
        await rooms.until(table, closed)
        entries = await rooms.entries(table)
        lost = Cursor(entries[-1].cursor.term, 900)
        log: EventLog = rooms.log
        await log.save_checkpoint(stream(table), Checkpoint(lost, codec.encode(Transcript(cursor=str(lost)))))
        found = await Snapshots(log).of(stream(table))
        assert codec.encode(found) == codec.encode(fold(entries))
        assert await Snapshots(log).of("table/none") is None
