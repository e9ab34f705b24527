"""Appending: one connection, and whatever waits goes in the next round trip. No timer, so an idle store adds no delay.

A pipeline, not a transaction: each append is a script of its own, and one that is refused says nothing of the others.
"""

import asyncio
from collections import deque
from typing import NamedTuple

from protocol.errors import LogError, LogUnavailable
from roundtable.log.redis_connection import Command, Link, Reply
from roundtable.log.redis_errors import again

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
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False
        self._task = asyncio.create_task(self._run(), name="redis-writer")

    async def submit(self, command: Command, size: int) -> Reply:
        """The script's answer. `size` in bytes. Cancelled while it waits, the append may still be written.

        Raises `LogUnavailable`; unless the log is closed, the outcome is unknown then.
        """
        while self._size > MAX_WAITING and not self._closed:
            self._room.clear()
            await self._room.wait()
        if self._closed:
            raise LogUnavailable(f"The log in Redis at {self._at} is closed.")
        done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Append(command, size, done))
        self._size += size
        self._wake.set()
        return await done

    async def close(self) -> None:
        """Finish what was submitted and disconnect."""
        self._closed = True
        self._room.set()
        self._wake.set()
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        while self._waiting or not self._closed:
            if self._waiting:
                await self._send(self._gather())
            else:
                self._wake.clear()
                await self._wake.wait()
        await self._link.close()

    def _gather(self) -> list[_Append]:
        group, size = [self._waiting.popleft()], 0
        while self._waiting and (size := size + group[-1].size) < MAX_GROUP:
            group.append(self._waiting.popleft())
        return group

    async def _send(self, group: list[_Append]) -> None:
        try:
            replies = await self._link.run([append.command for append in group])
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait for an answer
            # Those not sent yet fail with them: a server that hangs must not cost each group another deadline.
            group += self._waiting
            self._waiting.clear()
            replies = [error] * len(group)
        for append, reply in zip(group, replies, strict=True):
            self._settle(append, reply)
        self._room.set()

    def _settle(self, append: _Append, reply: Reply) -> None:
        self._size -= append.size
        if append.done.done():  # whoever waited has gone
            return
        if isinstance(reply, LogError):
            append.done.set_exception(again(reply))
        elif isinstance(reply, Exception):
            append.done.set_exception(reply)
        else:
            append.done.set_result(reply)
