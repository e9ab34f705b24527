"""A node that runs invocations is killed, stopped or asked from elsewhere: on real processes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientError, ClientSession

from protocol import sse
from protocol.cursor import Cursor
from tests.cluster import cluster
from tests.redis_server import RedisServer
from tests.server_process import PATIENCE, Server, serving
from tests.test_invocations_parallel import check

SLOW = {
    "model": "scripted:ada",
    "prompt": "Why?",
    "options": {"text": " ".join(map(str, range(2000))), "rate": 100, "ttft": 0},
}
Told = tuple[str, Any]


class Caller:
    """Begins an invocation at a server and follows it, wherever it goes on."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.told: list[Told] = []
        self.own = ""
        self.heard = asyncio.Condition()

    async def begin(self, **members: Any) -> None:
        """To the end, or that of the server."""
        body = {"tool": "complete", "args": SLOW, **members}
        async with ClientSession(self.server.url) as session, session.post("/invoke", json=body) as response:
            self.own = response.headers["Location"]
            await self._read(response)

    async def follow(self, server: Server) -> None:
        """What follows at another, or at the same again."""
        after = {"Last-Event-ID": self.told[-1][0]}
        async with ClientSession(server.url) as session, session.get(self.own, headers=after) as response:
            assert response.status == 200, await response.text()
            await self._read(response)

    async def until(self, steps: int) -> None:
        async with asyncio.timeout(PATIENCE), self.heard:
            await self.heard.wait_for(lambda: len(self.told) > steps)

    @property
    def end(self) -> Any:
        return self.told[-1][1]

    async def _read(self, response: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            async for frame in frames(response):
                async with self.heard:
                    self.told.append((str(frame.id), msgspec.json.decode(frame.data)))
                    self.heard.notify_all()


async def frames(response: Any) -> AsyncIterator[sse.Frame]:
    decoder = sse.Decoder()
    try:
        async for piece in response.content.iter_any():
            for frame in decoder.feed(piece):
                if frame.id:
                    yield frame
    except ClientError:
        pass  # killed


async def delete(server: Server, own: str) -> int:
    async with ClientSession(server.url) as session, session.delete(own) as response:
        return response.status


def interrupted(caller: Caller) -> None:
    """Ended by the next owner, in its own term, with nothing lost or repeated."""
    assert (caller.end["type"], caller.end["code"], caller.end["retryable"]) == ("error", "interrupted", True)
    last, before = Cursor.parse(caller.told[-1][0]), Cursor.parse(caller.told[-2][0])
    assert last.term > before.term
    assert last.seq == before.seq + 2  # `term.began` is shown to nobody
    steps = [event["t"] for _, event in caller.told if event["type"] == "step"]
    assert steps == list(range(1, caller.end["t"] + 1))


async def test_kill_9_and_the_next_life_ends_what_was_open(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        caller = Caller(server)
        calling = asyncio.create_task(caller.begin())
        await caller.until(5)
        server.signal(signal.SIGKILL)
        await server.ended()
        await calling
    async with serving(tmp_path) as server:
        await caller.follow(server)
        interrupted(caller)
        assert await delete(server, caller.own) == 204


async def test_stopping_ends_it_before_the_eyes_of_its_caller(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        caller, other = Caller(server), Caller(server)
        calling = [asyncio.create_task(caller.begin()), asyncio.create_task(other.begin(detach=True))]
        await caller.until(5)
        await other.until(5)
        server.signal(signal.SIGTERM)
        await asyncio.gather(*calling)
        assert await server.ended() == 0
    for each in (caller, other):
        check(each.told)
        assert (each.end["type"], each.end["reason"]) == ("cancelled", "stopping")


async def test_on_several_nodes(tmp_path: Path, redis_server: RedisServer) -> None:
    async with cluster(tmp_path, redis_server.url, 2) as nodes:
        here, other = nodes.nodes
        cancelled, orphaned = Caller(here), Caller(here)
        calling = [asyncio.create_task(each.begin()) for each in (cancelled, orphaned)]
        await cancelled.until(5)
        assert [await delete(other, cancelled.own) for _ in range(2)] == [204, 204]
        await calling[0]
        check(cancelled.told)
        assert (cancelled.end["type"], cancelled.end["reason"]) == ("cancelled", "command")
        await orphaned.until(5)
        await nodes.kill(here)
        await calling[1]
        await orphaned.follow(other)
        interrupted(orphaned)
        assert await delete(other, "/invoke/nothing") == 404
