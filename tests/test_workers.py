"""`serve --workers`: several processes on one port, over a real Redis."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from protocol.errors import Invalid
from protocol.transcript import fold
from roundtable.workers import reserve
from tests.cluster import counting
from tests.redis_server import RedisServer
from tests.server_process import PATIENCE, ROOT, Server, serving


def children(pid: int) -> list[int]:
    """The processes that `pid` started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until_there_are(count: int, server: Server, other_than: set[int]) -> None:
    """Until the server has so many workers, none of them one of these."""
    async with asyncio.timeout(PATIENCE):
        while len(found := children(server.pid)) != count or other_than & set(found):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


async def test_workers_share_a_port_and_one_that_dies_is_replaced(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with serving(tmp_path, "--redis", redis_server.url, "--workers", "2") as server:
        first, second = children(server.pid)
        tables = [
            await server.convene(panel=[counting("Ada", 20, 40)], limits={"max_turns": 2}) for _ in range(4)
        ]
        os.kill(first, signal.SIGKILL)
        await until_there_are(2, server, other_than={first})
        assert second in children(server.pid)
        for table in tables:
            entries = [entry async for entry in server.follow(table)]
            assert [entry.cursor.seq for entry in entries] == list(range(1, len(entries) + 1))
            assert fold(entries).status == "closed"
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0


async def test_what_keeps_workers_from_starting_is_said_once(tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path}/none.sock"
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "roundtable.cli",
            "serve",
            "--port",
            "0",
            "--redis",
            nowhere,
            "--workers",
            "3",
        ),
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert err.decode().strip().count("\n") == 0
    assert "cannot be used" in err.decode()


async def test_workers_end_with_their_parent(tmp_path: Path, redis_server: RedisServer) -> None:
    async with serving(tmp_path, "--redis", redis_server.url, "--workers", "2") as server:
        workers = children(server.pid)
        server.signal(signal.SIGKILL)
        await server.ended()
        async with asyncio.timeout(PATIENCE):
            while any(Path(f"/proc/{worker}").exists() for worker in workers):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)


async def test_a_port_is_not_shared_with_strangers() -> None:
    with reserve("127.0.0.1", 0) as worker:
        worker.listen()
        port = worker.getsockname()[1]
        with pytest.raises(Invalid) as caught:
            reserve("127.0.0.1", port)
        assert caught.value.field == "port"
    reserve("127.0.0.1", port).close()
