"""Row 5: what a spectator who only waits costs in memory, beside an aiohttp handler that does nothing else.

python -m tests.bench.memory     serves the handlers beside which ours are held; see `main`
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from tests.bench.baseline import compile  # noqa: A004
from tests.bench.figures import Figure
from tests.bench.prepare import new_table
from tests.bench.processes import PATH, Program, python, server

SPECTATORS = 4_000
# The framework's own share is most of it, and is in both figures.
GOAL = 1.5
SECONDS = 60


def measure(repeat: int) -> Iterator[Figure]:
    """Resident KiB per connection that has read all there is and waits for more."""
    ours, bare = [], []
    for _ in range(repeat):
        with python("memory") as program:
            bare.append(_per_spectator(program))
        with tempfile.TemporaryDirectory() as directory:
            new_table(Path(directory))
            with server(Path(directory)) as program:
                ours.append(_per_spectator(program))
    yield Figure(f"memory per idle spectator, {SPECTATORS:,} of them", "KiB", ours, bare, GOAL)


def _per_spectator(program: Program) -> float:
    arguments = ["127.0.0.1", str(program.port()), PATH, str(SPECTATORS), "0", str(SECONDS)]
    before = program.ask("memory")["kib"]
    with Program(compile("spectators"), *arguments) as crowd:
        if crowd.line() != f"connected {SPECTATORS}":
            raise RuntimeError("not everybody came in")
        return (program.ask("memory")["kib"] - before) / SPECTATORS


async def _wait(request: web.Request) -> web.StreamResponse:
    """An event stream that says nothing."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b":\n\n")
    await asyncio.Event().wait()
    return response


async def main() -> None:
    """Print the port, then answer `memory`, as `server.py` does."""
    from tests.bench.server import answer_lines  # noqa: PLC0415 - which builds on this folder's programs too

    app = web.Application()
    app.router.add_get(PATH, _wait)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print("port", runner.addresses[0][1], flush=True)
    await answer_lines({})


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
