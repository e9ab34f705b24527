"""The one thread that writes: it commits whatever waits in one transaction, and never waits for more."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from protocol.errors import Conflict, LogUnavailable
from roundtable.log.sqlite_file import translate
from roundtable.log.sqlite_transaction import Head, Transaction

T = TypeVar("T")

# One transaction takes up to this much, so that no append waits long behind others. Bytes.
MAX_GROUP = 4 * 1024 * 1024
# What may wait to be written. Past it `submit` waits for room, and so do the tables that write. Bytes.
MAX_WAITING = 32 * 1024 * 1024
# What a change costs in memory beside the bodies it carries, so that many small ones are bounded too. Bytes.
OVERHEAD = 256
# Ends of streams kept in memory; past it all are forgotten, and read again when needed.
MAX_HEADS = 10_000


class _Change(Generic[T]):
    """A request to the thread, and what became of it: `result` or `error`, passed to `done` on the loop."""

    result: T
    error: Exception | None

    def __init__(
        self,
        apply: Callable[[Transaction], T],
        size: int,
        committed: Callable[[T], None],
        done: asyncio.Future[T],
        last: bool,
    ) -> None:
        self.size = size
        self.last = last
        self._apply = apply
        self._committed = committed
        self._done = done

    def apply(self, transaction: Transaction) -> None:
        """Raises nothing but what concerns the whole transaction."""
        self.error = None
        try:
            self.result = self._apply(transaction)
        except Conflict as conflict:
            self.error = conflict

    def settle(self) -> None:
        """On the loop. The caller may have gone; those who follow the stream have not."""
        if self.error is None:
            self._committed(self.result)
        if self._done.done():
            return
        if self.error is None:
            self._done.set_result(self.result)
        else:
            self._done.set_exception(self.error)


class Writer:
    """Owns the writing connection. `submit` from the loop it was made on."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._heads: dict[str, Head] = {}
        self._queue: queue.SimpleQueue[_Change[Any] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._room = asyncio.Event()
        self._closed = False
        # A daemon, as a program that forgot `close` must still be able to end; the file survives that.
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    async def submit(
        self,
        apply: Callable[[Transaction], T],
        size: int,
        committed: Callable[[T], None] = lambda _: None,
        *,
        last: bool = False,
    ) -> T:
        """Apply a change of `size` bytes and return its result once it is committed.

        `committed` is called on the loop, in the order of commits, even if the caller was cancelled meanwhile. After
        a `last` change it is called before anyone can read what was submitted later.
        """
        while self._waiting > MAX_WAITING and not self._closed:
            self._room.clear()
            await self._room.wait()
        if self._closed:
            raise LogUnavailable(f"The log {self._path} is closed.")
        done: asyncio.Future[T] = self._loop.create_future()
        self._waiting += size
        self._queue.put(_Change(apply, size, committed, done, last))
        return await done

    async def close(self) -> None:
        """Finish what was submitted and end the thread; the connection is left to the caller."""
        self._closed = True
        self._room.set()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = self._gather(first)
            self._commit(group)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it everyone who asked
                self._loop.call_soon_threadsafe(self._settle, group)

    def _gather(self, first: _Change[Any]) -> list[_Change[Any]]:
        group, size = [first], first.size
        with contextlib.suppress(queue.Empty):
            while size < MAX_GROUP and not group[-1].last:
                change = self._queue.get_nowait()
                if change is None:
                    self._queue.put(None)  # nothing can follow it, so it stays last
                    break
                group.append(change)
                size += change.size
        return group

    def _commit(self, group: list[_Change[Any]]) -> None:
        try:
            self._transact(group)
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait for an answer
            self._heads.clear()  # the outcome may be unclear, so the next append reads where its stream ends
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            if len(group) > 1:  # one change that cannot be written must not fail its neighbours
                for change in group:
                    self._commit([change])
            else:
                group[0].error = self._explain(error)

    def _transact(self, group: list[_Change[Any]]) -> None:
        transaction = Transaction(self._connection, self._heads)
        self._connection.execute("BEGIN IMMEDIATE")
        for change in group:
            change.apply(transaction)
        transaction.flush()
        self._connection.execute("COMMIT")
        self._remember(transaction.heads)
        if transaction.erased:
            self._erase()

    def _remember(self, heads: dict[str, Head | None]) -> None:
        if len(self._heads) > MAX_HEADS:
            self._heads.clear()
        for stream, head in heads.items():
            if head:
                self._heads[stream] = head
            else:
                self._heads.pop(stream, None)

    def _erase(self) -> None:
        """Leave no copy of deleted text in the write-ahead log. If this fails, the next checkpoint does it."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _explain(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        explained = translate(error, self._path)
        explained.__cause__ = error
        return explained

    def _settle(self, group: list[_Change[Any]]) -> None:
        self._waiting -= sum(change.size for change in group)
        self._room.set()
        for change in group:
            change.settle()
