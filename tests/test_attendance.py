"""Callers whose connection breaks: they come back to what they invoked, or it is ended."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from protocol import codec, invocation
from protocol.cursor import ZERO
from protocol.invocation import Cancelled
from roundtable.client import Client
from roundtable.config import Config
from roundtable.edge import app, keys
from roundtable.edge.invoking.attendance import Attendance
from roundtable.fanout.broadcast import Broadcast
from roundtable.invocations.invocations import Ask, Invocations, stream
from roundtable.invocations.throttle import Throttle
from roundtable.log.base import EventLog
from roundtable.log.memory import MemoryLog
from roundtable.log.redis import RedisLog
from roundtable.tools.toolbox import Toolbox
from tests.redis_server import RedisServer
from tests.serving import Connect, problem, serve
from tests.test_sdk import Endless

WORDS = " ".join(f"word{number}" for number in range(60))
SAYS = {"prompt": "Why?", "options": {"text": WORDS, "rate": 2000, "ttft": 0}}
SLOW = {"model": "scripted:ada", "prompt": "Why?", "options": {"text": "Hello.", "ttft": 3600}}


async def ended(log: EventLog, id: str) -> Any:
    """The end of an invocation, when it has come."""
    tail = await log.tail()
    await tail.add(stream(id), ZERO)
    async with asyncio.timeout(20):
        async for _, records in tail:
            if codec.body_type(records[-1].body) in invocation.ENDINGS:
                await tail.close()
                return invocation.decode(records[-1].body)
    raise AssertionError("The log was closed before that.")


@asynccontextmanager
async def cutting(url: str, first: int, step: int) -> AsyncIterator[tuple[str, list[str]]]:
    """A relay that cuts event streams after so many bytes, each later than the one before; and what it was asked."""
    asked: list[str] = []
    streams = iter(range(first, 1 << 30, step))

    async def relay(request: web.Request) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path_qs}")
        sent = {
            name: request.headers[name]
            for name in ("Last-Event-ID", "Content-Type")
            if name in request.headers
        }
        async with (
            ClientSession() as session,
            session.request(
                request.method, url + request.path_qs, data=await request.read(), headers=sent
            ) as upstream,
        ):
            answer = web.StreamResponse(status=upstream.status)
            for name in ("Content-Type", "Location"):
                if name in upstream.headers:
                    answer.headers[name] = upstream.headers[name]
            await answer.prepare(request)
            left = next(streams) if upstream.content_type == "text/event-stream" else 1 << 30
            async for piece in upstream.content.iter_any():
                await answer.write(piece[:left])
                left -= len(piece)
                if left <= 0:
                    assert request.transport
                    request.transport.abort()
                    break
        return answer

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", relay)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/"), asked


async def at_once(_: float) -> None:
    """A wait that is none."""


@pytest.mark.parametrize("first", [1, 40, 333])
async def test_a_stream_that_is_cut_again_and_again_is_one_invocation(tmp_path: Path, first: int) -> None:
    async with TestServer(app.build(Config(data=tmp_path))) as server:
        url = str(server.make_url("")).rstrip("/")
        async with cutting(url, first, 97) as (relayed, asked), Client(relayed, sleep=at_once) as client:
            events = [event async for event in client.stream("panelist/scripted:ada", "complete", SAYS)]
        async with Client(url) as client:
            assert [event async for event in client.follow(events[0].data["id"])] == events
        log: EventLog = server.app[keys.LOG]  # type: ignore[attr-defined]
        assert await log.streams("invocation") == [stream(events[0].data["id"])]
    assert "".join(event.text for event in events) == WORDS
    assert events[-1].type == "converge"
    assert asked[0] == "POST /invoke"
    assert set(asked[1:]) == {f"GET /invoke/{events[0].data['id']}?owner=true"}
    assert len(asked) > 5


async def test_who_does_not_come_back_has_left(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    async with client.post("/invoke", json={"tool": "complete", "args": SLOW, "linger": 0.05}) as response:
        id = response.headers["Location"].removeprefix("/invoke/")
        response.close()
    end = await ended(client.app[keys.LOG], id)
    assert isinstance(end, Cancelled)
    assert end.reason == "caller_left"


async def test_who_comes_back_holds_it_and_who_only_looks_does_not(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    log: EventLog = client.app[keys.LOG]
    asked = {"tool": "complete", "args": SLOW, "linger": 0.1}
    ids = []
    for _ in range(2):
        async with client.post("/invoke", json=asked) as response:
            ids.append(response.headers["Location"].removeprefix("/invoke/"))
            response.close()
    held, watched = ids
    async with client.get(f"/invoke/{held}?owner=true") as back, client.get(f"/invoke/{watched}"):
        await back.content.readany()
        assert isinstance(await ended(log, watched), Cancelled)
        assert codec.body_type((await log.last(stream(held))).body) == b"init"  # type: ignore[union-attr]
        back.close()
    assert isinstance(await ended(log, held), Cancelled)


@pytest.mark.parametrize("linger", [-1, 601, "long"])
async def test_a_linger_out_of_bounds(aiohttp_client: Connect, tmp_path: Path, linger: object) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    response = await client.post("/invoke", json={"tool": "complete", "args": SLOW, "linger": linger})
    assert (await problem(response))[::2] == (400, "linger")


async def test_while_its_caller_is_away_it_runs_no_further_than_its_window() -> None:
    async with node(MemoryLog()) as (invocations, broadcast, endless):
        attendance, throttle = Attendance(), Throttle(10_000)
        begun = await invocations.invoke(Ask("tool/endless", throttle=throttle))
        attended = attendance.begin(begun.id, throttle, 600)
        attendance.hold(attended, invocations, broadcast)()
        made = -1
        while endless.made != made:
            made = endless.made
            for _ in range(200):
                await asyncio.sleep(0)
        assert 0 < made < 100
        assert attendance.find(begun.id) is attended
        await attendance.close()


async def test_who_came_back_to_another_node_is_one_who_reads_there(redis_server: RedisServer) -> None:
    log = await RedisLog.open(redis_server.url)
    async with node(log) as (invocations, broadcast, endless):
        other = Broadcast(log)
        await other.start()
        attendance = Attendance()
        begun = await invocations.invoke(Ask("tool/endless", throttle=(throttle := Throttle())))
        async with other.reading(begun.stream, ZERO) as reading:
            await other.audience([begun.stream])  # it tells the store
            attendance.hold(attendance.begin(begun.id, throttle, 0.02), invocations, broadcast)()
            async with asyncio.timeout(20):
                while endless.made < 1000:  # 4 MB: more than the throttle would let it
                    await reading.take()
            assert attendance.find(begun.id)
        await other.close()
        async with asyncio.timeout(20):
            await endless.closed.wait()
        assert attendance.find(begun.id) is None


@asynccontextmanager
async def node(log: EventLog) -> AsyncIterator[tuple[Invocations, Broadcast, Endless]]:
    """What runs invocations, without HTTP around it."""
    endless = Endless()
    broadcast = Broadcast(log)
    await broadcast.start()
    invocations = Invocations(log, MemoryLog(), Toolbox([endless]), time.time)
    await invocations.start()
    try:
        yield invocations, broadcast, endless
    finally:
        await invocations.close()
        await broadcast.close()
        await log.close()


async def test_a_client_that_ends_leaves_nothing_running(tmp_path: Path) -> None:
    async with TestServer(app.build(Config(data=tmp_path))) as server:
        async with Client(str(server.make_url("")), linger=600) as client:
            slow = {name: value for name, value in SLOW.items() if name != "model"}
            left = client.stream("panelist/scripted:ada", "complete", slow)
            id = (await anext(left)).data["id"]
        end = await ended(server.app[keys.LOG], id)  # type: ignore[attr-defined]
        assert isinstance(end, Cancelled)
        await left.aclose()
