"""Row 1: what one delivery costs our server, beside `fanout.c`: one table, many spectators, a steady pace."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from protocol.cursor import ZERO
from roundtable.fanout.framing import EventStream
from tests.bench.baseline import compile  # noqa: A004
from tests.bench.figures import Figure
from tests.bench.prepare import new_table
from tests.bench.processes import DEADLINE, PATH, Program, server
from tests.bench.server import WORD, records

SPECTATORS, RATE = 1_000, 100
VIEW = "/v1/stream/table/bench?types=turn.*,table.*&enrich=elapsed,cost"
# The longest wait, and what is then hoped for beside the baseline, which never waits and never batches.
GOALS = {0.0: 1.6, 0.02: 1.0}


def measure(seconds: float, repeat: int) -> Iterator[Figure]:
    """CPU time (user and system) of the server per event and spectator, in microseconds."""
    ours: dict[float, list[float]] = {delay: [] for delay in GOALS}
    baseline: list[float] = []
    for _ in range(repeat):
        baseline.append(_baseline(seconds))
        for delay in GOALS:
            ours[delay].append(_ours(seconds, delay))
    for delay, goal in GOALS.items():
        name = f"CPU per delivery, {SPECTATORS:,} x {RATE}/s, delay <= {delay * 1000:g} ms"
        yield Figure(name, "us", ours[delay], baseline, goal)


def _baseline(seconds: float) -> float:
    frame = EventStream().entries(records([WORD], ZERO))
    arguments = ["0", str(SPECTATORS), str(RATE), str(seconds), str(len(frame))]
    with Program(compile("fanout"), *arguments) as program, _crowd(program.port()) as crowd:
        cost = program.answer()
        _check(crowd, seconds)
    return 1e6 * cost["cpu_seconds"] / cost["deliveries"]


def views(seconds: float, repeat: int) -> Iterator[Figure]:
    """The same through a view that filters and enriches, beside the full view: it is encoded once, too."""
    runs = [(_ours(seconds, 0.02, VIEW), _ours(seconds, 0.02)) for _ in range(repeat)]
    name = f"CPU per delivery of a view, {SPECTATORS:,} x {RATE}/s"
    yield Figure(name, "us", [ours for ours, _ in runs], [full for _, full in runs], 1.3)


def _ours(seconds: float, delay: float, path: str = PATH) -> float:
    with tempfile.TemporaryDirectory() as directory:
        new_table(Path(directory))
        with (
            server(Path(directory), "--max-delay", str(delay)) as program,
            _crowd(program.port(), path) as crowd,
        ):
            cost = program.ask(f"say {SPECTATORS} {RATE} {seconds}")
            _check(crowd, seconds)
    return 1e6 * cost["cpu_seconds"] / cost["deliveries"]


def _crowd(port: int, path: str = PATH) -> Program:
    return Program(compile("spectators"), "127.0.0.1", str(port), path, str(SPECTATORS), "0", str(DEADLINE))


def _check(crowd: Program, seconds: float) -> None:
    """A figure counts only if everybody got everything."""
    got = crowd.answer()
    if got["ended"] != SPECTATORS or got["events_total"] < SPECTATORS * RATE * seconds:
        raise RuntimeError(f"not everything was delivered: {got}")
