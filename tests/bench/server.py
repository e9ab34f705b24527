"""Our side of the measurements: the log, the fan-out and the event stream, as the product wires them, and a clock.

    python -m tests.bench.server DIR [--redis URL] [--max-delay S]

Prints "port P". Then it takes one command a line and answers with one line of JSON: `cpu` - what this process has
used; `memory` - what it holds; `begin` - make the table anew; `say SPECTATORS RATE SECONDS` - when so many are there,
append RATE entries a second for SECONDS, close the table, and when all have left tell what that cost;
`laps SPECTATORS COUNT PAUSE` - append COUNT words that say when they were appended.
"""

import argparse
import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from aiohttp import web

from protocol import codec
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from roundtable.config import Config
from roundtable.edge.keys import BROADCAST
from roundtable.edge.limits import Limits
from roundtable.edge.streams.streams import Streams
from roundtable.edge.wires import sse
from roundtable.edge.wires.websocket import Sockets
from roundtable.fanout.broadcast import Broadcast
from roundtable.log.base import EventLog, Record
from roundtable.log.opening import open_log

TABLE = "table/bench"
TERM = 1_763_675_000_123
AT = 1_763_675_000.5
WORD = e.TurnDelta(turn="t3", panelist="Ada", attempt=1, text=" and")
CLOSED = e.TableClosed(reason="max_turns")


def records(events: Sequence[e.Event], after: Cursor) -> list[Record]:
    return [
        Record(Cursor(TERM, seq), codec.encode_body(event, AT))
        for seq, event in enumerate(events, after.seq + 1)
    ]


async def append(log: EventLog, after: Cursor, *events: e.Event) -> Cursor:
    """The events in one append; returns the last one's cursor."""
    batch = records(events, after)
    await log.append(TABLE, after, batch)
    return batch[-1].cursor


def cpu() -> float:
    """Seconds this process has used, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def say(
    log: EventLog, broadcast: Broadcast, spectators: float, rate: float, seconds: float
) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    await _until(broadcast, spectators)
    last = await log.last(TABLE)
    at = last.cursor if last else ZERO
    used, began = cpu(), loop.time()
    count = int(rate * seconds)
    for number in range(count):
        await asyncio.sleep(began + number / rate - loop.time())
        at = await append(log, at, WORD)
    await append(log, at, CLOSED)
    await _until(broadcast, 0)
    return {"cpu_seconds": cpu() - used, "wall": loop.time() - began, "deliveries": count * spectators}


async def _until(broadcast: Broadcast, spectators: float) -> None:
    while broadcast.spectators(TABLE) != spectators:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)


async def begin(log: EventLog) -> dict[str, float]:
    """A new table of one entry, in place of the one there was."""
    await log.delete(TABLE)
    await append(log, ZERO, e.TermBegan(owner="bench"))
    return {"appended": 1}


async def laps(
    log: EventLog, broadcast: Broadcast, spectators: float, count: float, pause: float
) -> dict[str, float]:
    """Append words that hold the monotonic clock's nanoseconds, `pause` seconds apart."""
    await _until(broadcast, spectators)
    last = await log.last(TABLE)
    at = last.cursor if last else ZERO
    for _ in range(int(count)):
        await asyncio.sleep(pause)
        at = await append(log, at, msgspec.structs.replace(WORD, text=str(time.monotonic_ns())))
    return {"appended": count}


def memory() -> dict[str, float]:
    """What this process holds in memory, in KiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"kib": pages * resource.getpagesize() / 1024}


Answer = Callable[..., Awaitable[dict[str, float]]]


async def answer_lines(commands: Mapping[str, Answer]) -> None:
    """Answer each line of standard input: one of `commands` with numbers behind it, `cpu` or `memory`."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        name, *arguments = line.split()
        if name in commands:
            answer = await commands[name](*map(float, arguments))
        else:
            answer = memory() if name == "memory" else {"cpu_seconds": cpu()}
        print(json.dumps(answer), flush=True)


async def main(directory: Path, redis: str, max_delay: float) -> None:
    log = await open_log(directory, redis)
    broadcast = Broadcast(log, max_delay=max_delay)
    await broadcast.start()
    app = web.Application()
    app[BROADCAST] = broadcast
    app.router.add_get("/v1/roundtables/{id}/events", sse.events, allow_head=False)
    streams = Streams(Sockets(Limits(Config())))
    app.router.add_get("/v1/stream/{type}/{id}", streams.one, allow_head=False)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print("port", runner.addresses[0][1], flush=True)
    commands: dict[str, Answer] = {
        "begin": partial(begin, log),
        "say": partial(say, log, broadcast),
        "laps": partial(laps, log, broadcast),
    }
    await answer_lines(commands)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--redis", default="")
    parser.add_argument("--max-delay", type=float, default=0.02)
    options = parser.parse_args()
    asyncio.run(main(options.directory, options.redis, options.max_delay))
