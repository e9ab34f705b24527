"""Row 9: what our `/v1/chat/completions` adds to the server behind it, beside LiteLLM's proxy before the same server.

Three ways to the same tokens over loopback: straight, through us, through LiteLLM; each token says when it was sent.
The client reads bytes and looks into them afterwards. CPU time is the proxy's alone.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.bench import litellm
from tests.bench.figures import Figure
from tests.bench.processes import Program, python

# One stream as fast as it is taken; and many at the pace of a fast model, together what LiteLLM can still carry.
FLOOD, PACED = "0-5000", "50-150"
STREAMS = 10
GOAL = 0.1
PATH = "/v1/chat/completions"
_TOKEN = re.compile(rb'"content":\s*"((?:\d+ )+)"')


class Way(NamedTuple):
    """A way to the tokens: where to ask, which model to name, and whose CPU time counts (0: nobody's)."""

    port: int
    prefix: str
    pid: int


class Run(NamedTuple):
    """Microseconds of CPU per token; milliseconds from asking to the first token, and on the way of each (median)."""

    cpu: float
    first: float
    each: float


def measure(repeat: int) -> Iterator[Figure]:
    """CPU per token, and what each proxy adds to what goes straight."""
    try:
        program = litellm.installed()
    except (OSError, subprocess.SubprocessError) as error:
        print(f"proxying: skipped, as LiteLLM could not be installed: {error}")
        return
    with _ways(program) as (straight, ours, theirs):
        for model, streams, name in (
            (FLOOD, 1, "one stream, no pace"),
            (PACED, STREAMS, f"{STREAMS} streams of 50/s"),
        ):
            for way in (straight, ours, theirs):
                run(way, model, streams)  # the first find everything cold
            runs = [
                (run(straight, model, streams), run(ours, model, streams), run(theirs, model, streams))
                for _ in range(repeat)
            ]
            alone, us, them = zip(*runs, strict=True)
            yield Figure(
                f"proxied, {name}: CPU a token", "us", [r.cpu for r in us], [r.cpu for r in them], GOAL
            )
            yield from _added(name, alone, us, them, paced=streams > 1)


def _added(
    name: str, alone: tuple[Run, ...], us: tuple[Run, ...], them: tuple[Run, ...], *, paced: bool
) -> Iterator[Figure]:
    first, each = median(run.first for run in alone), median(run.each for run in alone)
    added = [run.first - first for run in us], [run.first - first for run in them]
    yield Figure(f"proxied, {name}: first token, added", "ms", *added, 1.0)
    if paced:
        added = [run.each - each for run in us], [run.each - each for run in them]
        yield Figure(f"proxied, {name}: each token, added", "ms", *added, 1.0)


@contextmanager
def _ways(program: Path) -> Iterator[tuple[Way, Way, Way]]:
    with tempfile.TemporaryDirectory() as folder, python("completions") as upstream:
        port = upstream.port()
        config = Path(folder, "roundtable.toml")
        config.write_text(f'[providers.bench]\ndialect = "openai"\nbase_url = "http://127.0.0.1:{port}/v1"\n')
        command = ("-m", "roundtable.cli", "serve", "--port", "0", "--data", folder, "--config", str(config))
        with Program(sys.executable, *command, quiet=True) as server:
            ours = Way(int(server.line().rpartition(":")[2]), "bench:", server.pid)
            with litellm.proxy(program, Path(folder), port, [FLOOD, PACED]) as (listening, pid):
                yield Way(port, "", 0), ours, Way(listening, "", pid)


def run(way: Way, model: str, streams: int) -> Run:
    """All streams at once. Raises `RuntimeError` when a token is missing."""
    before = _cpu(way.pid)
    heard = asyncio.run(_hear(way, model, streams))
    tokens = int(model.partition("-")[2])
    used = _cpu(way.pid) - before
    firsts, delays = [], []
    for asked, reads in heard:
        sent = list(_sent(reads))
        if len(sent) != tokens:
            raise RuntimeError(
                f"not everything was heard: {len(sent)} of {tokens}: {b''.join(d for _, d in reads)[:300]!r}"
            )
        firsts.append((sent[0][1] - asked) / 1e6)
        delays += [(read - at) / 1e6 for at, read in sent]
    return Run(1e6 * used / (tokens * streams), median(firsts), median(delays))


async def _hear(way: Way, model: str, streams: int) -> list[tuple[int, list[tuple[int, bytes]]]]:
    return await asyncio.gather(*(_one(way, model, number / streams / 5) for number in range(streams)))


async def _one(way: Way, model: str, later: float) -> tuple[int, list[tuple[int, bytes]]]:
    """When it was asked, and what was read when; nothing is looked at before the end."""
    await asyncio.sleep(later)  # apart, or their first tokens measure a queue
    body = json.dumps(
        {"model": way.prefix + model, "stream": True, "messages": [{"role": "user", "content": "Why?"}]}
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    asked, reads = time.monotonic_ns(), list[tuple[int, bytes]]()
    writer.write(
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    tail = b""
    while b"[DONE]" not in tail and (data := await reader.read(1 << 16)):
        reads.append((time.monotonic_ns(), data))
        tail = tail[-16:] + data
    writer.close()
    return asked, reads


def _sent(reads: list[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
    """When each token was sent, and when the read that completed it was; a frame may hold several tokens."""
    text, ends = b"", list[tuple[int, int]]()
    for at, data in reads:
        text += data
        ends.append((len(text), at))
    place = iter(ends)
    end, at = next(place)
    for found in _TOKEN.finditer(text):
        while end < found.end():
            end, at = next(place)
        for stamp in found[1].split():
            yield int(stamp), at


def _cpu(pid: int) -> float:
    """Seconds that a process has used, with all its threads, by its own clock (clock_getcpuclockid(3) on Linux): the
    ticks of /proc fall just when what a timer wakes runs."""
    return time.clock_gettime(~pid << 3 | 2) if pid else 0.0
