"""Row 11: how soon a command has closed the connection of the model that speaks, beside what is promised.

A whole server on a loopback port with its store on disk; the model's server is a thread that waits for its connection's
end. Two clocks: from sending the command, and from the 200 that tells its effect (negative: closed before it was told).
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from providers.placement import Custom
from roundtable.config import Config
from roundtable.edge import app
from roundtable.sdk.client import Client
from tests.bench.cancel import DEADLINE, HEAD, WARM_UP, Server
from tests.bench.figures import Figure
from tests.serving import TABLES

TURNS = 40
# Milliseconds: what a command may take to have its effect (the figure).
PROMISED = 100.0
WORD = b'data: {"choices":[{"delta":{"content":"I say so "}}]}\n\n'
SEAT = {"name": "Ada", "model": "house:x"}
KINDS: dict[str, dict[str, Any]] = {
    "skip": {"type": "skip"},
    "cancel": {"type": "cancel", "turn": "t1"},
    "swap": {"type": "swap", "panelist": "Ada", "seat": {"name": "Ada", "model": "scripted:ada"}},
    "close": {"type": "close"},
}  # fmt: skip


def measure(repeat: int) -> Iterator[Figure]:
    """Milliseconds until the model's side of the connection has ended."""
    sent, told = asyncio.run(_measure(repeat * TURNS))
    for name, runs in (("sent", sent), ("answered", told)):
        yield Figure(f"a command {name}, until upstream is closed", "ms", runs, [PROMISED], 1.0)
        p99 = quantiles(runs, n=100)[98]
        yield Figure("... 99th percentile", "ms", [p99], [PROMISED], 1.0)


async def _measure(turns: int) -> tuple[list[float], list[float]]:
    with tempfile.TemporaryDirectory() as folder, Server(HEAD + WORD) as model:
        config = Config(data=Path(folder), providers={"house": Custom("openai", model.url)})
        async with TestClient(TestServer(app.build(config))) as client:
            runs = [
                await _stop(client, model, list(KINDS.values())[turn % len(KINDS)]) for turn in range(turns)
            ]
    sent, told = zip(*runs[WARM_UP:], strict=True)
    return list(sent), list(told)


async def _stop(client: TestClient[Any, Any], model: Server, command: dict[str, Any]) -> tuple[float, float]:
    answer = await client.post(TABLES, json={"topic": "Why?", "panel": [SEAT], "limits": {"max_turns": 1}})
    table = (await answer.json())["id"]
    await asyncio.to_thread(model.asked.get, timeout=DEADLINE)
    async with Client(str(client.make_url("")).rstrip("/")) as reader:
        async for entry in reader.events(table):
            if getattr(entry.event, "text", ""):
                break
    began = time.perf_counter()
    done = await client.post(f"{TABLES}/{table}/commands", json=command, headers={"Idempotency-Key": "k"})
    answered = time.perf_counter()
    if done.status != 200:
        raise RuntimeError(await done.text())
    ended = await asyncio.to_thread(model.ended.get, timeout=DEADLINE)
    return 1000 * (ended - began), 1000 * (ended - answered)
