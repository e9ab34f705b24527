"""How many watch, over all nodes: the contract of `EventLog.count` on every store, and two nodes with one number."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from protocol import events as e
from protocol.codec import encode_body
from protocol.cursor import ZERO
from protocol.errors import LogUnavailable
from roundtable.fanout import audience
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.framing import FULL, EventStream
from roundtable.log.base import EventLog
from roundtable.log.memory import MemoryLog
from roundtable.log.redis import RedisLog
from roundtable.log.redis_audience import COUNTS_FOR
from roundtable.log.redis_keys import partition
from tests.redis_server import shared
from tests.tables import AT
from tests.test_log import TABLE, batch, log
from tests.waiting import until

__all__ = ["log"]  # the fixture over all stores
OTHER = "table/other"
BEGAN = encode_body(e.TermBegan(owner="ada"), AT)
KEY = partition(TABLE).here(TABLE)


@pytest.fixture
async def redis() -> AsyncIterator[RedisLog]:
    shared().run("FLUSHALL")
    log = await RedisLog.open(shared().url)
    yield log
    await log.close()


# -- the contract --------------------------------------------------------------------------------------------------


async def test_a_node_hears_of_others_and_never_of_itself(log: EventLog) -> None:
    assert await log.count({}, "ada") == {}
    for _ in range(2):
        assert await log.count({TABLE: 3, OTHER: 0}, "ada") == {TABLE: 0, OTHER: 0}


async def test_what_counts_leaves_no_trace_in_the_log(log: EventLog) -> None:
    await log.append(TABLE, ZERO, batch(ZERO, b"x"))
    await log.count({TABLE: 3, OTHER: 1}, "ada")
    assert await log.streams("table") == [TABLE]
    assert await log.last(OTHER) is None


# -- Redis ---------------------------------------------------------------------------------------------------------


async def test_nodes_of_one_store_add_up(redis: RedisLog) -> None:
    assert await redis.count({TABLE: 2, OTHER: 1}, "ada") == {TABLE: 0, OTHER: 0}
    assert await redis.count({OTHER: 4, TABLE: 5}, "ben") == {OTHER: 1, TABLE: 2}
    assert await redis.count({TABLE: 0}, "cleo") == {TABLE: 7}
    assert await redis.count({TABLE: 0}, "ada") == {TABLE: 5}
    assert await redis.count({TABLE: 0}, "cleo") == {TABLE: 5}
    assert await redis.count({TABLE: 0}, "ben") == {TABLE: 0}
    assert shared().run("EXISTS", KEY) == 0


async def test_a_node_that_has_died_is_not_counted_for_long(redis: RedisLog) -> None:
    await redis.count({TABLE: 2}, "ada")
    assert 0 < shared().run("PTTL", KEY) <= COUNTS_FOR * 1000
    count, ends = shared().run("HGET", KEY, "ada").split()
    shared().run("HSET", KEY, "ada", b"%s %d" % (count, int(ends) - 1000 * COUNTS_FOR))  # so much later
    assert await redis.count({TABLE: 1}, "ben") == {TABLE: 0}
    assert shared().run("HKEYS", KEY) == [b"ben"]


async def test_only_what_changed_is_written_and_what_will_soon_not_count(redis: RedisLog) -> None:
    def told() -> bytes:
        return bytes(shared().run("HGET", KEY, "ada"))

    await redis.count({TABLE: 2}, "ada")
    before = told()
    offset = shared().run("INFO", "replication")["master_repl_offset"]
    await redis.count({TABLE: 2}, "ada")
    assert (told(), shared().run("INFO", "replication")["master_repl_offset"]) == (before, offset)
    count, ends = before.split()
    for changed in (b"%s %d" % (count, int(ends) - 11_000), b"3 %s" % ends):
        shared().run("HSET", KEY, "ada", changed)
        await redis.count({TABLE: 2}, "ada")
        assert told().startswith(b"2 ")
        assert int(told().split()[1]) >= int(ends)


# -- the fan-out ---------------------------------------------------------------------------------------------------


async def test_viewers_of_two_nodes_see_one_number(redis: RedisLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "EVERY", 0.01)
    await redis.append(TABLE, ZERO, batch(ZERO, BEGAN))
    ada, ben = Broadcast(redis), Broadcast(redis)
    await asyncio.gather(ada.start(), ben.start())
    async with AsyncExitStack() as reading:
        here = [
            await reading.enter_async_context(node.channel(TABLE, FULL, EventStream())) for node in (ada, ada)
        ]
        async with ben.channel(TABLE, FULL, EventStream()) as there:
            await until(lambda: b'"spectators":3' in here[0].beat() and b'"spectators":3' in there.beat())
            assert await ada.audience([TABLE, OTHER]) == {TABLE: 3, OTHER: 0}
            assert (ada.spectators(TABLE), ben.spectators(TABLE)) == (2, 1)
        await until(lambda: b'"spectators":2' in here[0].beat())
        assert await ben.audience([TABLE]) == {TABLE: 2}
    await ada.close()
    assert shared().run("EXISTS", KEY) == 0  # a node that stops does not wait to be forgotten
    await ben.close()


async def test_a_store_that_is_away_changes_nothing_but_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "EVERY", 0.0)
    asked = 0

    async def count(*_: object) -> dict[str, int]:
        nonlocal asked
        asked += 1
        if asked == 1:
            return {TABLE: 4}
        raise LogUnavailable("The store is away.")

    log = MemoryLog()
    await log.append(TABLE, ZERO, batch(ZERO, BEGAN))
    monkeypatch.setattr(log, "count", count)
    node = Broadcast(log)
    await node.start()
    async with node.channel(TABLE, FULL, EventStream()) as channel:
        await until(lambda: asked > 3)
        assert b'"spectators":5' in channel.beat()
        assert await node.audience([TABLE]) == {TABLE: 1}
    await node.close()
