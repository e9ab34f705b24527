"""Following one partition for a whole node: a single XREAD blocks over every stream that its tails follow there.

It goes by explicit IDs, never by `$`, so nothing falls between two reads. A stream that joins while XREAD is blocked
ends it through the node's wake key. CLIENT UNBLOCK would need a right that hosted servers deny, and it misses a
client that is only about to block; the key is read like any other, so the wake-up cannot be missed.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterable
from typing import Protocol

from protocol.cursor import LIMIT, ZERO, Cursor
from protocol.errors import LogDamaged, LogError, LogUnavailable
from roundtable.log.base import Record
from roundtable.log.redis_connection import Link, Pool, command
from roundtable.log.redis_keys import Partition
from roundtable.log.redis_reader import Joined, cursor, entry_id, records
from roundtable.log.redis_wire import Reply

# Seconds an XREAD blocks: a server that hangs is noticed after this and the link's deadline together. An idle
# partition costs one small command per second.
BLOCK = 1.0
# Entries per stream and read. XREAD has no bound in bytes; one batch of an append is at most 256 KiB in all.
COUNT = 32
# Seconds between attempts to reach a server that is gone, before jitter: from quick, for a hiccup, to gentle.
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0
# Seconds after which the wake key of a node that is gone disappears.
WAKE_TTL = 60

# Later than any notice Redis gave an ID.
_AFTER_ALL = Cursor(LIMIT, LIMIT)

_logger = logging.getLogger("roundtable.log")


class Listener(Protocol):
    """A tail, as the follower sees it. None of these may block or raise."""

    def publish(self, stream: str, records: list[Record]) -> None:
        """Hear of new records, in order; of some perhaps twice."""
        ...

    def dismiss(self, stream: str, notice: Cursor) -> bool:
        """Hear that the stream was deleted, by a notice with this ID; whether that concerns the listener, who
        then hears no more of it. The notice may be older than what it follows."""
        ...

    def fail(self, error: LogError) -> None:
        """Hear that nothing can be heard at the moment."""
        ...


class _Source:
    """A stream that somebody follows: up to where it was read, once that is known."""

    def __init__(self) -> None:
        self.at: Cursor | None = None
        self.listeners: set[Listener] = set()


class Follower:
    """Reads `partition` through `link` and tells the listeners; from the first `begin` until `close`.

    After an error it goes on by itself where it stood, but says so once: whoever follows should then ask whether
    the log still holds what was shown, as a failover may have lost it.
    """

    def __init__(self, partition: Partition, node: str, link: Link, pool: Pool) -> None:
        self._partition = partition
        self._wake_key = partition.wake(node)
        self._link = link
        self._pool = pool
        self._sources: dict[str, _Source] = {}
        self._noticed = ZERO
        self._woken = ZERO
        self._blocked = False  # an XREAD is under way that knows only the streams of its time
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def join(self, stream: str, listener: Listener) -> None:
        """Tell `listener` of notices from now on; of records too, once `begin` said from where."""
        self._sources.setdefault(stream, _Source()).listeners.add(listener)

    def leave(self, stream: str, listener: Listener) -> None:
        """Tell it of nothing more. No error when it never joined."""
        if source := self._sources.get(stream):
            source.listeners.discard(listener)
            if not source.listeners:
                del self._sources[stream]

    def at(self, stream: str) -> Cursor:
        """Up to where listeners have been told of the stream's records; ZERO when nothing was read yet."""
        source = self._sources.get(stream)
        return source.at or ZERO if source else ZERO

    async def begin(self, stream: str, joined: Joined) -> None:
        """Read on from where `joined` saw the stream's end, unless somebody has it read already."""
        source = self._sources[stream]
        if source.at is not None and source.at <= joined.last:
            return
        if not self._positions():
            self._noticed = joined.noticed
        source.at = joined.last  # back to it, where entries were lost
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"redis-follower-{self._partition.number}")
        if self._blocked:
            self._blocked = False  # one wake-up for all that join during this XREAD
            with contextlib.suppress(LogError):  # then BLOCK ends it
                await self._pool.ask_all(
                    [
                        command("XADD", self._wake_key, "MAXLEN", 1, "*", "w", ""),
                        command("EXPIRE", self._wake_key, WAKE_TTL),
                    ]
                )

    async def close(self) -> None:
        """Stop and disconnect."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._link.close()

    async def _run(self) -> None:
        wait = 0.0
        while True:
            try:
                if not self._positions():
                    await self._rest()
                await self._read()
                await asyncio.sleep(0)  # first let what was read be delivered, then ask for more
                wait = 0.0
            except Exception as error:  # noqa: BLE001 - a follower that dies in silence would stop every reader
                if not wait:
                    self._tell_failure(error)
                wait = min(max(2 * wait, FIRST_WAIT), LONGEST_WAIT)
                await self._pause(wait * (0.5 + random.random()))

    async def _rest(self) -> None:
        """Nobody follows anything here: no connection is held until somebody does."""
        await self._link.close()
        while not self._positions():
            self._changed.clear()
            await self._changed.wait()

    async def _read(self) -> None:
        positions = self._positions()
        keys = {self._partition.log(stream): stream for stream in positions}
        answer = await self._ask(keys, positions.values())
        if isinstance(answer, LogDamaged):
            await self._expel(positions)
            return
        if isinstance(answer, LogError):
            raise answer
        for key, entries in answer or ():  # deletions first, as what follows may be of a stream begun anew
            name = key.decode()
            if name == self._partition.deleted:
                self._notice(entries)
            elif name == self._wake_key:
                self._woken = cursor(entries[-1][0])
            else:
                self._publish(keys[name], positions[keys[name]], records(entries))

    async def _ask(self, keys: Iterable[str], positions: Iterable[Cursor]) -> Reply:
        xread = command(
            *("XREAD", "COUNT", COUNT, "BLOCK", int(BLOCK * 1000), "STREAMS"),
            *(self._partition.deleted, self._wake_key, *keys),
            *map(entry_id, (self._noticed, self._woken, *positions)),
        )
        self._blocked = True
        try:
            return (await self._link.run([xread], block=BLOCK))[0]
        finally:
            self._blocked = False

    def _positions(self) -> dict[str, Cursor]:
        return {stream: source.at for stream, source in self._sources.items() if source.at is not None}

    def _notice(self, entries: Iterable[tuple[bytes, list[bytes]]]) -> None:
        for id, fields in entries:
            self._noticed = cursor(id)
            self._dismiss(fields[1].decode(), self._noticed)

    def _dismiss(self, stream: str, notice: Cursor) -> None:
        if source := self._sources.get(stream):
            for listener in tuple(source.listeners):
                if listener.dismiss(stream, notice):
                    self.leave(stream, listener)

    def _publish(self, stream: str, after: Cursor, fresh: list[Record]) -> None:
        source = self._sources.get(stream)
        if source is None or source.at != after:
            return  # everybody left, or it began anew while we read; then it is read again from there
        source.at = fresh[-1].cursor
        for listener in source.listeners:
            listener.publish(stream, fresh)

    async def _expel(self, positions: dict[str, Cursor]) -> None:
        """Somebody put another type under a stream's key, so it is no stream any more; the others go on."""
        kinds = await self._link.run([command("TYPE", self._partition.log(stream)) for stream in positions])
        strangers = [s for s, kind in zip(positions, kinds, strict=True) if kind not in (b"stream", b"none")]
        for stream in strangers:
            _logger.error("%s is no longer a stream", stream)
            self._dismiss(stream, _AFTER_ALL)
        if not strangers:
            raise LogDamaged(f"A key {self._partition}* in Redis is not what the log put there.")

    def _tell_failure(self, error: Exception) -> None:
        if not isinstance(error, LogError):
            _logger.error("following %s* has failed", self._partition, exc_info=error)
            error = LogUnavailable("Following the log in Redis has failed; it is being tried again.")
        for listener in {listener for source in self._sources.values() for listener in source.listeners}:
            listener.fail(error)

    async def _pause(self, seconds: float) -> None:
        """A stream that joins ends it: to join, it has reached the server."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
