"""Two nodes over one store, in one process: what may happen between any two of their steps is made to happen."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from protocol import codec, commands
from protocol import events as e
from protocol.asked import AskedLimits
from protocol.cursor import Cursor
from protocol.errors import LogUnavailable
from protocol.transcript import Transcript
from providers.catalog import Catalog
from roundtable.hosting import inbox
from roundtable.hosting.host import Host, stream
from roundtable.hosting.owners import NOBODY
from roundtable.log.base import EventLog, Outcome, Record
from roundtable.log.leases import LocalLeases
from roundtable.log.memory import MemoryLog
from roundtable.log.redis import RedisLog
from roundtable.log.redis_keys import partition
from tests.redis_server import RedisServer
from tests.tables import until
from tests.test_host import QUICK, ask, resting, speaking

Step = Callable[[], Awaitable[object]]


class Store(MemoryLog):
    """Runs the step that was put before a call, once; `now` is the clock of its leases."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.before: dict[str, Step] = {}
        self.leases = Leases(self)

    async def meet(self, call: str) -> None:
        if step := self.before.pop(call, None):
            await step()

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        await self.meet(f"append {stream.partition('/')[0]}")
        outcome = await super().append(stream, expected, batch)
        await self.meet("appended")
        return outcome

    async def last(self, stream: str) -> Record | None:
        await self.meet(f"last {stream.partition('/')[0]}")
        return await super().last(stream)


class Leases(LocalLeases):
    def __init__(self, store: Store) -> None:
        super().__init__(lambda: store.now)
        self.store = store

    async def claim(self, streams: Collection[str], holder: str, seconds: float) -> set[str]:
        if seconds == 0 and holder != NOBODY:
            await self.store.meet("let go")
        return await super().claim(streams, holder, seconds)

    async def release(self, stream: str, holder: str) -> None:
        await self.store.meet("let go")
        await self.store.meet("release")
        await super().release(stream, holder)


async def fail() -> None:
    raise LogUnavailable("The store is away.")


def waits_for(key: str) -> Callable[[Transcript], object]:
    return lambda table: key in table.commands


@asynccontextmanager
async def host(
    store: EventLog, *, take_over: bool = False, clock: Callable[[], float] = time.time
) -> AsyncIterator[Host]:
    node = Host(store, Catalog({}), clock=clock)
    await node.start(take_over=take_over)
    try:
        yield node
    finally:
        await node.close()


async def rested(store: Store, node: Host) -> str:
    """A table that has come to rest, and that nobody owns."""
    table = (await node.convene(ask(QUICK, then="rest", limits=AskedLimits(max_turns=1)))).id
    await at_rest(store, table)
    return table


async def at_rest(store: Store, table: str, after: str = "") -> None:
    """Until it rests, has done what `after` is the key of, and nobody owns it."""
    await until(store, stream(table), lambda found: resting(found) and (not after or after in found.commands))
    async with asyncio.timeout(20):
        while stream(table) in store.leases._leases:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


# -- accepted is acted on ------------------------------------------------------------------------------------------


async def test_a_command_that_comes_while_another_node_finds_nothing_to_do_is_acted_on() -> None:
    store = Store()
    async with host(store) as ada, host(store) as ben:
        table = await rested(store, ada)
        say = commands.Say("First.")
        await ada.submit(table, "k1", say, wait=20)
        await at_rest(store, table, "k1")
        store.before["release"] = lambda: ben.submit(table, "k2", commands.Say("Second."), wait=0)
        await ada.submit(table, "k1", say, wait=20)  # again, and there is nothing to do for it
        await until(store, stream(table), waits_for("k2"))


async def test_a_command_that_comes_as_a_table_rests_outlives_an_outage_at_that_moment() -> None:
    store = Store()
    async with host(store, take_over=True) as ada, host(store) as ben:

        async def late() -> None:
            await ben.submit(table, "k", commands.Say("And?"), wait=0)
            store.before["last inbox"] = fail

        store.before["let go"] = late
        table = (await ada.convene(ask(QUICK, then="rest", limits=AskedLimits(max_turns=1)))).id
        await until(store, stream(table), waits_for("k"))


@pytest.mark.parametrize("then", ["close", "rest"])
async def test_places_that_the_store_forgot_are_given_again_and_acted_on_again(then: str) -> None:
    store = Store()
    async with host(store) as ada:
        if then == "rest":
            table = await rested(store, ada)
        else:
            table = (await ada.convene(ask())).id
        for key in ("a", "b", "c"):
            await ada.submit(table, key, commands.Say(key), wait=20)
        if then == "rest":
            await at_rest(store, table, "c")
    records = store._streams[inbox.stream(table)].records
    del records[1:]
    async with host(store) as ben:
        for key in ("d", "e"):
            receipt = await ben.submit(table, key, commands.Say(key), wait=20)
            assert receipt.entry is not None
        assert [posted.text for posted in (await ben.transcript(table)).messages] == ["a", "b", "c", "d", "e"]


async def test_commands_are_heard_though_a_failover_lost_some_and_a_clock_is_behind(
    redis_server: RedisServer,
) -> None:
    async with AsyncExitStack() as nodes:
        logs = [await RedisLog.open(redis_server.url) for _ in range(2)]
        for log in logs:
            nodes.push_async_callback(log.close)
        ada = await nodes.enter_async_context(host(logs[0]))
        ben = await nodes.enter_async_context(host(logs[1], clock=lambda: time.time() - 600))
        table = (await ada.convene(ask())).id
        for key in ("a", "b"):
            await ada.submit(table, key, commands.Say(key))
        last = await logs[0].last(name := inbox.stream(table))
        redis_server.run("XDEL", partition(name).log(name), str(last and last.cursor))
        redis_server.kill()
        await asyncio.to_thread(redis_server.start)
        receipt = await ben.submit(table, "c", commands.Say("c"), wait=20)
        assert receipt.position == 2
        assert receipt.entry is not None


