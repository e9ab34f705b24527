"""Everyone who reads one stream through one view in one framing: live, late, slow or resumed, by one code path.

A live subscriber has everything up to the channel's head, so one ready-made piece of bytes serves all of them.
Whoever is behind - for whatever reason - is served by its own coroutine (`follow`) from the ring or the blocks until
it stands at the head, and is live again. A subscriber is a cursor and a transport: it has no queue and no task here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from protocol import codec
from protocol.cursor import Cursor
from protocol.errors import LogError, NotFound
from roundtable.fanout.blocks import RUN_BYTES, Blocks, Dialect, Run
from roundtable.fanout.encoding import Batch, batch, finished, items, parcel, wire
from roundtable.fanout.framing import FULL
from roundtable.fanout.hold import Hold
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.ring import RING_BYTES, Ring
from roundtable.fanout.stages import Item
from roundtable.log.base import EventLog, Record

Left = Literal["lagged", "ended", "closed", "stalled", "draining", "broken", "deleted"]
"""Why a subscriber is no longer live: it has not taken the last piece; the table closed and it has all; it left; it
did not read; this node is going down; the stream cannot be read on (the reader comes back, and is told `reset` if need
be); the stream was deleted (the reader is told the end, if it has read so far). All but `lagged` are final."""

# A pass over many subscribers lets the loop turn this often: about 1.5 ms of system calls. Subscribers.
SLICE = 256
# A pass shorter than this is not worth a timer: about a hundred spectators. Seconds.
BRIEF = 0.0005
# A change in the number of spectators is told at most this often. Seconds.
NEWS = 1.0

LeadIn = Callable[[Outlet, Cursor], Awaitable[Cursor]]
"""Brings a reader on from a cursor in a way of its own, and says where it stands then."""

_logger = logging.getLogger("roundtable.channel")


class Pace(msgspec.Struct, frozen=True):
    """Seconds: the longest wait of `pause`, between heartbeats (each costs a wake-up of every phone that watches)."""

    max_delay: float = 0.02
    heartbeat: float = 10.0


def pause(spent: float, max_delay: float) -> float:
    """How long to wait, so that a batch forms, after a pass that took `spent` (both in seconds).

    Twice as long as the pass: then a channel takes at most a third of the loop until `max_delay` caps the wait,
    and the more spectators, the larger the batches. After less than `BRIEF` nothing is gained, so few never wait.
    """
    return min(2 * spent, max_delay) if spent > BRIEF else 0.0


class Subscriber:
    """One live spell of a reader; `left` says how it ended, and `cursor` is then what it was given."""

    __slots__ = ("cursor", "left", "transport")

    def __init__(self, transport: asyncio.Transport, cursor: Cursor) -> None:
        self.transport = transport
        self.cursor = cursor
        self.left: asyncio.Future[Left] = asyncio.get_running_loop().create_future()


class Channel:
    """`head` is what live subscribers have; the ring may know more. `reason` is set once the table is closed."""

    def __init__(
        self,
        dialect: Dialect,
        head: Cursor,
        *,
        log: EventLog,
        blocks: Blocks,
        tasks: asyncio.TaskGroup,
        spectators: Callable[[], int],
        pace: Pace,
        ring_bytes: int = RING_BYTES,
    ) -> None:
        self.stream, self.view, self.framing = self._dialect = dialect
        self.head = head
        self.readers = 0  # counted by whoever hands the channel out
        self.reason: str | None = None
        self.heartbeat = pace.heartbeat
        loop = asyncio.get_running_loop()
        self.dismissed = loop.create_future()
        self._clock = loop.time
        self._log, self._blocks, self._tasks, self._pace = log, blocks, tasks, pace
        self._spectators = spectators
        self._ring = Ring(head, ring_bytes)
        stages = self.view.stages
        self._hold = Hold(self.view, stages.hold, self._take_items) if stages and stages.hold else None
        self._live: set[Subscriber] = set()
        self._early: set[Subscriber] = set()  # have read in the log what the tail is still to bring
        self._over: Left | None = None
        self._pumping = False
        self._resting = False  # the pump has nothing to do, and no pause to keep
        self._owed = 0.0  # the pause, in seconds, after a pass that was made while it rested
        self._wake = asyncio.Event()
        self._beat_at = -NEWS  # when the last heartbeat was, on the loop's clock, and what it told
        self._told = 0

    # What the intake says

    def offer(self, records: Sequence[Record]) -> None:
        """Entries that follow the last ones offered; what follows the end of the view is not looked at."""
        reason = None
        if self.view.ends:
            if self.reason is not None:
                return
            records, reason = _up_to_end(self.view.ends, records)
        if self._hold:
            self._hold.offer(records)
        else:
            self._take(batch(self.view, self.framing, records))
        if reason is not None:
            self.close(reason)

    def _take(self, fresh: Batch) -> None:
        self._ring.extend(*fresh)
        if not self._pumping:
            self._advance(self._ring.tip)
        elif self._resting and len(self._live) <= SLICE:
            self._pass()
        else:
            self._wake.set()

    def _take_items(self, records: Sequence[Record], told: Sequence[Item]) -> None:
        self._take(parcel(self.view, self.framing, records, told))

    def close(self, reason: str) -> None:
        """The table is closed, or deleted: what was offered is all there will be."""
        if self._hold:
            self._hold.flush()
        self.reason = reason
        self._wake.set()

    def dismiss(self, left: Left) -> None:
        """Send everyone away, now and from now on."""
        self._over = left
        if not self.dismissed.done():
            self.dismissed.set_result(None)
        for subscriber in [*self._live, *self._early]:
            self._leave(subscriber, left)

    def nudge(self) -> None:
        """The number of spectators has changed."""
        self._wake.set()

    # What a reader does

    def ended(self, cursor: Cursor) -> bool:
        """Whether a reader at `cursor` has all there will ever be."""
        return self.reason is not None and cursor.seq >= self._ring.tip.seq

    async def resume(self, asked: Cursor | None) -> tuple[Cursor, bytes]:
        """Where a reader stands who asked to go on after `asked` (None: after now), and the frames it gets first.

        Raises `LogError`.
        """
        if asked is None:
            return self.head, b""
        whole = Cursor(asked.term, asked.seq)
        if await self._log.has(self.stream, whole):
            if not (asked.part and asked.seq):
                return whole, b""
            records = await self._log.read(self.stream, asked.seq - 1, limit=1)
            held = items(self.view, records[0], self.view.parts) if records else ()  # deleted since we looked
            if asked.part < len(held):
                return whole, wire(self.framing, finished(self.view, held[asked.part :]))
        told = {"type": "reset", "reason": "unknown_cursor", "cursor": str(self.head)}
        return self.head, self.framing.notice(b"reset", codec.encode(told)) + self.framing.mark(self.head)

    async def follow(self, outlet: Outlet, cursor: Cursor, lead_in: LeadIn | None = None) -> Left:
        """Give the reader at `cursor` everything that follows, as long as there is something and it reads."""
        try:
            if lead_in:
                cursor = await lead_in(outlet, cursor)
            while True:
                cursor = await self._catch_up(outlet, cursor)
                if self._over or self.ended(cursor):
                    return self._over or "ended"
                left, cursor = await self._stay(outlet, cursor)
                if left != "lagged":
                    return left
                await outlet.flush()
        except ConnectionAbortedError:
            return "stalled"
        except ConnectionError:
            return "closed"
        except NotFound:
            return "deleted"
        except LogError as error:
            _logger.warning("%s cannot be read after %s: %s", self.stream, cursor, error.detail)
            return "broken"

    async def after(self, cursor: Cursor) -> Run | None:
        """The next piece for a reader at `cursor`; None if there is nothing yet. Raises `LogError`."""
        recent = self._ring.after(cursor, self.head, RUN_BYTES)
        if recent is None:
            return await self._blocks.after(self._dialect, cursor.seq, self.head.seq)
        frames, last = recent
        return Run(self.framing.wrap(frames) if frames else b"", last, sealed=False)

    def beat(self) -> bytes:
        """A heartbeat, for whoever has heard nothing for a while."""
        told = {"type": "hb", "head": str(self.head), "spectators": self._spectators()}
        return self.framing.notice(b"hb", codec.encode(told))

    def farewell(self, *, always: bool = False) -> bytes:
        """The last frames of a reader that has all; `always` also where the last entry says that it is."""
        tip = self._ring.tip
        if not (always or self.view.farewell) and self.reason != "deleted":
            return b""
        told = {"type": "end", "cursor": str(tip), "reason": self.reason}
        return self._mark(tip) + self.framing.notice(b"end", codec.encode(told))

    async def _catch_up(self, outlet: Outlet, cursor: Cursor) -> Cursor:
        while cursor.seq < self.head.seq:
            run = await self.after(cursor)
            if self._over is not None:
                break  # and what was just read may belong to another stream of that name
            if run is None and await self._log.last(self.stream) is None:
                self.close("deleted")  # and the tail is about to say so
                raise NotFound(f"{self.stream} was deleted.")
            if run is None:
                raise LogError(f"{self.stream} holds nothing after {cursor}, but had {self.head}.")
            if run.wire:
                await outlet.send(run.wire)
            cursor = run.last
        return cursor

    async def _stay(self, outlet: Outlet, cursor: Cursor) -> tuple[Left, Cursor]:
        subscriber = Subscriber(outlet.transport, cursor)
        if cursor.seq > self.head.seq:
            self._early.add(subscriber)
        else:
            self._live.add(subscriber)
            if not self._pumping:
                self._pumping = True
                self._tasks.create_task(self._pump())
        try:
            return await subscriber.left, subscriber.cursor
        finally:
            self._leave(subscriber, "closed")

    # What the pump does

    async def _pump(self) -> None:
        try:
            while self._live:
                if self._clock() >= self._next_beat():
                    await self._beat(self._clock())
                elif self.head.seq < self._ring.tip.seq:
                    began, before = self._clock(), self.head
                    await self._write(self._piece(), before)
                    await asyncio.sleep(self._pause(began))
                elif self.reason is not None:
                    self._release("ended", self.head)
                else:
                    await self._rest()
        finally:
            self._pumping = False
            self._advance(self._ring.tip)

    def _pass(self) -> None:
        """What the pump does, without waking it, which takes as long as writing to some three spectators."""
        began, before = self._clock(), self.head
        self._give(self._piece(), before, list(self._live))
        self._owed = self._pause(began)
        if self._owed or self.head.seq < self._ring.tip.seq:
            self._resting = False
            self._wake.set()

    def _pause(self, began: float) -> float:
        return pause(self._clock() - began, self._pace.max_delay)

    def _piece(self) -> bytes:
        """What brings everyone who is live now from the head to a new one, which is the head from here on."""
        batch = self._ring.after(self.head, self._ring.tip, RUN_BYTES)
        if batch is None:  # more came during one pass than the ring holds, so each goes on from the log
            self._release("lagged", self.head)
            self._advance(self._ring.tip)
            return b""
        frames, last = batch
        if len(frames) > RUN_BYTES:  # one large entry: each takes it in pieces, at its own pace
            self._release("lagged", self.head)
            frames = b""
        self._advance(last)
        return self.framing.wrap(frames) if frames else b""

    async def _write(self, wire: bytes, before: Cursor) -> None:
        # The head has moved already: who joins while the loop turns has this piece and is not in `waiting`;
        # who left meanwhile is done, and is someone else when it comes back.
        waiting = list(self._live)
        for start in range(0, len(waiting), SLICE):
            if start:
                await asyncio.sleep(0)
            self._give(wire, before, waiting[start : start + SLICE])

    def _give(self, wire: bytes, before: Cursor, waiting: Sequence[Subscriber]) -> None:
        if not wire:
            return
        for subscriber in waiting:
            transport = subscriber.transport
            if subscriber.left.done():
                continue
            if transport.is_closing():
                self._leave(subscriber, "closed")
            elif transport.get_write_buffer_size():
                subscriber.cursor = before
                self._leave(subscriber, "lagged")
            else:
                transport.write(wire)

    async def _rest(self) -> None:
        self._wake.clear()
        self._resting = True
        try:
            async with asyncio.timeout_at(self._next_beat()):
                await self._wake.wait()
        except TimeoutError:
            pass  # time for a heartbeat
        finally:
            self._resting = False
        owed, self._owed = self._owed, 0.0
        if owed:
            await asyncio.sleep(owed)

    def _next_beat(self) -> float:
        changed = self._spectators() != self._told
        return self._beat_at + (min(NEWS, self._pace.heartbeat) if changed else self._pace.heartbeat)

    async def _beat(self, now: float) -> None:
        self._beat_at, self._told = now, self._spectators()
        await self._write(self.framing.wrap(self.beat() + self._mark(self.head)), self.head)

    def _mark(self, cursor: Cursor) -> bytes:
        """In a view that leaves entries out, how far a reader has come without seeing them."""
        return b"" if self.view is FULL else self.framing.mark(cursor)

    def _advance(self, head: Cursor) -> None:
        self.head = head
        for subscriber in [early for early in self._early if early.cursor.seq <= head.seq]:
            self._leave(subscriber, "lagged")

    def _release(self, left: Left, cursor: Cursor) -> None:
        for subscriber in list(self._live):
            subscriber.cursor = cursor
            self._leave(subscriber, left)

    def _leave(self, subscriber: Subscriber, left: Left) -> None:
        self._live.discard(subscriber)
        self._early.discard(subscriber)
        if not self._live:
            self._wake.set()  # the pump has nothing left to do
        if not subscriber.left.done():
            subscriber.left.set_result(left)


def _up_to_end(
    ends: Callable[[Record], str | None], records: Sequence[Record]
) -> tuple[Sequence[Record], str | None]:
    """The records up to the one that ends the view, and why it does."""
    for number, record in enumerate(records, 1):
        if (reason := ends(record)) is not None:
            return records[:number], reason
    return records, None
