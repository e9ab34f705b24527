"""`system/all`: what concerns everyone, told by all nodes and followed by anyone."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from protocol import codec, sse
from protocol.errors import LogUnavailable
from protocol.system import ALL, CountsChanged, MaintenanceAnnounced, TableChanged
from roundtable.hosting import system
from roundtable.hosting.system import System
from roundtable.log.base import EventLog
from roundtable.log.memory import MemoryLog
from tests import fake_time
from tests.server_process import PATIENCE
from tests.serving import TABLES, Client, Connect, convene, problem, serve, tell
from tests.tables import AT
from tests.test_log import log

__all__ = ["log"]  # the fixture over all stores
MAINTENANCE = "/v1/system/maintenance"


async def follow(client: Client, scope: str, after: str = "", **params: str) -> AsyncIterator[sse.Frame]:
    """Every frame of a system stream that has data, as it comes."""
    decoder = sse.Decoder()
    url = f"/v1/stream/system/{scope}"
    async with (
        asyncio.timeout(PATIENCE),
        client.get(url, params={"after": after, **params}) as response,
    ):
        assert response.status == 200, await response.text()
        async for piece in response.content.iter_any():
            for frame in decoder.feed(piece):
                if frame.data and frame.event != "hb":
                    yield frame


async def test_maintenance_is_told_to_everyone_who_follows(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    body = {"text": "A new disk.", "at": AT, "until": AT + 60}

    async def heard() -> Any:
        async for frame in follow(client, "all"):
            if frame.event == "maintenance.announced":
                return json.loads(frame.data)
        return None

    readers = [asyncio.create_task(heard()) for _ in range(3)]
    assert (await client.post(MAINTENANCE, json=body)).status == 201
    for told in await asyncio.gather(*readers):
        assert (told["text"], told["starts"], told["until"]) == ("A new disk.", AT, AT + 60)


async def test_a_table_is_told_of_from_its_opening_to_its_end_and_nothing_said_at_it(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    table = await convene(client, topic="A secret topic")
    quiet = await convene(client, record=False)
    assert (await tell(client, table, "k", type="close")).status == 200
    assert (await client.delete(f"{TABLES}/{table}")).status == 204
    statuses, seen = list[str](), ""
    async for frame in follow(client, "all"):
        seen += frame.data
        told = json.loads(frame.data)
        if told["type"] == "table.changed":
            statuses.append(told["status"])
            assert told["table"] == table
        if statuses[-1:] == ["deleted"]:
            break
    assert statuses == ["open", "closed", "deleted"]
    assert "node.started" in seen
    assert "secret" not in seen
    assert quiet not in seen


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": " "}, "text"),
        ({"text": "x" * 1001}, "text"),
        ({"text": "x", "at": -1}, "at"),
        ({"text": "x", "until": 1e300}, "until"),
        ({"text": "x", "at": 2, "until": 1}, "until"),
        ({"text": "x", "when": 2}, "when"),
    ],
)
async def test_what_cannot_be_announced_is_named(
    aiohttp_client: Connect, tmp_path: Path, body: dict[str, Any], field: str
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    assert await problem(await client.post(MAINTENANCE, json=body)) == (400, "invalid", field)


async def test_there_are_no_news_of_a_table_that_is_not_there(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    assert (await problem(await client.get("/v1/stream/system/nobody")))[:2] == (404, "not_found")


async def entries(log: EventLog) -> list[tuple[int, str]]:
    """Sequence number and type of all there is."""
    records = await log.read(ALL, 0)
    return [(record.cursor.seq, codec.body_type(record.body).decode()) for record in records]


async def test_past_its_bound_the_stream_begins_again(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "MAX_ENTRIES", 3)
    monkeypatch.setattr(system, "SPREAD", 1)
    node = System(log, "ada", lambda: AT, lambda: (0, 0, 0))
    await node.ready()
    for number in range(2):
        await node.announce(MaintenanceAnnounced(text=str(number)))
    (before, *_) = await log.read(ALL, 0)
    assert len(await entries(log)) == 3
    await node.announce(MaintenanceAnnounced(text="new"))
    (after,) = await log.read(ALL, 0)
    assert after.cursor.seq == 1
    assert after.cursor.term > before.cursor.term


async def test_who_follows_a_stream_that_begins_again_comes_back_and_is_told_so(
    aiohttp_client: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "MAX_ENTRIES", 5)
    monkeypatch.setattr(system, "SPREAD", 1)
    client = await serve(aiohttp_client, data=tmp_path)
    last, seen = "", 0
    async for frame in follow(client, "all"):  # it ends by itself, without an `end`
        assert frame.event != "end"
        last, seen = frame.id or last, seen + 1
        await client.post(MAINTENANCE, json={"text": "Again."})
    assert 5 <= seen <= 6
    async for frame in follow(client, "all", last):
        assert frame.event == "reset"
        break


def test_counts_are_told_when_they_have_changed_and_news_wait_for_the_store() -> None:
    class Away(MemoryLog):
        away = False

        async def has(self, *args: Any) -> bool:
            if self.away:
                raise LogUnavailable("Away.")
            return await super().has(*args)

    async def scene() -> None:
        log, counts = Away(), (0, 0, 0)
        node = System(log, "ada", lambda: AT, lambda: counts)
        node.start()
        await asyncio.sleep(25)
        assert await entries(log) == [(1, "node.started")]
        counts, log.away = (2, 3, 4), True
        await asyncio.sleep(25)
        for number in range(2 * system.MAX_WAITING):
            node.tell(TableChanged(table=str(number), status="open"))
        assert len(await entries(log)) == 1
        log.away = False
        await asyncio.sleep(25)
        told = [codec.decode_body(*record) for record in await log.read(ALL, 1, limit=5000)]
        assert len(told) == system.MAX_WAITING
        assert b"table.changed" in (await log.read(ALL, 1))[0].body
        counts = (1, 1, 1)
        await asyncio.sleep(25)
        last = await log.last(ALL)
        assert last
        assert codec.body_type(last.body) == CountsChanged.__struct_config__.tag.encode()  # type: ignore[union-attr]
        await node.close()
        last = await log.last(ALL)
        assert last
        assert codec.body_type(last.body) == b"node.stopping"

    fake_time.run(scene())
