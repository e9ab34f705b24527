"""Who reads along under a name: told once when they come and once when they have gone, over all nodes."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from protocol import system
from protocol.codec import encode_body
from protocol.cursor import ZERO
from protocol.errors import Invalid, LogDamaged
from protocol.events import TermBegan
from roundtable.hosting import people
from roundtable.hosting.people import GRACE, MAX_PEOPLE, People
from roundtable.log.base import EventLog
from roundtable.log.memory import MemoryLog
from roundtable.log.redis import RedisLog
from roundtable.log.redis_audience import COUNTS_FOR
from roundtable.log.redis_keys import partition
from tests import fake_time
from tests.redis_server import shared
from tests.serving import TABLES, Connect, convene, problem, serve
from tests.tables import AT
from tests.test_audience import redis
from tests.test_log import batch
from tests.test_system import follow

__all__ = ["redis"]  # the fixture
TABLE = "01table"


async def table(log: EventLog) -> None:
    await log.append(f"table/{TABLE}", ZERO, batch(ZERO, encode_body(TermBegan(owner="x"), AT)))


async def told(log: EventLog) -> list[str]:
    """`+Name` and `-Name` in order."""
    found = []
    for record in await log.read(people.stream(TABLE), 0):
        with contextlib.suppress(LogDamaged):
            event = system.decode(record.body)
            if isinstance(event, system.PersonJoined | system.PersonLeft):
                found.append(("+" if isinstance(event, system.PersonJoined) else "-") + event.person)
    return found


def test_someone_is_there_over_many_connections_and_gone_after_a_while_without_any() -> None:
    async def scene() -> None:
        log = MemoryLog()
        await table(log)
        node = People(log, "ada", lambda: AT)
        node.start()
        with node.here(TABLE, "Rosa"):
            with node.here(TABLE, "Rosa"), node.here(TABLE, "Ömer d'A"):
                await asyncio.sleep(3)
                assert await told(log) == ["+Rosa", "+Ömer d'A"]
            await asyncio.sleep(2 * GRACE)
            assert await told(log) == ["+Rosa", "+Ömer d'A", "-Ömer d'A"]
        await asyncio.sleep(GRACE - 2)
        with node.here(TABLE, "Rosa"):  # the page was loaded again
            await asyncio.sleep(2 * GRACE)
        assert len(await told(log)) == 3
        await asyncio.sleep(2 * GRACE)
        assert (await told(log))[3:] == ["-Rosa"]
        with node.here(TABLE, "Rosa"):
            await asyncio.sleep(2)
        assert (await told(log))[4:] == ["+Rosa"]
        await node.close()

    fake_time.run(scene())


def test_who_was_there_when_the_server_was_killed_is_gone_when_it_is_back() -> None:
    async def scene() -> None:
        log = MemoryLog()
        await table(log)
        killed = People(log, "ada", lambda: AT)
        with killed.here(TABLE, "Rosa"), killed.here(TABLE, "Ben"):
            await killed.round()
        node = People(log, "ben", lambda: AT)
        node.start()
        with node.here(TABLE, "Ben"):
            await asyncio.sleep(3 * GRACE)
            assert await told(log) == ["+Ben", "+Rosa", "-Rosa"]
        await node.close()

    fake_time.run(scene())


def test_a_stream_that_grows_begins_again_with_who_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        monkeypatch.setattr(people, "MAX_ENTRIES", 4)
        log = MemoryLog()
        await table(log)
        node = People(log, "ada", lambda: AT, grace=0)
        with node.here(TABLE, "Rosa"):
            for number in range(3):
                with node.here(TABLE, f"P{number}"):
                    await node.round()
                await node.round()
                await node.round()
            assert len(await log.read(people.stream(TABLE), 0)) <= 5
            assert "+Rosa" in await told(log)

    fake_time.run(scene())


def test_nobody_is_told_of_at_a_table_that_is_not_there_or_beyond_the_bound() -> None:
    async def scene() -> None:
        log = MemoryLog()
        node = People(log, "ada", lambda: AT)
        with node.here(TABLE, "Rosa"):
            await node.round()
            assert await log.streams("system") == []
        with contextlib.ExitStack() as here:
            for number in range(MAX_PEOPLE):
                here.enter_context(node.here(TABLE, str(number)))
            here.enter_context(node.here(TABLE, "0"))
            with pytest.raises(Invalid), node.here(TABLE, "one more"):
                pass

    fake_time.run(scene())


async def test_two_nodes_tell_of_someone_once_and_only_when_both_have_lost_them(redis: RedisLog) -> None:
    await table(redis)
    ada, ben = (People(redis, node, lambda: AT, grace=0) for node in ("ada", "ben"))

    async def rounds() -> None:
        for _ in range(2):
            await asyncio.gather(ada.round(), ben.round())

    with ben.here(TABLE, "Rosa"):
        with ada.here(TABLE, "Rosa"):
            await rounds()
            assert await told(redis) == ["+Rosa"]
        await rounds()
        assert await told(redis) == ["+Rosa"]
        with ada.here(TABLE, "Rosa"):
            await rounds()
    await rounds()
    await rounds()
    assert await told(redis) == ["+Rosa", "-Rosa"]
    with ada.here(TABLE, "Rosa"):
        await rounds()
    assert await told(redis) == ["+Rosa", "-Rosa", "+Rosa"]


async def test_who_was_on_a_node_that_died_is_told_of_by_another(redis: RedisLog) -> None:
    await table(redis)
    ada, ben = (People(redis, node, lambda: AT, grace=0) for node in ("ada", "ben"))
    with ada.here(TABLE, "Rosa"):
        await ada.round()  # and never again
    await ben.look()
    for _ in range(2):
        await ben.round()
    assert await told(redis) == ["+Rosa"]
    name = f"person/{TABLE}/Rosa"
    key = partition(name).here(name)
    count, ends = shared().run("HGET", key, "ada").split()
    shared().run("HSET", key, "ada", b"%s %d" % (count, int(ends) - 1000 * COUNTS_FOR))  # so much later
    for _ in range(2):
        await ben.round()
    assert await told(redis) == ["+Rosa", "-Rosa"]


async def test_a_reader_with_a_name_is_told_of(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    id = await convene(client)
    for bad in ("as=", "as=a%0ab", "as=" + "x" * 41, "as=Rosa&as=Ben"):
        assert await problem(await client.get(f"{TABLES}/{id}/events?{bad}")) == (400, "invalid", "as")
    async with (
        client.get(f"{TABLES}/{id}/events?as=Rosa"),
        client.ws_connect(f"{TABLES}/{id}/ws?as=Ben"),
    ):
        found = set()
        async for frame in follow(client, id):
            if frame.event == "person.joined":
                found.add(frame.data.partition('"person":')[2])
            if len(found) == 2:
                break
    assert found == {'"Rosa"}', '"Ben"}'}
