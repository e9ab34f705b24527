"""From one task to another within a tool: bounded, in order, and nothing is put where nobody takes."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Lane(Generic[T]):
    """At most `most` items wait. `arrived` is set with each, and may be shared by the lanes of one who takes."""

    def __init__(self, arrived: asyncio.Event, most: int) -> None:
        self.waiting: deque[T] = deque()
        self._arrived, self._most = arrived, most
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, item: T) -> None:
        """Hand over one item; waits for room."""
        await self._room.wait()
        self.waiting.append(item)
        if len(self.waiting) >= self._most:
            self._room.clear()
        self._arrived.set()

    def take(self) -> T:
        """The item that has waited longest; there must be one."""
        self._room.set()
        return self.waiting.popleft()
