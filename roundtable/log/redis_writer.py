"""Appending: one connection, and whatever waits goes in the next round trip. No timer, so an idle store adds no delay.

A pipeline, not a transaction: each append is a script of its own, and one that is refused says nothing of the others.
"""

import asyncio
from collections import deque
from typing import NamedTuple

from protocol.errors import LogError, LogUnavailable
from roundtable.log.redis_connection import Command, Link
from roundtable.log.redis_errors import again
from roundtable.log.redis_wire import Reply

# One round trip carries up to this much, so that no append waits long behind others. Bytes.
MAX_GROUP = 4 * 1024 * 1024
# What may wait to be sent. Past it `submit` waits for room, and so do the tables that write. Bytes.
MAX_WAITING = 32 * 1024 * 1024


class _Append(NamedTuple):
    command: Command
    size: int
    done: asyncio.Future[Reply]


class Writer:
    """Owns `link`. `at` is the server's name for people."""

    def __init__(self, link: Link, at: str) -> None:
        self._link = link
        self._at = at
        self._waiting: deque[_Append] = deque()
        self._size = 0  # bytes, of those that wait and those under way
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def submit(self, command: Command, size: int) -> Reply:
        """The script's answer. `size` in bytes. Cancelled while it waits, the append may still be written.

        Raises `LogUnavailable`; unless the log is closed, the outcome is unknown then.
        """
        while self._size > MAX_WAITING and not self._closed:
            self._room.clear()
            await self._room.wait()
        if self._closed:
            raise LogUnavailable(f"The log in Redis at {self._at} is closed.")
        append = _Append(command, size, asyncio.get_running_loop().create_future())
        self._waiting.append(append)
        self._size += size
        if self._idle.is_set():
            await self._lead()
        return await append.done

    async def close(self) -> None:
        """Finish what was submitted and disconnect."""
        self._closed = True
        self._room.set()
        await self._idle.wait()
        await self._link.close()

    async def _lead(self) -> None:
        """Send the one append that waits in its caller's own task, as waking another costs a turn of the loop there and
        one back. What has come meanwhile is not this caller's to wait for; and cancelled, it is cut off alone."""
        self._idle.clear()
        try:
            await self._send(self._gather())
        finally:
            if self._waiting:
                self._task = asyncio.create_task(self._catch_up(), name="redis-writer")
            else:
                self._idle.set()

    async def _catch_up(self) -> None:
        try:
            while self._waiting:
                await self._send(self._gather())
        finally:
            self._idle.set()

    def _gather(self) -> list[_Append]:
        group, size = [self._waiting.popleft()], 0
        while self._waiting and (size := size + group[-1].size) < MAX_GROUP:
            group.append(self._waiting.popleft())
        return group

    async def _send(self, group: list[_Append]) -> None:
        try:
            replies = await self._link.run([append.command for append in group])
        except asyncio.CancelledError:
            for append in group:
                append.done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait for an answer
            # Those not sent yet fail with them: a server that hangs must not cost each group another deadline.
            group += self._waiting
            self._waiting.clear()
            replies = [error] * len(group)
        finally:
            self._size -= sum(append.size for append in group)
            self._room.set()
        for append, reply in zip(group, replies, strict=True):
            self._settle(append, reply)

    def _settle(self, append: _Append, reply: Reply) -> None:
        if append.done.done():  # whoever waited has gone
            return
        if isinstance(reply, LogError):
            append.done.set_exception(again(reply))
        elif isinstance(reply, Exception):
            append.done.set_exception(reply)
        else:
            append.done.set_result(reply)
