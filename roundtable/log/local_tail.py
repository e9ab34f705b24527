"""Following streams of a store that one process holds: what it commits is handed on from memory.

A stream is either `behind` (its next records are read from the store) or current (they come from memory).
Joining late and being too slow for the buffer are the same thing: being behind.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from protocol.cursor import Cursor
from protocol.errors import Invalid
from roundtable.log.base import EventLog, Record
from roundtable.log.buffer import Buffer


class _Follow:
    """A reader's place in one stream."""

    def __init__(self, after: int) -> None:
        self.end = after  # seq of the last record delivered or held in `fresh`
        self.newest = 0  # seq of the last record committed since we follow; 0: none yet
        self.behind = True
        self.deleted = False
        self.fresh: deque[Record] = deque()


class LocalTail:
    """A `Tail` for one iterating task. After an error it is as before: iterating again goes on from there."""

    def __init__(self, log: EventLog, audience: set["LocalTail"]) -> None:
        self._log = log
        self._audience = audience
        self._follows: dict[str, _Follow] = {}
        self._ready: dict[str, None] = {}  # streams with something to deliver, in turn
        self._buffer = Buffer()
        self._wake = asyncio.Event()
        self._closed = False
        audience.add(self)

    async def add(self, stream: str, after: Cursor) -> None:
        """Raises `Invalid` when there is no record `after`, `ValueError` when `stream` is followed already."""
        if stream in self._follows:
            raise ValueError(f"{stream} is followed already")
        # Every commit and deletion from here on is told to us, and every earlier commit is seen by the first read.
        self._follows[stream] = follow = _Follow(after.seq)
        try:
            if not await self._log.has(stream, after):
                raise Invalid(f"{stream} holds no record {after}.", field="after")
        except BaseException:
            if self._follows.get(stream) is follow:
                self.remove(stream)
            raise
        if self._follows.get(stream) is follow:
            self._announce(stream, follow)

    def remove(self, stream: str) -> None:
        """No error if the stream is not followed."""
        if follow := self._follows.pop(stream, None):
            self._drop(follow)
            self._ready.pop(stream, None)

    def publish(self, stream: str, batch: Sequence[Record]) -> None:
        """Hear of a commit. Called on the loop in the order of commits; hearing of one twice does no harm."""
        follow = self._follows.get(stream)
        if follow is None or follow.deleted:
            return
        follow.newest = batch[-1].cursor.seq
        if follow.behind:
            return
        if batch[0].cursor.seq > follow.end + 1:  # a commit before this one was taken for a failure
            self._drop(follow)
        else:
            self._hold(follow, [record for record in batch if record.cursor.seq > follow.end])
        self._announce(stream, follow)

    def deleted(self, stream: str) -> None:
        """Hear that `stream` was deleted: that is the next we say of it, and the last."""
        if follow := self._follows.get(stream):
            self._drop(follow)
            follow.deleted = True
            self._announce(stream, follow)

    def __aiter__(self) -> "LocalTail":
        return self

    async def __anext__(self) -> tuple[str, list[Record]]:
        while not self._closed:
            if not self._ready:
                self._wake.clear()
                await self._wake.wait()
                continue
            stream = next(iter(self._ready))
            follow = self._follows[stream]
            records = (
                self._buffer.take(follow.fresh) if follow.fresh else await self._catch_up(stream, follow)
            )
            if self._follows.get(stream) is not follow:
                continue  # it was removed while we read
            if follow.deleted:
                self.remove(stream)
                return stream, []
            del self._ready[stream]
            self._announce(stream, follow)  # at the end of the line: no busy stream holds up the others
            if records:
                return stream, records
        raise StopAsyncIteration

    async def close(self) -> None:
        """End the iteration."""
        self._closed = True
        self._audience.discard(self)
        self._wake.set()

    def _announce(self, stream: str, follow: _Follow) -> None:
        if follow.fresh or follow.behind:
            self._ready[stream] = None
            self._wake.set()

    def _hold(self, follow: _Follow, records: list[Record]) -> None:
        held = len(follow.fresh)
        if self._buffer.hold(follow.fresh, records):
            follow.end += len(records)
        else:
            follow.end -= held
            follow.behind = True

    def _drop(self, follow: _Follow) -> None:
        follow.end -= len(follow.fresh)
        follow.behind = True
        self._buffer.drop(follow.fresh)

    async def _catch_up(self, stream: str, follow: _Follow) -> list[Record]:
        if follow.deleted:
            return []
        known = follow.newest
        page = await self._log.read(stream, follow.end)
        follow.end += len(page)
        # While nothing was committed before our eyes, only an empty page proves that there is no more.
        follow.behind = follow.end < follow.newest if follow.newest else bool(page)
        if not page and follow.end < known:
            follow.deleted = True  # by a commit that was taken for a failure
        return page
