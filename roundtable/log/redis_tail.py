"""Following streams of Redis for one reader: what its node's followers read is handed on from memory.

A stream is either behind (its next records are fetched as pages) or current (they come from the follower). Joining
late and being too slow for the buffer are the same thing: being behind. Pages go on from a cursor, not from a number:
if the store lost records and their numbers were given again, the reader sees a cursor that does not follow.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, LogDamaged, LogError
from roundtable.log.base import MAX_BATCH_BYTES, Record
from roundtable.log.buffer import Buffer
from roundtable.log.redis_errors import again
from roundtable.log.redis_follower import Follower
from roundtable.log.redis_reader import Reader

# Records of one page; `MAX_BATCH_BYTES` bounds it too.
PAGE = 1000

_logger = logging.getLogger("roundtable.log")


class _Follow:
    """A reader's place in one stream."""

    def __init__(self, place: Cursor) -> None:
        self.place = place  # of the last record delivered
        self.newest: Cursor | None = None  # of the last one known to exist; None until the store has said so
        self.fresh: deque[Record] = deque()  # what follows `place`, up to `newest`
        self.since = ZERO  # notices of deletion up to here speak of an earlier stream of this name
        self.gone: Cursor | None = None  # the latest notice

    @property
    def behind(self) -> bool:
        return self.newest is not None and not self.fresh and self.place < self.newest

    @property
    def deleted(self) -> bool:
        return self.newest is not None and self.gone is not None and self.gone > self.since


class RedisTail:
    """A `Tail` for one iterating task. After an error it is as before: iterating again goes on from there.

    Iterating raises `LogUnavailable` once whenever the server was lost; the tail finds back to it by itself.
    """

    def __init__(
        self, reader: Reader, follower: Callable[[str], Follower], closed: Callable[["RedisTail"], None]
    ) -> None:
        self._reader = reader
        self._follower = follower
        self._leave = closed
        self._follows: dict[str, _Follow] = {}
        self._ready: dict[str, None] = {}  # streams with something to deliver, in turn
        self._buffer = Buffer()
        self._error: LogError | None = None
        self._wake = asyncio.Event()
        self._closed = False

    async def add(self, stream: str, after: Cursor) -> None:
        """Raises `Invalid` when there is no record `after`, `ValueError` when `stream` is followed already."""
        if stream in self._follows:
            raise ValueError(f"{stream} is followed already")
        self._follows[stream] = follow = _Follow(after)
        follower = self._follower(stream)
        follower.join(stream, self)  # first, so that no notice falls between asking and hearing
        try:
            joined = await self._reader.join(stream, after)
            if not joined.there:
                raise Invalid(f"{stream} holds no record {after}.", field="after")
        except BaseException:
            if self._follows.get(stream) is follow:
                self.remove(stream)
            raise
        if self._follows.get(stream) is follow:  # else removed while we asked
            follow.since = joined.noticed
            follow.newest = max(joined.last, follower.at(stream))
            self._announce(stream, follow)
            await follower.begin(stream, joined)

    def remove(self, stream: str) -> None:
        """No error if the stream is not followed, as when it was deleted meanwhile."""
        if follow := self._follows.pop(stream, None):
            self._buffer.drop(follow.fresh)
            self._ready.pop(stream, None)
            self._follower(stream).leave(stream, self)

    def publish(self, stream: str, records: list[Record]) -> None:
        """Hear of new records, in order; hearing of one twice does no harm."""
        follow = self._follows[stream]
        if follow.newest is None:
            return  # `add` will learn of them
        last = follow.fresh[-1].cursor if follow.fresh else follow.place
        if not follow.behind:
            self._buffer.hold(follow.fresh, [record for record in records if record.cursor > last])
        follow.newest = max(follow.newest, records[-1].cursor)
        self._announce(stream, follow)

    def dismiss(self, stream: str, notice: Cursor) -> bool:
        """Hear of a deletion; whether it is of the stream that we follow."""
        follow = self._follows[stream]
        follow.gone = notice
        self._announce(stream, follow)
        return follow.deleted

    def fail(self, error: LogError) -> None:
        """Raise it to whoever iterates."""
        self._error = again(error)
        self._wake.set()

    def __aiter__(self) -> "RedisTail":
        return self

    async def __anext__(self) -> tuple[str, list[Record]]:
        while not self._closed:
            if self._error:
                error, self._error = self._error, None
                raise error
            if not self._ready:
                self._wake.clear()
                await self._wake.wait()
                continue
            stream = next(iter(self._ready))
            follow = self._follows[stream]
            try:
                records = await self._next(stream, follow)
            finally:  # at the end of the line, even after an error: no stream holds up the others
                current = self._follows.get(stream) is follow
                if current:
                    del self._ready[stream]
                    self._announce(stream, follow)
            if current and follow.deleted:
                self.remove(stream)
                return stream, []
            if current and records:
                return stream, records
        raise StopAsyncIteration

    async def close(self) -> None:
        """End the iteration."""
        self._closed = True
        for stream in tuple(self._follows):
            self.remove(stream)
        self._leave(self)
        self._wake.set()

    def _announce(self, stream: str, follow: _Follow) -> None:
        if follow.fresh or follow.behind or follow.deleted:
            self._ready[stream] = None
            self._wake.set()

    async def _next(self, stream: str, follow: _Follow) -> list[Record]:
        if follow.deleted:
            return []
        if follow.fresh:
            records = self._buffer.take(follow.fresh)
            follow.place = records[-1].cursor
            return records
        return await self._catch_up(stream, follow)

    async def _catch_up(self, stream: str, follow: _Follow) -> list[Record]:
        known = follow.newest
        try:
            page = await self._reader.after(stream, follow.place, PAGE, MAX_BATCH_BYTES)
        except LogDamaged as error:
            # Raised, it would come back at each turn and stop whoever follows other streams too.
            _logger.error("%s can no longer be followed: %s", stream, error.detail)  # noqa: TRY400 - known by its text
            follow.gone = Cursor(follow.since.term, follow.since.seq + 1)
            return []
        if page:
            follow.place = page[-1].cursor
        elif follow.newest == known:
            follow.newest = follow.place  # what we had heard of is there no longer
        return page
