"""Row 10: steps of `vector_markov` to one HTTP client, beside a bare aiohttp handler that writes the same bytes.

The handler computes nothing, logs nothing and frames nothing: it is what aiohttp and the reader cost.
    python -m tests.bench.steps FILE   is that handler, on a free port
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from aiohttp import web

from tests.bench.figures import Figure
from tests.bench.processes import Program, python
from tests.bench.server import answer_lines

STEPS, DIM = 300_000, 16
INVOCATION = {"tool": "vector_markov", "args": {"steps": STEPS, "dim": DIM, "epsilon": 0}}
# Bytes in one write of the handler, as ours writes.
CHUNK = 64 * 1024
# Microseconds a step: 100,000 steps a second.
PROMISED = 10.0
# We compute, encode, log, read and frame what the handler has in memory.
GOAL = 30.0


def measure(repeat: int) -> Iterator[Figure]:
    """Microseconds a step from the request to the last byte, and of the servers' CPU. The first run, which imports
    NumPy, is not counted."""
    ours, bare = list[tuple[float, float]](), list[tuple[float, float]]()
    with tempfile.TemporaryDirectory() as directory:
        command = (sys.executable, "-m", "roundtable.cli", "serve", "--port", "0", "--data", directory)
        with Program(*command, quiet=True) as server:
            address = server.line().removeprefix("listening on http://")
            wire = Path(directory) / "wire"
            wire.write_bytes(_invoke(server, address)[1])
            with python("steps", str(wire)) as handler:
                there = f"127.0.0.1:{handler.port()}"
                for _ in range(repeat):
                    ours.append(_invoke(server, address)[0])
                    bare.append(_read(handler, there, "GET", "")[0])
    wall, cpu = zip(*ours, strict=True)
    alone = [each[0] for each in bare]
    yield Figure(f"step of {DIM} numbers to one client beside aiohttp", "us", wall, alone, GOAL)
    yield Figure("  beside 100,000 steps a second", "us", wall, [PROMISED], 1.0)
    yield Figure("  its server's CPU beside that", "us", cpu, [PROMISED], 1.0)


def _invoke(server: Program, address: str) -> tuple[tuple[float, float], bytes]:
    took, got = _read(server, address, "POST", json.dumps(INVOCATION))
    if (steps := got.count(b"\nevent: step\n")) != STEPS:
        raise RuntimeError(f"{steps:,} steps came of {STEPS:,}")
    return took, got


def _read(server: Program, address: str, method: str, body: str) -> tuple[tuple[float, float], bytes]:
    """Microseconds a step, wall and CPU, and everything read."""
    with closing(HTTPConnection(address)) as connection:
        began, used = time.perf_counter(), server.cpu()
        connection.request(method, "/invoke", body, {"Content-Type": "application/json"})
        got = connection.getresponse().read()
        took = time.perf_counter() - began, server.cpu() - used
        return (1e6 * took[0] / STEPS, 1e6 * took[1] / STEPS), got


async def main(wire: bytes) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for at in range(0, len(wire), CHUNK):
            await response.write(wire[at : at + CHUNK])
        return response

    app = web.Application()
    app.router.add_get("/invoke", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print("port", runner.addresses[0][1], flush=True)
    await answer_lines({})


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_bytes()))
