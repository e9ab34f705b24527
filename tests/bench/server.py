"""Our side of the measurements: the log, the fan-out and the event stream, as the product wires them, and a clock.

    python -m tests.bench.server DIR [--max-delay S]

Prints "port P". Then it takes one command a line and answers with one line of JSON: `cpu` - what this process has
used; `say SPECTATORS RATE SECONDS` - when so many are there, append RATE entries a second for SECONDS, close the
table, and when all have left tell what that cost.
"""

import argparse
import asyncio
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from protocol import codec
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from roundtable.broadcast import Broadcast
from roundtable.edge import sse
from roundtable.edge.keys import BROADCAST
from roundtable.log.base import EventLog, Record
from roundtable.log.sqlite import SqliteLog

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


async def main(directory: Path, max_delay: float) -> None:
    log = await SqliteLog.open(directory)
    broadcast = Broadcast(log, max_delay=max_delay)
    await broadcast.start()
    app = web.Application()
    app[BROADCAST] = broadcast
    app.router.add_get("/v1/roundtables/{id}/events", sse.events, allow_head=False)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print("port", runner.addresses[0][1], flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *arguments = line.split()
        if command == "say":
            answer = await say(log, broadcast, *map(float, arguments))
        else:
            answer = {"cpu_seconds": cpu()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--max-delay", type=float, default=0.02)
    options = parser.parse_args()
    asyncio.run(main(options.directory, options.max_delay))
