"""One reader who takes a stream's records at his own pace: what a channel pushes, this lets be pulled.

It is a cursor and a little that waits, within a bound; what is beyond is read in the log, as by everyone who is late.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

from protocol.cursor import Cursor
from protocol.errors import LogUnavailable, NotFound
from roundtable.fanout.channel import Left
from roundtable.log.base import MAX_BATCH_BYTES, EventLog, Record

# What may wait for one reader; past it the log is read again. Bytes.
MAX_WAITING = MAX_BATCH_BYTES


class Reading:
    """Made by `Broadcast.reading`. Iterate it, or `take` from it; one task may."""

    def __init__(self, log: EventLog, name: str, cursor: Cursor, tip: Cursor) -> None:
        self.name, self.cursor = name, Cursor(cursor.term, cursor.seq)
        self._log = log
        self._tip = tip  # the last record we know to exist
        self._fresh: deque[Record] = deque()  # follows `cursor` without a gap, or is empty
        self._size = 0
        self._ended = False
        self._left: Left | None = None
        self._news = asyncio.Event()

    # What the fan-out says

    def offer(self, records: Sequence[Record]) -> None:
        """Records that follow the last ones offered."""
        held = self._fresh[-1].cursor if self._fresh else self.cursor
        self._tip = records[-1].cursor
        self._size += sum(len(record.body) for record in records)
        if self._size > MAX_WAITING or records[0].cursor.seq > held.seq + 1:
            self._forget()
        else:
            self._fresh += [record for record in records if record.cursor.seq > held.seq]
        self._news.set()

    def close(self) -> None:
        """What was offered is all there will be."""
        self._ended = True
        self._news.set()

    def dismiss(self, left: Left) -> None:
        """Send the reader away."""
        self._left = left
        self._news.set()

    # What the reader does

    @property
    def ended(self) -> bool:
        """Whether the reader has all there will ever be."""
        return self._ended and self.cursor.seq >= self._tip.seq

    async def take(self) -> list[Record]:
        """The next records as soon as there are any, `MAX_WAITING` bytes at the most or one; none at the end.

        Raises `NotFound` when the stream was deleted, and `LogError`, also (`LogUnavailable`) when this node stops.
        """
        while True:
            if self._left == "deleted":
                raise NotFound(f"{self.name} was deleted.")
            if records := self._waiting() or await self._behind():
                self.cursor = records[-1].cursor
                return records
            if self.ended:
                return []
            if self._left is not None:  # after what was offered, which may be the end
                raise LogUnavailable("This server is going down, or cannot read its store; come back.")
            self._news.clear()
            await self._news.wait()

    async def here(self) -> Record:
        """The record that the reader stands at, who has come past the first. Raises `LogError`."""
        records = await self._log.read(self.name, self.cursor.seq - 1, limit=1)
        if not records or records[0].cursor != self.cursor:
            raise LogUnavailable(f"{self.name} no longer holds {self.cursor}.")
        return records[0]

    async def __aiter__(self) -> AsyncIterator[Record]:
        while records := await self.take():
            for record in records:
                yield record

    def _waiting(self) -> list[Record]:
        records = list(self._fresh)
        self._forget()
        return records

    async def _behind(self) -> list[Record]:
        """What the log has and nobody offered, or what was too much to be held."""
        while self.cursor.seq < self._tip.seq:
            records = await self._log.read(self.name, self.cursor.seq)
            fresh = [record for record in records if record.cursor.seq <= self._tip.seq]
            # What came while we read follows on, or is read in its turn.
            while self._fresh and fresh and self._fresh[0].cursor.seq <= fresh[-1].cursor.seq:
                self._size -= len(self._fresh.popleft().body)
            if self._fresh and fresh and self._fresh[0].cursor.seq != fresh[-1].cursor.seq + 1:
                self._forget()
            if not fresh:
                raise LogUnavailable(f"{self.name} holds nothing after {self.cursor}, but had {self._tip}.")
            return fresh
        return []

    def _forget(self) -> None:
        self._fresh.clear()
        self._size = 0
