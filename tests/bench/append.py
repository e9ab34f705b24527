"""Row 4: from an append to every spectator's socket over Redis, beside three that do less of it on the same server.

XADD to a waiting XREAD without a client library, which is the least; the same through redis-py's asyncio client; and,
without one again, passed on to as many sockets in a plain loop. The last is the only one that has spectators.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure
from tests.bench.processes import python, redis

LAPS = 500
# Between appends: longer than any lap, so that each is measured alone. Seconds.
PAUSE = 0.004
SPECTATORS = (1, 100)
GOAL = 2.0


def measure(repeat: int) -> Iterator[Figure]:
    """Microseconds at the median, until the last of so many spectators has it."""
    ours: dict[int, list[float]] = {count: [] for count in SPECTATORS}
    relayed: dict[int, list[float]] = {count: [] for count in SPECTATORS}
    bare: list[float] = []
    client: list[float] = []
    with tempfile.TemporaryDirectory() as directory, redis(Path(directory)) as store:
        for _ in range(repeat):
            bare.append(_read("bare_redis", store))
            client.append(_read("client_redis", store))
            for count in SPECTATORS:
                relayed[count].append(_relayed(store, count))
                ours[count].append(_ours(store, count))
    for count in SPECTATORS:
        yield Figure(f"append to {count} sockets, beside XADD to XREAD", "us", ours[count], bare, GOAL)
        yield Figure("  beside the same through redis-py", "us", ours[count], client, GOAL)
        yield Figure("  beside it, sent on in a plain loop", "us", ours[count], relayed[count], GOAL)


def _read(program: str, store: Path) -> float:
    with python(program, "read", str(store), str(LAPS)) as reader:
        reader.line()
        _write(program, store)
        return median(reader.laps())


def _relayed(store: Path, count: int) -> float:
    with (
        python("bare_redis", "relay", str(store), str(LAPS), str(count)) as relay,
        python("watchers", str(relay.port()), str(count), str(LAPS)) as watchers,
    ):
        relay.line()
        _write("bare_redis", store)
        return median(watchers.laps())


def _write(program: str, store: Path) -> None:
    with python(program, "write", str(store), str(LAPS), str(PAUSE)) as writer:
        writer.answer()


def _ours(store: Path, count: int) -> float:
    with (
        tempfile.TemporaryDirectory() as directory,
        python("server", directory, "--redis", f"unix://{store}") as server,
    ):
        port = server.port()
        server.ask("begin")
        with python("watchers", str(port), str(count), str(LAPS)) as watchers:
            server.ask(f"laps {count} {LAPS} {PAUSE}")
            return median(watchers.laps())
