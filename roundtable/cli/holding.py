"""One table held in this process, for a terminal or a pipe: convened, read from the log like any viewer, closed.

Nobody is left to speak (and to spend) when the asker is gone: whatever ends `hold` early closes the table.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import NamedTuple

import msgspec

from protocol import commands
from protocol.codec import decode_body
from protocol.cursor import ZERO
from protocol.errors import RoundtableError
from protocol.events import TableClosed
from protocol.transcript import Transcript, apply
from providers.catalog import Catalog
from roundtable.config import Config
from roundtable.hosting.convening import AskedLimits, AskedSeat, Convene
from roundtable.hosting.host import Host, stream
from roundtable.log.base import EventLog, Record
from roundtable.log.memory import MemoryLog
from roundtable.log.opening import open_log
from roundtable.log.split import SplitLog
from roundtable.signals import stop_on

# Seconds for a table to close when asked: whoever speaks is cut at once, then two appends.
CLOSE_WITHIN = 5.0

Show = Callable[[Record], None]


class Question(NamedTuple):
    """What was asked on the command line. `seats` are names and models; none means the default panel."""

    topic: str
    seats: Sequence[tuple[str, str]]
    max_rounds: int
    max_dollars: float | None
    policy: str = "round_robin"
    record: bool = True


class Held(NamedTuple):
    """How it went. `interrupted`: the asker ended it."""

    table: str
    transcript: Transcript
    interrupted: bool


async def hold(config: Config, question: Question, show: Show) -> Held:
    """Hold the table to its end; `show` gets every record as the log has it. SIGINT or SIGTERM close the table.

    Raises `LogUnavailable` when the data directory is in use, `Invalid` when the question cannot be put.
    """
    stop = stop_on(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    async with AsyncExitStack() as stack:
        log = await open_log(config.data) if question.record else _nowhere()
        stack.push_async_callback(log.close)
        catalog = Catalog(os.environ, config.providers, model_folders=config.model_folders)
        stack.push_async_callback(catalog.close)
        host = Host(log, catalog)
        stack.push_async_callback(host.close)
        await host.start(take_over=False)  # what others left open is theirs to go on with
        table, _ = await host.convene(_convene(question))
        transcript = Transcript()
        reading = asyncio.create_task(_read(log, table, transcript, show))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if transcript.status != "closed":
                await _close(host, table)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN if stop.is_set() else None):
                await reading
        return Held(table, transcript, stop.is_set())


def _nowhere() -> EventLog:
    """Off the record no directory is needed, so none is locked: a server may be using it."""
    return SplitLog(MemoryLog(), MemoryLog())


def _convene(question: Question) -> Convene:
    limits = AskedLimits(max_rounds=question.max_rounds, max_dollars=question.max_dollars)
    panel = [AskedSeat(name, model) for name, model in question.seats]
    return Convene(
        question.topic, panel or msgspec.UNSET, policy=question.policy, limits=limits, record=question.record
    )


async def _read(log: EventLog, table: str, transcript: Transcript, show: Show) -> None:
    tail = await log.tail()
    try:
        await tail.add(stream(table), ZERO)
        async for _, records in tail:
            for record in records:
                entry = decode_body(*record)
                apply(transcript, entry)
                show(record)
                if isinstance(entry.event, TableClosed):
                    return
    finally:
        await tail.close()


async def _close(host: Host, table: str) -> None:
    with suppress(RoundtableError):  # it may have closed by itself meanwhile
        await host.submit(table, "ask-interrupted", commands.Close(), wait=CLOSE_WITHIN)
