"""Tables to measure on."""

import asyncio
from pathlib import Path

from protocol import events as e
from protocol.cursor import ZERO
from roundtable.fanout.framing import EventStream
from roundtable.log.sqlite import SqliteLog
from tests.bench.server import CLOSED, WORD, append, records

BATCH = 1000


def new_table(directory: Path) -> None:
    """An open table of one entry."""
    asyncio.run(_write(directory, [e.TermBegan(owner="bench")]))


def closed_table(directory: Path, entries: int) -> bytes:
    """A closed table of so many entries, mostly words; returns them as frames."""
    events = [e.TermBegan(owner="bench"), *[WORD] * (entries - 2), CLOSED]
    asyncio.run(_write(directory, events))
    return EventStream().entries(records(events, ZERO))


async def _write(directory: Path, events: list[e.Event]) -> None:
    log = await SqliteLog.open(directory)
    at = ZERO
    for start in range(0, len(events), BATCH):
        at = await append(log, at, *events[start : start + BATCH])
    await log.close()
