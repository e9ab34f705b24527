"""One table held in this process, for a terminal or a pipe: convened, read from the log like any viewer, closed.

Nobody is left to speak (and to spend) when the asker is gone: whatever ends `hold` early closes the table.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from protocol import commands
from protocol.codec import decode_body
from protocol.errors import RoundtableError
from protocol.transcript import Transcript, apply
from roundtable.config import Config
from roundtable.log.base import Record
from roundtable.sdk.local import local
from roundtable.sdk.streams import Streams
from roundtable.sdk.tables import Convened
from roundtable.signals import stop_on

# Seconds for a table to close when asked: whoever speaks is cut at once, then two appends.
CLOSE_WITHIN = 5.0

Show = Callable[[Record], None]
Convene = Callable[[Streams], Awaitable[Convened]]


class Held(NamedTuple):
    """How it went. `interrupted`: the asker ended it."""

    table: str
    transcript: Transcript
    interrupted: bool


async def hold(config: Config, convene: Convene, show: Show, *, record: bool = True) -> Held:
    """Hold the table that `convene` opens to its end; `show` gets every record as the log has it. SIGINT or SIGTERM
    close the table.

    Raises `LogUnavailable` when the data directory is in use, and what `convene` raises.
    """
    stop = stop_on(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # Off the record no directory is needed, so none is locked: a server may be using it. What others left open in one
    # is theirs to go on with.
    data = config.data if record else None
    async with local(data, config=config, take_over=False) as streams:
        table, _ = await convene(streams)
        transcript = Transcript()
        reading = asyncio.create_task(_read(streams, table, transcript, show))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if transcript.status != "closed":
                with suppress(RoundtableError):  # it may have closed by itself meanwhile
                    await streams.command(table, commands.Close(), key="ask-interrupted")
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN if stop.is_set() else None):
                await reading
        return Held(table, transcript, stop.is_set())


async def _read(streams: Streams, table: str, transcript: Transcript, show: Show) -> None:
    async for record in streams.records(table):
        apply(transcript, decode_body(*record))
        show(record)
