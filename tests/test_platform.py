"""Streams of other applications: posted to, followed, bounded."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from protocol import sse
from protocol.errors import KeyReused, LogDamaged, WrongState
from roundtable.hosting import platform
from roundtable.hosting.platform import Platform, Post
from roundtable.log.base import EventLog, Record
from roundtable.log.memory import MemoryLog
from tests.server_process import PATIENCE
from tests.serving import JSON, Client, Connect, problem, serve
from tests.tables import AT
from tests.test_log import log

__all__ = ["log"]  # the fixture over all stores
URL = "/v1/stream/platform"
BUILD = {"type": "build.finished", "data": {"ok": True, "lines": "one\ntwo\r\u2028three", "n": 2**70}}


async def post(client: Client, name: str, **body: Any) -> str:
    response = await client.post(f"{URL}/{name}", json=body)
    assert response.status == 201, await response.text()
    return str((await response.json())["cursor"])


async def follow(client: Client, name: str, count: int, after: str = "") -> list[sse.Frame]:
    """The next `count` events."""
    decoder, found = sse.Decoder(), list[sse.Frame]()
    async with (
        asyncio.timeout(PATIENCE),
        client.get(f"{URL}/{name}", params={"after": after}) as response,
    ):
        async for piece in response.content.iter_any():
            found += [frame for frame in decoder.feed(piece) if frame.event == "event.posted"]
            if len(found) >= count:
                break
    return found


async def test_what_is_posted_is_followed_from_any_cursor(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    first = await post(client, "ci", **BUILD)
    second = await post(client, "ci", type="build.started")
    frames = await follow(client, "ci", 2)
    assert [frame.id for frame in frames] == [first, second]
    told = json.loads(frames[0].data)
    assert (told["type"], told["name"], told["data"]) == ("event.posted", BUILD["type"], BUILD["data"])
    assert [frame.id for frame in await follow(client, "ci", 1, first)] == [second]
    live = asyncio.create_task(follow(client, "ci", 1, second))
    third = await post(client, "ci", type="build.started")
    assert [frame.id for frame in await live] == [third]


async def test_streams_are_listed_by_name_and_deleted_for_good(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    for name in ("a", "b", "c", "b"):
        await post(client, name, type="x")
    first = await (await client.get(URL, params={"limit": 2})).json()
    assert [(each["name"], each["events"]) for each in first["streams"]] == [("c", 1), ("b", 2)]
    rest = await (await client.get(URL, params={"before": first["next"]})).json()
    assert ([each["name"] for each in rest["streams"]], rest["next"]) == (["a"], None)
    assert (await client.delete(f"{URL}/b")).status == 204
    assert (await problem(await client.delete(f"{URL}/b")))[:2] == (404, "not_found")
    assert (await problem(await client.get(f"{URL}/b")))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("-x", b'{"type":"x"}', "name"),
        ("x" * 65, b'{"type":"x"}', "name"),
        ("x%20y", b'{"type":"x"}', "name"),
        ("x-off-record", b'{"type":"x"}', "name"),
        ("x", b"{}", "type"),
        ("x", b'{"type":""}', "type"),
        ("x", b'{"type":"a\\nb"}', "type"),
        ("x", b'{"type":"x","date":1}', "date"),
        ("x", b'{"type":"x","data":%b}' % (b"[" * 40 + b"]" * 40), "data"),
        ("x", b'{"type":"x","data":"%b"}' % (b"x" * platform.MAX_EVENT), "data"),
        ("x", b'{"type":"x","data":1e999}', "data"),
        ("x", b'{"type":"x","data":"\\ud800"}', ""),
    ],
)
async def test_what_cannot_be_is_named_and_begins_no_stream(
    aiohttp_client: Connect, tmp_path: Path, name: str, body: bytes, field: str
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    status, _, named = await problem(await client.post(f"{URL}/{name}", data=body, headers=JSON))
    assert (status, named) == (400, field)
    assert (await (await client.get(URL)).json())["streams"] == []


async def test_a_stream_that_is_gone_or_damaged_costs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryLog()
    platform = Platform(store, lambda: AT)
    for name in ("a", "b", "c", "d"):
        await platform.post(name, "k", Post("x"))
    last = store.last

    async def some(stream: str) -> Record | None:
        if stream == "platform/c":
            raise LogDamaged("It cannot be read.")
        return None if stream == "platform/d" else await last(stream)

    monkeypatch.setattr(store, "last", some)
    page = await platform.page("", 2)
    assert (page.streams, page.unreadable, page.next) == ([], ["c"], "c")
    rest = await platform.page("c", 2)
    assert ([line.name for line in rest.streams], rest.next) == (["b", "a"], None)


async def test_an_event_under_its_key_is_posted_once_by_whatever_node(log: EventLog) -> None:
    nodes = [Platform(log, lambda: AT) for _ in range(2)]
    event = Post("x", {"a": 1})
    places = await asyncio.gather(*(node.post("ci", "k1", event) for node in nodes * 3))
    assert len(set(places)) == 1
    other = await nodes[1].post("ci", "k2", event)
    assert (places[0].seq, other.seq) == (1, 2)
    for node in (*nodes, Platform(log, lambda: AT)):
        with pytest.raises(KeyReused):
            await node.post("ci", "k1", Post("x", {"a": 2}))


async def test_a_full_stream_and_a_full_server_refuse_clearly(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "MAX_EVENTS", 3)
    monkeypatch.setattr(platform, "MAX_STREAMS", 2)
    node = Platform(log, lambda: AT)
    last = [await node.post("ci", str(number), Post("x")) for number in range(3)][-1]
    with pytest.raises(WrongState, match="full"):
        await node.post("ci", "more", Post("x"))
    assert await node.post("ci", "2", Post("x")) == last  # what it has it still knows
    await node.post("other", "k", Post("x"))
    with pytest.raises(WrongState, match="no room"):
        await node.post("third", "k", Post("x"))
    await node.delete("ci")
    again = await node.post("ci", "0", Post("x"))
    assert again.seq == 1
    assert again.term > last.term
    monkeypatch.setattr(platform, "MAX_BYTES", 1)
    with pytest.raises(WrongState, match="full"):
        await node.post("ci", "more", Post("x"))
