"""Row 3: what the whole way - host, turn, log, fan-out, socket - adds to a model's first word, beside the model alone.

The model is scripted: it answers after `TTFT` seconds, and its own timer's lateness is in both figures.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing, closing
from http.client import HTTPConnection

from protocol import sse
from protocol.messages import Message
from providers.base import Request
from providers.scripted import ScriptedProvider
from tests.bench.figures import Figure
from tests.bench.processes import Program

TTFT = 0.02
OPTIONS = {"text": "Because it is so.", "ttft": TTFT, "rate": 0}
TABLES = 60
WARM_UP = 5  # the first find everything cold
# Milliseconds at the median.
GOAL = 3.0


def measure(repeat: int) -> Iterator[Figure]:
    """Milliseconds until the first word has come: over a socket, from when the host turned to the model and from when
    the table was asked for; and from the provider alone. One table after the other, each beside the provider."""
    with tempfile.TemporaryDirectory() as directory:
        command = (sys.executable, "-m", "roundtable.cli", "serve", "--port", "0", "--data", directory)
        with Program(*command, quiet=True) as server:
            runs = _measure(server.line().removeprefix("listening on http://"), repeat * TABLES)
    asked, convened, alone = zip(*runs[WARM_UP:], strict=True)
    yield Figure("first word at the socket, from the model's turn", "ms", asked, alone, GOAL, added=True)
    yield Figure("first word at the socket, from convening", "ms", convened, alone, GOAL, added=True)


def _measure(address: str, tables: int) -> list[tuple[float, float, float]]:
    with asyncio.Runner() as runner, closing(HTTPConnection(address)) as connection:
        return [(*_whole(connection), runner.run(_alone())) for _ in range(tables)]


def _whole(connection: HTTPConnection) -> tuple[float, float]:
    """Blocking reads: the figure is to hold our server's time, and as little of a client's as can be."""
    seat = {"name": "Ada", "model": "scripted:bench", "options": OPTIONS}
    ask = {"topic": "Why?", "panel": [seat], "limits": {"max_turns": 1}}
    convened = time.time()  # the clock of the log, so that an entry's `at` can be compared with it
    connection.request("POST", "/v1/roundtables", json.dumps(ask), {"Content-Type": "application/json"})
    events = json.loads(connection.getresponse().read())["links"]["events"]
    connection.request("GET", events)
    decoder, asked = sse.Decoder(), 0.0
    with connection.getresponse() as response:
        while chunk := response.read1():
            now = time.time()
            for frame in decoder.feed(chunk):
                if frame.event == "turn.started":
                    asked = json.loads(frame.data)["at"]
                elif frame.event == "turn.delta":
                    connection.close()
                    return 1000 * (now - asked), 1000 * (now - convened)
    raise RuntimeError("the table ended without a word")


async def _alone() -> float:
    provider = ScriptedProvider()
    request = Request(
        model="bench", system="", messages=(Message("user", "Why?"),), options=OPTIONS, speaker="Ada"
    )
    began = time.perf_counter()
    async with aclosing(provider.stream(request)) as chunks:
        await anext(chunks)
    return 1000 * (time.perf_counter() - began)
