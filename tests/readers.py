"""The two ends of the fan-out, for tests: a log in memory that fails on request, and readers who may stop reading."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any

from protocol import codec, sse
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, LogUnavailable
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.channel import Channel, Left
from roundtable.fanout.framing import FULL, EventStream, View
from roundtable.fanout.outlet import Outlet
from roundtable.log.base import MAX_BATCH_BYTES, Checkpoint, Outcome, Record
from roundtable.log.leases import LocalLeases
from tests.tables import AT, TERM

TABLE = "table/one"
FRAMING = EventStream()


def delta(text: str) -> e.TurnDelta:
    return e.TurnDelta(turn="t1", panelist="Ada", attempt=1, text=text)


def records(events: Sequence[e.Event], after: Cursor = ZERO, term: int = TERM) -> list[Record]:
    """The events as they are logged after `after`."""
    return [
        Record(Cursor(term, seq), codec.encode_body(event, AT))
        for seq, event in enumerate(events, after.seq + 1)
    ]


class MemoryTail:
    """As `Tail`. `held` keeps what is written from being delivered, as a slow network would."""

    def __init__(self, log: "MemoryLog") -> None:
        self.log = log
        self.places: dict[str, int] = {}
        self.deleted: set[str] = set()

    async def add(self, stream: str, after: Cursor) -> None:
        await self.log.pass_time()
        assert stream not in self.places, "adding twice is an error"
        if not self.log.holds(after):
            raise Invalid("There is no such record.")
        self.places[stream] = after.seq
        self.log.written.set()
        for _ in range(3):
            await asyncio.sleep(0)  # a store may take its time to say so

    def remove(self, stream: str) -> None:
        self.places.pop(stream, None)
        self.deleted.discard(stream)

    async def __aiter__(self) -> AsyncIterator[tuple[str, list[Record]]]:
        while not self.log.closed:
            for stream, seq in list(self.places.items()):
                if stream in self.deleted and not self.log.held:
                    self.deleted.discard(stream)
                    self.remove(stream)
                    yield stream, []
                    continue
                fresh = [] if self.log.held else self.log.streams_[stream][seq:]
                if fresh:
                    self.places[stream] = seq + len(fresh)
                    yield stream, fresh
            self.log.written.clear()
            if (
                not any(
                    len(self.log.streams_[name]) > seq or name in self.deleted
                    for name, seq in self.places.items()
                )
                or self.log.held
            ):
                await self.log.written.wait()
            await self.log.pass_time()

    async def close(self) -> None:
        self.places.clear()


class MemoryLog:
    """As `EventLog`, for as much of it as the fan-out uses."""

    def __init__(self) -> None:
        self.leases = LocalLeases()
        self.streams_: dict[str, list[Record]] = {TABLE: []}
        self.written = asyncio.Event()
        self.tails: list[MemoryTail] = []
        self.reads = 0
        self.failures = 0  # so many calls are refused
        self.held = self.closed = False

    async def pass_time(self) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise LogUnavailable("The store cannot be reached.")

    def write(self, *events: e.Event, term: int = TERM) -> None:
        stream = self.streams_[TABLE]
        stream += records(events, stream[-1].cursor if stream else ZERO, term)
        self.written.set()

    def say(self, count: int) -> None:
        """`count` deltas, each with its number as text."""
        at = len(self.streams_[TABLE])
        self.write(*(delta(str(number)) for number in range(at + 1, at + count + 1)))

    def cursor(self, seq: int) -> Cursor:
        return self.streams_[TABLE][seq - 1].cursor if seq else ZERO

    def holds(self, cursor: Cursor) -> bool:
        return cursor == ZERO or cursor in [record.cursor for record in self.streams_[TABLE]]

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        raise NotImplementedError

    async def count(self, readers: Mapping[str, int], node: str) -> dict[str, int]:
        return dict.fromkeys(readers, 0)

    async def last(self, stream: str) -> Record | None:
        await self.pass_time()
        return self.streams_[stream][-1] if self.streams_.get(stream) else None

    async def has(self, stream: str, cursor: Cursor) -> bool:
        await self.pass_time()
        return self.holds(cursor)

    async def read(
        self, stream: str, after_seq: int, *, limit: int = 1000, max_bytes: int = MAX_BATCH_BYTES
    ) -> list[Record]:
        self.reads += 1
        await self.pass_time()
        return self.streams_[stream][after_seq : after_seq + limit]

    async def tail(self) -> MemoryTail:
        await self.pass_time()
        self.tails.append(MemoryTail(self))
        return self.tails[-1]

    async def streams(self, kind: str, *, before: str = "", limit: int = 100) -> list[str]:
        raise NotImplementedError

    async def delete(self, stream: str) -> None:
        self.streams_[stream] = []
        for tail in self.tails:
            tail.deleted |= {stream} & set(tail.places)
        self.written.set()

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        raise NotImplementedError

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed = True
        self.written.set()


class Pipe(asyncio.Transport):
    """A transport whose other end takes everything, or (`stalled`) nothing once `room` bytes are under way."""

    def __init__(self, room: int = 0) -> None:
        super().__init__()
        self.room = room
        self.stalled = False
        self.received = b""
        self.buffer = b""
        self.most = 0
        self.closing = self.aborted = self.finished = False
        self._drained = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing, "written to after it closed"
        assert not self.finished, "written to after the reader was done with"
        assert not self.buffer, "written to while it was full"
        self.buffer = bytes(data)
        self._move()
        self.most = max(self.most, len(self.buffer))

    def stall(self) -> None:
        self.stalled = True

    def read(self) -> None:
        self.stalled = False
        self._move()

    async def drain(self) -> None:
        while self.buffer and not self.closing:
            self._drained.clear()
            await self._drained.wait()

    def get_write_buffer_size(self) -> int:
        return len(self.buffer)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self._drained.set()

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def _move(self) -> None:
        taken = min(len(self.buffer), self.room) if self.stalled else len(self.buffer)
        self.room -= taken if self.stalled else 0
        self.received, self.buffer = self.received + self.buffer[:taken], self.buffer[taken:]
        if not self.buffer:
            self._drained.set()


class Reader:
    """One connection to a table: what came over it, and how it ended."""

    def __init__(self, broadcast: Broadcast, after: Cursor | None = ZERO, view: View = FULL) -> None:
        self.pipe = Pipe()
        self.left: Left | None = None
        self.gone = False
        self._task = asyncio.create_task(self._read(broadcast, after, view))

    async def _read(self, broadcast: Broadcast, after: Cursor | None, view: View) -> None:
        try:
            async with broadcast.channel(TABLE, view, FRAMING) as channel:
                await self._follow(channel, after)
        finally:
            self.pipe.finished = True

    async def _follow(self, channel: Channel, after: Cursor | None) -> None:
        cursor, first = await channel.resume(after)
        outlet = Outlet(self.pipe, self.pipe.drain)
        if first:
            await outlet.send(first)
        self.left = await channel.follow(outlet, cursor)
        if self.left in {"ended", "deleted"}:
            await outlet.send(channel.farewell())

    def frames(self) -> list[sse.Frame]:
        return list(sse.Decoder().feed(self.pipe.received))

    def last_id(self) -> Cursor:
        decoder = sse.Decoder()
        list(decoder.feed(self.pipe.received))
        return Cursor.parse(decoder.last_id) if decoder.last_id else ZERO

    def ids(self) -> list[str]:
        return [frame.id for frame in self.frames() if frame.id]

    def told(self, event: str) -> list[Any]:
        """The data of all frames of that name."""
        return [json.loads(frame.data) for frame in self.frames() if frame.event == event]

    async def done(self) -> Left | None:
        await self._task
        return self.left

    async def leave(self) -> None:
        """The handler is cancelled, as when a server stops."""
        self.gone = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def settle() -> None:
    """Until everything under way has happened; in fake time this takes none."""
    await asyncio.sleep(0.5)


Scene = Callable[[MemoryLog, Broadcast], Coroutine[Any, Any, None]]


async def play(scene: Scene, **options: Any) -> None:
    """Run a scene with a table of one entry and a broadcast, and see that nothing of it remains."""
    log = MemoryLog()
    log.write(e.TermBegan(owner="test"))
    broadcast = Broadcast(log, **options)
    await broadcast.start()
    await scene(log, broadcast)
    await broadcast.close()
    assert broadcast.spectators(TABLE) == 0
    assert not any(tail.places for tail in log.tails)
