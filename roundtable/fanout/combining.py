"""Several streams as one: fair by deficit round robin in bytes, each at its own place under one composite cursor.

A busy source cannot keep a quiet one waiting, and a reader who does not read holds all of them back.
Source: Shreedhar and Varghese, "Efficient Fair Queueing using Deficit Round Robin", 1995.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Self

import msgspec

from protocol.cursor import Cursor
from protocol.errors import Invalid, NotFound
from roundtable.fanout.stages import Item
from roundtable.fanout.transform import Flow

# Sources of one combined stream: a wall of tables. A composite cursor is then some 700 characters, and 1,300 at most.
MAX_SOURCES = 32
# What a source gets each time round: some twenty words. Bytes.
QUANTUM = 4 * 1024
# What may wait of one source before it is read no further. Bytes.
MAX_WAITING = 64 * 1024
# What a frame costs beside its data, so that many empty ones count too.
OVERHEAD = 100


class Cursors(msgspec.Struct, frozen=True):
    """A place in several streams, in the order in which they were named: `1763675000123-42,1763675000456-7.2`."""

    each: tuple[Cursor, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.each))

    @classmethod
    def parse(cls, text: str, number: int, field: str = "after") -> Self:
        """Read the cursor of `number` streams; raises `Invalid` naming `field`."""
        parts = text.split(",", number)
        if len(parts) != number:
            raise Invalid(
                f"A cursor of {number} streams has {number} parts, with commas between them.", field=field
            )
        return cls(tuple(Cursor.parse(part, field) for part in parts))

    def moved(self, source: int, cursor: Cursor) -> "Cursors":
        """The place after `source` went on to `cursor`."""
        return Cursors((*self.each[:source], cursor, *self.each[source + 1 :]))


class _Lane:
    def __init__(self) -> None:
        self.waiting: deque[Item] = deque()
        self.size = self.deficit = 0
        self.room = asyncio.Event()
        self.over = self.told = False
        self.deleted = False


class Combination:
    """Enter it and `take` until there is nothing more; leaving it closes the flows."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        self._flows = flows
        self._lanes = [_Lane() for _ in flows]
        self._news = asyncio.Event()
        self._error: Exception | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        create = asyncio.get_running_loop().create_task
        self._tasks = [
            create(self._pull(flow, lane)) for flow, lane in zip(self._flows, self._lanes, strict=True)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for flow in self._flows:
            await flow.aclose()

    async def take(self) -> list[tuple[int, Item | None]]:
        """What comes next, with the number of its source, as soon as there is anything; None in place of an item says
        that the source has ended. Nothing at all: every source has. Raises `LogError`; cancelled it loses nothing."""
        while True:
            if taken := self._round():
                return taken
            if self._error is not None:
                raise self._error
            if all(lane.told for lane in self._lanes):
                return []
            self._news.clear()
            await self._news.wait()

    def deleted(self, source: int) -> bool:
        """Whether a source that ended did so because its stream was deleted."""
        return self._lanes[source].deleted

    def _round(self) -> list[tuple[int, Item | None]]:
        taken = list[tuple[int, Item | None]]()
        while not taken and any(lane.waiting or (lane.over and not lane.told) for lane in self._lanes):
            for number, lane in enumerate(self._lanes):
                taken += [(number, item) for item in _grant(lane)]
                if lane.over and not lane.waiting and not lane.told:
                    lane.told = True
                    taken.append((number, None))
        return taken

    async def _pull(self, flow: Flow, lane: _Lane) -> None:
        try:
            async for item in flow:
                lane.waiting.append(item)
                lane.size += _cost(item)
                self._news.set()
                while lane.size >= MAX_WAITING:
                    lane.room.clear()
                    await lane.room.wait()
        except NotFound:
            lane.deleted = True
        except Exception as error:  # noqa: BLE001 - `take` raises it
            self._error = error
            return
        finally:
            self._news.set()
        lane.over = True


def _grant(lane: _Lane) -> list[Item]:
    """What a source may say this time round."""
    lane.deficit = lane.deficit + QUANTUM if lane.waiting else 0
    taken = list[Item]()
    while lane.waiting and (cost := _cost(lane.waiting[0])) <= lane.deficit:
        lane.deficit -= cost
        lane.size -= cost
        taken.append(lane.waiting.popleft())
    if taken:
        lane.room.set()
    return taken


def _cost(item: Item) -> int:
    return (len(item.data) if item.shown else 0) + OVERHEAD
