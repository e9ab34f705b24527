"""A stream that any node may append to: its tail is taken by trying, behind whatever was first."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from protocol.codec import UNREADABLE, Envelope, encode_body
from protocol.cursor import ZERO, Cursor, next_term
from protocol.errors import Conflict
from protocol.events import Event
from roundtable.log.base import EventLog, Record

_envelope = msgspec.json.Decoder(Envelope)


class Shared:
    """Stream `name` as this node knows it: `noted` is told each record in order, whoever wrote it, and `lost` when all
    of them are forgotten, as the stream was deleted or the store has lost some."""

    def __init__(
        self,
        log: EventLog,
        name: str,
        clock: Callable[[], float],
        noted: Callable[[Record], None] = lambda _: None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.last: Cursor = ZERO
        self._log, self.name, self._clock = log, name, clock
        self._noted, self._lost = noted, lost
        self._term = 0  # the highest ever met here, as a deleted stream begins again under a new one
        self._newest = b""
        self._turn = asyncio.Lock()

    async def add(self, decide: Callable[[], Sequence[Event]]) -> None:
        """Append what `decide` says, if anything, when all that came before is noted; it is asked again when another
        was first, and may raise."""
        async with self._turn:
            while True:
                await self._catch_up()
                events = decide()
                if not events:
                    return
                now = max(self._clock(), _at(self._newest))  # clocks of nodes differ, and `at` runs one way
                term, seq = next_term(self._term, now), self.last.seq
                batch = [
                    Record(Cursor(term, place), encode_body(event, now))
                    for place, event in enumerate(events, seq + 1)
                ]
                try:
                    await self._log.append(self.name, self.last, batch)
                except Conflict:
                    continue  # read what was written and try behind it
                for record in batch:
                    self._note(record)
                return

    async def catch_up(self) -> None:
        """Note what others wrote."""
        async with self._turn:
            await self._catch_up()

    async def renew(self) -> None:
        """Delete the stream; what is added next begins it again. Who reads it comes back and is told `reset`."""
        async with self._turn:
            await self._log.delete(self.name)
            await self._catch_up()

    async def _catch_up(self) -> None:
        if not await self._log.has(self.name, self.last):
            self.last = ZERO
            self._lost()
        while records := await self._log.read(self.name, self.last.seq):
            for record in records:
                self._note(record)

    def _note(self, record: Record) -> None:
        self.last, self._newest = record
        self._term = max(self._term, record.cursor.term)
        self._noted(record)


def _at(body: bytes) -> float:
    """When a record was written; 0 for none, or one that nobody can read."""
    try:
        return _envelope.decode(body).at
    except UNREADABLE:
        return 0.0
