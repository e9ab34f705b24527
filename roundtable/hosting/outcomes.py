"""What came of a command: read in the table's log, as its owner may be on any node.

While somebody waits for a table, its stream is followed; whoever waits looks again when there is something new.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from protocol import codec
from protocol import events as e
from protocol.cursor import Cursor
from protocol.errors import LogError, NotFound, WrongState
from roundtable.hosting.snapshots import Snapshots
from roundtable.log.base import EventLog, Record, Tail

log = logging.getLogger("roundtable.outcomes")

# Between attempts to follow while the store cannot be used; seconds.
STORE_PAUSE = 1.0


class Outcomes:
    """`start` it, ask it, cancel what `run` runs in, `close` it. May raise `LogError`."""

    def __init__(self, log: EventLog, snapshots: Snapshots) -> None:
        self._log = log
        self._snapshots = snapshots
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._changing = asyncio.Lock()  # held while the tail's set of streams changes, which takes time

    async def start(self) -> None:
        self._tail: Tail = await self._log.tail()

    async def close(self) -> None:
        await self._tail.close()

    async def run(self) -> None:
        """Follow what is waited for."""
        while True:
            try:
                async for stream, records in self._tail:
                    if _tells(records):
                        self._wake(stream)
                return
            except LogError as error:
                log.warning("outcomes cannot be read: %s", error.detail)
                await asyncio.sleep(STORE_PAUSE)

    async def of(self, stream: str, key: str) -> e.Entry:
        """The entry that the command with this key led to; waits for it.

        Raises `WrongState` when the table refused it or closed before it, `NotFound` when the table is gone.
        """
        async with self._watch(stream) as changed:
            while True:
                changed.clear()
                place = await self._place(stream, key)
                if place is not None:
                    return await self._entry(stream, place)
                await changed.wait()

    async def _place(self, stream: str, key: str) -> Cursor | None:
        transcript = await self._snapshots.of(stream)
        if transcript is None:
            raise NotFound("The table was deleted before it came to this.")
        if key in transcript.commands:
            return Cursor.parse(transcript.commands[key])
        if transcript.status == "closed":
            raise WrongState("The table closed before it came to this.")
        return None

    async def _entry(self, stream: str, place: Cursor) -> e.Entry:
        entry = codec.decode_body(*(await self._log.read(stream, place.seq - 1, limit=1))[0])
        if isinstance(entry.event, e.CommandRefused):
            raise WrongState(entry.event.detail, code=entry.event.code)
        return entry

    @asynccontextmanager
    async def _watch(self, stream: str) -> AsyncIterator[asyncio.Event]:
        changed = asyncio.Event()
        async with self._changing:
            if stream not in self._waiting:
                last = await self._log.last(stream)
                if last is not None:
                    await self._tail.add(stream, last.cursor)
            self._waiting.setdefault(stream, set()).add(changed)
        try:
            yield changed
        finally:
            self._waiting[stream].discard(changed)
            if not self._waiting[stream]:
                del self._waiting[stream]
                self._tail.remove(stream)

    def _wake(self, stream: str) -> None:
        for changed in self._waiting.get(stream, ()):
            changed.set()


def _tells(records: list[Record]) -> bool:
    """Whether a batch may hold a command's effect, or the end of all waiting. Words alone wake nobody."""
    return not records or any(
        b'"command":"' in record.body or codec.body_type(record.body) == b"table.closed" for record in records
    )
