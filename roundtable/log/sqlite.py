"""The embedded store, put together: one SQLite file, one process, one writing thread.

`sqlite_file` is the disk, `sqlite_writer` commits a `sqlite_transaction`, `sqlite_reader` answers,
`local_tail` follows.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

from protocol.cursor import Cursor
from roundtable.log.base import Checkpoint, Outcome, Record, Tail
from roundtable.log.batch import check
from roundtable.log.local_tail import LocalTail
from roundtable.log.sqlite_file import Sync, connect, lock, prepare
from roundtable.log.sqlite_leases import SqliteLeases
from roundtable.log.sqlite_reader import Readers, Reading, leased
from roundtable.log.sqlite_view import FILE, SqliteView
from roundtable.log.sqlite_writer import OVERHEAD, Writer


class SqliteLog(Reading):
    """An `EventLog` in a directory. What was acknowledged survives the death of the process.

    With `sync="normal"` a power cut may take the last moments with it: the stream then ends earlier, its next
    owner begins a new term, and readers whose cursor is gone are told `reset`. `sync="full"` waits for the disk.
    """

    def __init__(self, path: Path, held: int, connection: sqlite3.Connection, readers: Readers) -> None:
        super().__init__(path, readers)
        self._held = held
        self._connection = connection
        self._writer = Writer(connection, path)
        self._audience: set[LocalTail] = set()
        self._closed = False
        self.leases = SqliteLeases(self._writer, leased(connection))

    @classmethod
    async def open(cls, directory: Path, *, sync: Sync = "normal") -> Self:
        """Lock `directory`, made if need be. Raises `LogUnavailable` (also when taken) and `LogDamaged`."""
        return cls(*await asyncio.to_thread(_open, directory, sync))

    @staticmethod
    async def view(path: Path) -> SqliteView:
        """The log in a directory, or in a single file, for reading: no lock, nothing of it is changed, and another
        process may go on writing it. Raises `LogUnavailable` and `LogDamaged`."""
        return await asyncio.to_thread(SqliteView, path)

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        """As `EventLog.append`. Cancelled while it waits, it may still be written."""
        batch = tuple(batch)  # ours until it is written, even if the caller is gone by then
        check(expected, batch)

        def publish(
            _: Outcome,
        ) -> None:  # "already" too: its first outcome may have been unclear to us as well
            for tail in self._audience:
                tail.publish(stream, batch)

        size = sum(len(record.body) + OVERHEAD for record in batch)
        return await self._writer.submit(lambda change: change.append(stream, expected, batch), size, publish)

    async def delete(self, stream: str) -> None:
        """As `EventLog.delete`."""

        def tell(_: None) -> None:
            self.leases.forget(stream)
            for tail in self._audience:
                tail.deleted(stream)

        await self._writer.submit(lambda change: change.delete(stream), OVERHEAD, tell, last=True)

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        """As `EventLog.save_checkpoint`; that of a stream which is gone is dropped."""
        size = len(checkpoint.body) + OVERHEAD
        await self._writer.submit(lambda change: change.save_checkpoint(stream, checkpoint), size)

    async def tail(self) -> Tail:
        return LocalTail(self, self._audience)

    async def close(self) -> None:
        """As `EventLog.close`; ends all tails. Closing twice is no error."""
        if self._closed:
            return
        self._closed = True
        await self._writer.close()
        for tail in tuple(self._audience):
            await tail.close()
        await self._readers.close()
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._connection.close()  # last, so that it folds the write-ahead log into the database
        os.close(self._held)


def _open(directory: Path, sync: Sync) -> tuple[Path, int, sqlite3.Connection, Readers]:
    path = directory / FILE
    held = lock(directory)
    try:
        connection = prepare(path, sync)
        try:
            return path, held, connection, Readers(path, partial(connect, path, sync))
        except BaseException:
            connection.close()
            raise
    except BaseException:
        os.close(held)
        raise
