"""One log, many cursors: what the tail brings goes to every channel, and each channel to everyone who reads that way.

One tail per node feeds all channels. A channel lives as long as somebody reads through it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

from protocol.cursor import Cursor
from protocol.errors import Invalid, LogError, LogUnavailable
from roundtable.fanout.audience import Audience
from roundtable.fanout.blocks import MAX_BYTES, Blocks, Dialect
from roundtable.fanout.channel import Channel, Pace
from roundtable.fanout.encoding import bound
from roundtable.fanout.followed import Followed
from roundtable.fanout.framing import Framing, View
from roundtable.fanout.kinds import missing, reason_of_end, renewed
from roundtable.fanout.ledger import Ledger
from roundtable.fanout.reading import Reading
from roundtable.fanout.ring import RING_BYTES
from roundtable.log.base import EventLog, Record

# Seconds between attempts to follow a log that cannot be used: from quick, for a hiccup, to gentle.
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
# After `table.closed` an owner may still refuse the commands it finds in the inbox. Entries.
LOOK_BACK = 64
# Views of one stream that hold what a reader misses in some seconds; as many as people make and programs do not. Those
# beyond hold `SMALL_RING` bytes, and whoever is late there reads the log.
ROOMY_VIEWS, SMALL_RING = 32, 32 * 1024
# Ledgers kept of streams that nobody reads, so that whoever asks again and again does not read all of one each time.
LEDGERS = 256

_logger = logging.getLogger("roundtable.broadcast")


class Finish(NamedTuple):
    """Where a view has ended, and why."""

    cursor: Cursor
    reason: str


class Broadcast:
    """The fan-out of one node. `max_delay` bounds what batching adds to an entry's way (see `channel.pause`),
    `heartbeat` is the time between heartbeats (both seconds), `cache_bytes` what the past may occupy."""

    def __init__(
        self, log: EventLog, *, max_delay: float = 0.02, heartbeat: float = 10.0, cache_bytes: int = MAX_BYTES
    ) -> None:
        self._log = log
        self._blocks = Blocks(log, cache_bytes)
        self._pace = Pace(max_delay=max_delay, heartbeat=heartbeat)
        self._audience = Audience(log, self._readers, self._heard)
        self._streams: dict[str, Followed] = {}
        self._ledgers: dict[str, Ledger] = {}  # of streams that nobody reads just now, the last left last
        self._opening: dict[
            str, Followed
        ] = {}  # being added to the tail, which may deliver before it says so
        self._changing = asyncio.Lock()  # held while streams are added to the tail, which takes time
        self._left = asyncio.Event()
        self._stop = asyncio.Event()
        self._draining = False

    async def start(self) -> None:
        """Begin to follow. Raises `LogUnavailable`."""
        self._tail = await self._log.tail()
        ready = asyncio.Event()
        self._main = asyncio.create_task(self._run(ready), name="broadcast")
        await ready.wait()
        self._audience.start()

    async def close(self, within: float = 5.0) -> None:
        """Send every reader away and stop; who has not gone after `within` seconds is left to the server.

        Closing twice is no error.
        """
        self._draining = True
        for stream in self._streams.values():
            stream.dismiss("draining")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._streams:
                    self._left.clear()
                    await self._left.wait()
        await self._audience.close()
        self._stop.set()
        await self._main

    def readers(self) -> int:
        """How many readers all streams have on this node."""
        return sum(self._readers().values())

    def spectators(self, name: str) -> int:
        """How many readers stream `name` has on this node."""
        stream = self._streams.get(name)
        return stream.readers() if stream else 0

    async def audience(self, names: Collection[str]) -> dict[str, int]:
        """How many readers each stream has on all nodes; on this one, while the store cannot say."""
        here = {name: self.spectators(name) for name in names}
        try:
            elsewhere = await self._audience.elsewhere(here)
        except LogError:
            return here
        return {name: here[name] + elsewhere[name] for name in here}

    @contextlib.asynccontextmanager
    async def channel(self, name: str, view: View, framing: Framing) -> AsyncIterator[Channel]:
        """The channel of those who read stream `name` like this; entering it makes one spectator more.

        Raises `NotFound` when there is no such stream, and `LogError`.
        """
        stream = self._streams.get(name) or await self._open(name)
        stream.coming += 1  # so that it stays while something of it is read
        try:
            channel = stream.channels.get((view.name, framing.name)) or await self._make(
                stream, Dialect(name, view, framing)
            )
            stream.count(channel, +1)
        finally:
            stream.coming -= 1
            self._leave(name, stream)
        try:
            yield channel
        finally:
            stream.count(channel, -1)
            self._leave(name, stream)

    @contextlib.asynccontextmanager
    async def reading(self, name: str, after: Cursor | None) -> AsyncIterator[Reading]:
        """Stream `name` for one reader who takes it at his own pace, after a cursor that exists (None: after now).

        Raises `NotFound` when there is no such stream, `LogError`, and `Invalid` (code `unknown_cursor`).
        """
        stream = self._streams.get(name) or await self._open(name)
        reading = Reading(self._log, name, stream.tip if after is None else after, stream.tip)
        stream.add(reading)
        if self._draining:
            reading.dismiss("draining")
        try:
            if after is not None and not await self._log.has(name, after):
                raise Invalid(
                    f"There is nothing at {after} to go on after.", field="after", code="unknown_cursor"
                )
            yield reading
        finally:
            stream.remove(reading)
            self._leave(name, stream)

    async def prepared(self, name: str, view: View) -> tuple[View, Finish | None]:
        """For whoever holds a `reading` of the stream: the view with what its stages need to know, and where it has
        ended if it has. Raises `NotFound` and `LogError`."""
        stream = self._streams.get(name)
        if stream is None:
            raise LogUnavailable(f"{name} could not be read on; come back.")
        if view.stages and view.stages.extras:
            view = bound(view, await self._ledger(name, stream))
        return view, await self._finish(name, stream, view)

    def _leave(self, name: str, stream: Followed) -> None:
        if stream.unread and self._streams.get(name) is stream:
            self._drop(name)
        self._left.set()

    def _readers(self) -> dict[str, int]:
        return {name: stream.readers() for name, stream in self._streams.items() if not stream.unread}

    def _heard(self, name: str, elsewhere: int) -> None:
        stream = self._streams.get(name)
        if stream and stream.elsewhere != elsewhere:
            stream.elsewhere = elsewhere
            stream.nudge()

    async def _open(self, name: str) -> Followed:
        async with self._changing:
            if stream := self._streams.get(name):
                return stream
            last = await self._log.last(name)
            if last is None:
                raise missing(name)
            recent = await self._log.read(name, max(0, last.cursor.seq - LOOK_BACK), limit=LOOK_BACK)
            if not recent:
                raise missing(name)
            tip = recent[-1].cursor
            stream = self._opening[name] = Followed(tip, reason_of_end(name, recent))
            try:
                await self._tail.add(name, tip)
            except Invalid:
                raise missing(name) from None  # it was deleted, perhaps begun anew, since we looked
            except BaseException:
                self._tail.remove(name)  # cancelled, perhaps after it was added
                raise
            finally:
                del self._opening[name]
            if stream.deleted:
                raise missing(name)
            self._streams[name] = stream
            return stream

    async def _make(self, stream: Followed, dialect: Dialect) -> Channel:
        """The channel, with what its view needs to know of the past. Raises as `channel` does."""
        name, view, framing = dialect
        if not (view.ends or (view.stages and view.stages.extras)):
            return self._add(stream, dialect)
        view, finish = await self.prepared(name, view)
        if stream.deleted:
            raise missing(name)
        if self._streams.get(name) is not stream:
            raise LogUnavailable(f"{name} could not be read on; come back.")
        return stream.channels.get((view.name, framing.name)) or self._add(
            stream, Dialect(name, view, framing), finish
        )

    async def _finish(self, name: str, stream: Followed, view: View) -> Finish | None:
        """Where the view has ended already."""
        seq = view.since
        while view.ends and seq < stream.tip.seq:
            records = await self._log.read(name, seq)
            if not records:
                raise missing(name)
            for record in records:
                if record.cursor.seq <= stream.tip.seq and (reason := view.ends(record)) is not None:
                    return Finish(record.cursor, reason)
            seq = records[-1].cursor.seq
        return None

    async def _ledger(self, name: str, stream: Followed) -> Ledger:
        """The stream's, up to its tip. Raises `LogError`, and `NotFound` when it is gone."""
        async with stream.counting:
            ledger = stream.ledger or self._ledgers.pop(name, Ledger())
            if stream.ledger is None and not await self._log.has(name, ledger.cursor):
                ledger = Ledger()
            while ledger.cursor.seq < stream.tip.seq:
                records = await self._log.read(name, ledger.cursor.seq)
                if not records:
                    raise missing(name)
                for record in records:
                    ledger.extend(*record)
            stream.ledger = ledger
        return ledger

    def _add(self, stream: Followed, dialect: Dialect, finish: Finish | None = None) -> Channel:
        roomy = len(stream.channels) < ROOMY_VIEWS
        channel = Channel(
            dialect,
            finish.cursor if finish else stream.tip,
            log=self._log,
            blocks=self._blocks,
            tasks=self._tasks,
            spectators=stream.spectators,
            pace=self._pace,
            ring_bytes=RING_BYTES if roomy else SMALL_RING,
        )
        if finish or stream.reason is not None:
            channel.close(finish.reason if finish else str(stream.reason))
        if self._draining:
            channel.dismiss("draining")
        stream.channels[dialect.view.name, dialect.framing.name] = channel
        return channel

    def _drop(self, name: str) -> Followed:
        self._tail.remove(name)
        stream = self._streams.pop(name)
        if stream.ledger:
            self._ledgers[name] = stream.ledger
            if len(self._ledgers) > LEDGERS:
                del self._ledgers[next(iter(self._ledgers))]
        return stream

    async def _run(self, ready: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                intake = self._tasks.create_task(self._intake())
                ready.set()
                await self._stop.wait()
                intake.cancel()
        except ExceptionGroup:
            _logger.exception("the fan-out has failed")
            for stream in self._streams.values():
                stream.dismiss("broken")
            raise
        finally:
            await self._tail.close()

    async def _intake(self) -> None:
        wait = 0.0
        while True:
            try:
                if wait:
                    await self._follow_again()
                async for name, records in self._tail:
                    wait = 0.0
                    self._deliver(name, records)
            except LogError as error:
                _logger.warning("the log cannot be followed: %s", error.detail)
            wait = min(max(2 * wait, FIRST_WAIT), LONGEST_WAIT)
            await asyncio.sleep(wait)

    async def _follow_again(self) -> None:
        """A new tail in place of one that failed. Nothing is skipped: it goes on where each stream stands."""
        async with self._changing:
            await self._tail.close()
            self._tail = await self._log.tail()
            for name, stream in list(self._streams.items()):
                try:
                    await self._tail.add(name, stream.tip)
                except Invalid:
                    if name in self._streams:
                        self._break(name)
                    continue
                if name not in self._streams:  # the last reader left meanwhile
                    self._tail.remove(name)

    def _deliver(self, name: str, records: list[Record]) -> None:
        if not records:
            self._delete(name)
            return
        stream = self._streams.get(name) or self._opening.get(name)
        fresh = [record for record in records if stream and record.cursor > stream.tip]
        if not stream or not fresh:
            return
        if fresh[0].cursor.seq == stream.tip.seq + 1:
            stream.offer(name, fresh)
        elif (
            name in self._streams
        ):  # the log lost entries that we have shown, and their numbers were given again
            self._break(name)

    def _delete(self, name: str) -> None:
        """End the readers of a stream that is gone; the next to ask is told so, or reads a new one of that name."""
        self._blocks.forget(name)
        if opening := self._opening.get(name):
            opening.delete()
        elif stream := self._streams.pop(name, None):
            if renewed(name):
                stream.dismiss("broken")
            else:
                stream.delete()

    def _break(self, name: str) -> None:
        """Send the readers of `name` away: they come back, and are told `reset` if what they have is gone."""
        _logger.error("%s no longer holds what it held", name)
        self._blocks.forget(name)
        self._drop(name).dismiss("broken")
