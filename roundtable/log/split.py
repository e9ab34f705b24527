"""Two stores as one: what is off the record in a volatile one, all else in a durable one."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from heapq import merge
from itertools import islice

from protocol.cursor import Cursor
from roundtable.log.base import MAX_BATCH_BYTES, Checkpoint, EventLog, Outcome, Record, Tail
from roundtable.log.memory import MemoryLog

# How the id of a table ends that must never reach a disk. In the name, so that its streams are told apart where
# nothing else is known of them, and a person sees it in the address.
OFF_RECORD = "-off-record"


def is_off_record(stream: str) -> bool:
    """Whether a stream, or a table by its id, is off the record."""
    return stream.endswith(OFF_RECORD)


class SplitLog:
    """An `EventLog` that owns both. `volatile_if` says of a stream's name that it belongs to `volatile`."""

    def __init__(
        self, durable: EventLog, volatile: MemoryLog, volatile_if: Callable[[str], bool] = is_off_record
    ) -> None:
        self.durable, self.volatile = durable, volatile
        self._volatile_if = volatile_if
        self.leases = SplitLeases(self)

    def of(self, stream: str) -> EventLog:
        """The store of a stream."""
        return self.volatile if self._volatile_if(stream) else self.durable

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        return await self.of(stream).append(stream, expected, batch)

    async def last(self, stream: str) -> Record | None:
        return await self.of(stream).last(stream)

    async def has(self, stream: str, cursor: Cursor) -> bool:
        return await self.of(stream).has(stream, cursor)

    async def read(
        self, stream: str, after_seq: int, *, limit: int = 1000, max_bytes: int = MAX_BATCH_BYTES
    ) -> list[Record]:
        return await self.of(stream).read(stream, after_seq, limit=limit, max_bytes=max_bytes)

    async def tail(self) -> Tail:
        return SplitTail(self.of, {log: await log.tail() for log in (self.durable, self.volatile)})

    async def streams(self, kind: str, *, before: str = "", limit: int = 100) -> list[str]:
        durable = await self.durable.streams(kind, before=before, limit=limit)
        volatile = await self.volatile.streams(kind, before=before, limit=limit)
        return list(islice(merge(durable, volatile, reverse=True), limit))

    async def delete(self, stream: str) -> None:
        await self.of(stream).delete(stream)

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        await self.of(stream).save_checkpoint(stream, checkpoint)

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        return await self.of(stream).checkpoint(stream)

    async def count(self, readers: Mapping[str, int], node: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for log in (self.durable, self.volatile):
            here = {stream: number for stream, number in readers.items() if self.of(stream) is log}
            found |= await log.count(here, node)
        return found

    async def close(self) -> None:
        try:
            await self.durable.close()
        finally:
            await self.volatile.close()


class SplitLeases:
    """`Leases`, each in the store of its stream."""

    def __init__(self, log: SplitLog) -> None:
        self._log = log

    async def claim(self, streams: Collection[str], holder: str, seconds: float) -> set[str]:
        owned = set[str]()
        for log in (self._log.durable, self._log.volatile):
            if here := {stream for stream in streams if self._log.of(stream) is log}:
                owned |= await log.leases.claim(here, holder, seconds)
        return owned

    async def release(self, stream: str, holder: str) -> None:
        await self._log.of(stream).leases.release(stream, holder)

    async def abandoned(self, limit: int = 100) -> list[str]:
        durable = await self._log.durable.leases.abandoned(limit)
        return (durable + await self._log.volatile.leases.abandoned(limit))[:limit]


Batch = tuple[str, list[Record]]


class SplitTail:
    """A `Tail` over one of each store, in turn. After an error of either, iterating again goes on from there."""

    def __init__(self, of: Callable[[str], EventLog], tails: dict[EventLog, Tail]) -> None:
        self._of = of
        self._tails = tails
        # What each tail is asked for, or has answered and was not yet taken; whoever was taken last stands last.
        self._asked: dict[EventLog, asyncio.Task[Batch | None] | None] = dict.fromkeys(tails)
        self._closed = False

    async def add(self, stream: str, after: Cursor) -> None:
        await self._tails[self._of(stream)].add(stream, after)

    def remove(self, stream: str) -> None:
        log = self._of(stream)
        self._tails[log].remove(stream)
        answer = self._asked[log]
        if answer and (batch := _answered(answer)) and batch[0] == stream:
            self._asked[log] = None  # or it would be repeated to someone who follows the stream again

    def __aiter__(self) -> "SplitTail":
        return self

    async def __anext__(self) -> Batch:
        log, task = await self._first()
        del self._asked[log]
        self._asked[log] = None  # at the end of the line
        batch = task.result()
        if batch is None or self._closed:
            raise StopAsyncIteration
        return batch

    async def _first(self) -> tuple[EventLog, asyncio.Task[Batch | None]]:
        """The tail that has something to say. It may be unsaid until we wake, by `remove`, and then we ask again."""
        while True:
            for log, asked in self._asked.items():
                self._asked[log] = asked or asyncio.create_task(_next(self._tails[log]), name="split-tail")
            await asyncio.wait(filter(None, self._asked.values()), return_when=asyncio.FIRST_COMPLETED)
            for log, task in self._asked.items():
                if task and task.done():
                    return log, task

    async def close(self) -> None:
        """End the iteration, and with it what was asked of the two."""
        self._closed = True
        for tail in self._tails.values():
            await tail.close()
        await asyncio.gather(*filter(None, self._asked.values()), return_exceptions=True)


async def _next(tail: Tail) -> Batch | None:
    return await anext(aiter(tail), None)


def _answered(task: asyncio.Task[Batch | None]) -> Batch | None:
    return task.result() if task.done() and not task.cancelled() and not task.exception() else None