async def test_what_nobody_can_read_in_an_inbox_costs_that_command_alone() -> None:
    store = Store()
    async with host(store) as ada:
        table = (await ada.convene(ask())).id
        await ada.submit(table, "a", commands.Say("One."))
        await store.append(inbox.stream(table), *rubbish_after(await store.last(inbox.stream(table))))
        assert (await ada.submit(table, "b", commands.Say("Two."))).entry is not None
    async with host(store) as ben:
        assert (await ben.submit(table, "c", commands.Say("Three."))).entry is not None


def rubbish_after(record: Record | None) -> tuple[Cursor, list[Record]]:
    assert record is not None
    return record.cursor, [Record(record.cursor.next(), b"rubbish")]


# -- taking over ---------------------------------------------------------------------------------------------------


async def test_who_meets_an_owner_at_work_gives_the_lease_back() -> None:
    """An owner that was slow has lost its lease, and writes while another takes over."""
    store = Store()
    async with host(store) as ada, host(store) as ben:
        table = (await ada.convene(ask())).id
        await until(store, stream(table), speaking)
        store.now += 3
        store.before["append table"] = lambda: ada.submit(table, "k", commands.Say("Still here."), wait=20)
        await ben._owners.ensure(table)
        assert await store.leases.claim([stream(table)], ada._owners._node, 2)
        assert (await ben.submit(table, "k2", commands.Say("Fine."))).entry is not None
        assert [turn.status for turn in (await ben.transcript(table)).turns] == [
            "started"
        ]  # nobody's was lost


async def test_clocks_that_disagree_by_minutes_do_no_harm() -> None:
    store, table = Store(), ""
    for ahead in (600, -600, 0):
        async with host(store, take_over=True, clock=lambda by=ahead: time.time() + by) as node:  # type: ignore[misc]
            if not table:
                table = (await node.convene(ask())).id
            assert (await node.submit(table, str(ahead), commands.Say("Hello."))).entry is not None
    entries = [codec.decode_body(*record) for record in await store.read(stream(table), 0)]
    terms = [entry.cursor.term for entry in entries if isinstance(entry.event, e.TermBegan)]
    assert terms == sorted(set(terms))
    assert len(terms) == 3
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)


async def test_a_broken_table_is_left_alone_for_a_minute_unless_a_command_comes() -> None:
    store = Store()
    async with host(store) as ada:
        table = (await ada.convene(ask())).id
        await until(store, stream(table), speaking)
    await store.append(stream(table), *rubbish_after(await store.last(stream(table))))
    async with host(store) as ben, host(store) as cleo:
        await ben._owners._lookout.sweep()
        store.now += 59
        assert await store.leases.abandoned() == []
        store._streams[stream(table)].records.pop()
        assert (await cleo.submit(table, "k", commands.Say("Try again."))).entry is not None
        assert (await cleo.transcript(table)).turns[0].error is not None


# -- what failed leaves nothing ------------------------------------------------------------------------------------


async def test_a_table_whose_convening_failed_does_not_go_on() -> None:
    store = Store()
    async with host(store) as ada:
        store.before["appended"] = fail
        with pytest.raises(LogUnavailable):
            await ada.convene(ask())
        async with asyncio.timeout(20):
            while await store.streams("table") or await store.leases.abandoned():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)


async def test_a_table_that_began_as_the_store_went_away_goes_on_when_it_is_back() -> None:
    store = Store()
    async with host(store) as ada:

        async def away() -> None:
            patch.setattr(store, "read", lambda *_, **__: fail())

        store.before["appended"] = away
        with pytest.MonkeyPatch.context() as patch:
            table = (await ada.convene(ask())).id
        store.now += 3
        await ada._owners._lookout.sweep()
        transcript = await ada.transcript(table)
        assert [turn.status for turn in transcript.turns] == ["failed", "started"]


async def test_nothing_is_left_of_a_command_that_met_a_deletion() -> None:
    store = Store()
    async with host(store) as ada, host(store) as ben:
        table = (await ada.convene(ask())).id
        store.before["append inbox"] = lambda: ada.delete(table)
        with pytest.raises(Exception, match="deleted"):
            await ben.submit(table, "k", commands.Say("My secret."), wait=20)
        assert (store._streams, store.leases._leases) == ({}, {})


async def test_who_stops_hands_over_before_its_providers_have_closed() -> None:
    store = Store()
    handed = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await handed.wait()

    async def hand_over() -> None:
        handed.set()

    async with asyncio.timeout(20), host(store) as ada:
        table = (await ada.convene(ask())).id
        ada._owners._spawn(stubborn(), "a provider that closes slowly")
        await asyncio.sleep(0)
        store.before["let go"] = hand_over
        await ada.close()
        assert await store.leases.abandoned() == [stream(table)]


async def test_a_snapshot_needs_no_room_in_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    async with host(store) as ada:
        table = (await ada.convene(ask(QUICK, limits=AskedLimits(max_turns=1)))).id
        monkeypatch.setattr(store, "save_checkpoint", lambda *_: fail())
        found = await until(store, stream(table), lambda each: each.status == "closed")
        assert codec.encode(await ada.transcript(table)) == codec.encode(found)
