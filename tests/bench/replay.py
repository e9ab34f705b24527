"""Row 2: a long table replayed to one reader, beside `bulk.c`, which sends the same bytes from memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.baseline import compile  # noqa: A004
from tests.bench.figures import Figure
from tests.bench.prepare import closed_table
from tests.bench.processes import DEADLINE, PATH, Program, server

ENTRIES = 100_000
GOAL = 2.0
# Milliseconds of CPU time of the server, and from the connect to the last byte.
Cost = tuple[float, float]


def measure(repeat: int) -> Iterator[Figure]:
    """First replay after the server's start (cold: all is read from the log) and the next one (warm)."""
    runs: dict[str, list[Cost]] = {"frames": [], "blocks": [], "cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as directory:
        frames = Path(directory) / "frames"
        frames.write_bytes(closed_table(Path(directory), ENTRIES))
        for _ in range(repeat):
            for mode in ("frames", "blocks"):
                runs[mode].append(_baseline(frames, mode))
            with server(Path(directory)) as program:
                port = program.port()
                for state in ("cold", "warm"):
                    runs[state].append(_ours(program, port))
    for mode in ("frames", "blocks"):
        for state in ("cold", "warm"):
            for at, what in enumerate(("CPU", "wall")):
                name = f"replay of {ENTRIES:,}, {state}: {what} beside C by {mode}"
                ours, baseline = ([run[at] for run in runs[key]] for key in (state, mode))
                yield Figure(name, "ms", ours, baseline, GOAL)


def _baseline(frames: Path, mode: str) -> Cost:
    with Program(compile("bulk"), "0", frames, mode) as program:
        wall = _read(program.port())
        return 1000 * program.answer()["cpu_seconds"], wall


def _ours(program: Program, port: int) -> Cost:
    before = program.ask("cpu")["cpu_seconds"]
    wall = _read(port)
    return 1000 * (program.ask("cpu")["cpu_seconds"] - before), wall


def _read(port: int) -> float:
    """Milliseconds until one reader has everything."""
    with Program(compile("spectators"), "127.0.0.1", str(port), PATH, "1", "0", str(DEADLINE)) as reader:
        got = reader.answer()
    if got["events_total"] < 0.999 * ENTRIES:  # the reader misses a few words that blocks cut in two
        raise RuntimeError(f"not everything was delivered: {got}")
    return float(1000 * got["wall"])
