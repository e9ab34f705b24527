"""Row 4: from an append to every spectator's socket over Redis, beside XADD to XREAD on the same server."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure
from tests.bench.processes import Program, python, redis

LAPS = 1_000
# Between appends: longer than any lap, so that each is measured alone. Seconds.
PAUSE = 0.004
SPECTATORS = (1, 100)
GOAL = 2.0


def measure(repeat: int) -> Iterator[Figure]:
    """Microseconds at the median, until the last of so many spectators has it."""
    ours: dict[int, list[float]] = {count: [] for count in SPECTATORS}
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as directory, redis(Path(directory)) as store:
        for _ in range(repeat):
            bare.append(_bare(store))
            for count in SPECTATORS:
                ours[count].append(_ours(store, count))
    for count in SPECTATORS:
        yield Figure(f"append to {count} sockets, beside XADD to XREAD", "us", ours[count], bare, GOAL)


def _bare(store: Path) -> float:
    with python("bare_redis", "read", str(store), str(LAPS)) as reader:
        reader.line()
        with python("bare_redis", "write", str(store), str(LAPS), str(PAUSE)) as writer:
            writer.answer()
            return _median(reader)


def _ours(store: Path, count: int) -> float:
    with (
        tempfile.TemporaryDirectory() as directory,
        python("server", directory, "--redis", f"unix://{store}") as server,
    ):
        port = server.port()
        server.ask("begin")
        with python("watchers", str(port), str(count), str(LAPS)) as watchers:
            server.ask(f"laps {count} {LAPS} {PAUSE}")
            return _median(watchers)


def _median(program: Program) -> float:
    return median(program.laps())
