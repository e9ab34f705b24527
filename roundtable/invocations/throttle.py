"""How far an invocation may run ahead of the one who called it: back-pressure from a socket to a model."""

import asyncio
from collections import deque
from collections.abc import Sequence

from roundtable.log.base import Record

# Bytes of entries that the caller has not taken. With what the kernel holds, some seconds of a fast model.
WINDOW = 512 * 1024


class Throttle:
    """The producer tells what it `wrote` and waits until it is `open`; whoever brings the caller on tells what was
    `taken`."""

    def __init__(self, window: int = WINDOW) -> None:
        self.window = window
        self._ahead: deque[tuple[int, int]] = deque()  # (seq, bytes) written and not taken
        self._size = 0
        self._open = asyncio.Event()
        self._open.set()
        self._released = False

    def wrote(self, records: Sequence[Record]) -> None:
        """These entries are in the log."""
        for cursor, body in records:
            self._ahead.append((cursor.seq, len(body)))
            self._size += len(body)
        self._settle()

    def taken(self, seq: int) -> None:
        """The caller has everything up to and with `seq`."""
        while self._ahead and self._ahead[0][0] <= seq:
            self._size -= self._ahead.popleft()[1]
        self._settle()

    def release(self) -> None:
        """Nobody waits for the caller any more."""
        self._released = True
        self._settle()

    async def open(self) -> None:
        """Until the caller is less than the window behind."""
        await self._open.wait()

    def _settle(self) -> None:
        if self._released or self._size < self.window:
            self._open.set()
        else:
            self._open.clear()
