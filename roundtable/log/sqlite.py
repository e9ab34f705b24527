"""The embedded store, put together: one SQLite file, one process, one writing thread.

`sqlite_file` is the disk, `sqlite_writer` commits a `sqlite_transaction`, `sqlite_reader` answers,
`sqlite_tail` follows.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from protocol.cursor import ZERO, Cursor
from roundtable.log import sqlite_reader as reader
from roundtable.log.base import MAX_BATCH_BYTES, Checkpoint, Outcome, Record, Tail
from roundtable.log.batch import check
from roundtable.log.leases import LocalLeases
from roundtable.log.sqlite_file import Sync, damaged, lock, prepare, translate
from roundtable.log.sqlite_tail import SqliteTail
from roundtable.log.sqlite_writer import Writer

# What a change costs in memory beside the bodies it carries, so that many small ones are bounded too. Bytes.
_OVERHEAD = 256


class SqliteLog:
    """An `EventLog` in a directory. What was acknowledged survives the death of the process.

    With `sync="normal"` a power cut may take the last moments with it: the stream then ends earlier, its next
    owner begins a new term, and readers whose cursor is gone are told `reset`. `sync="full"` waits for the disk.
    """

    def __init__(
        self, path: Path, held: int, connection: sqlite3.Connection, readers: reader.Readers
    ) -> None:
        self._path = path
        self._held = held
        self._connection = connection
        self._readers = readers
        self._writer = Writer(connection, path)
        self._audience: set[SqliteTail] = set()
        self._closed = False
        self.leases = LocalLeases()

    @classmethod
    async def open(cls, directory: Path, *, sync: Sync = "normal") -> Self:
        """Lock `directory`, made if need be. Raises `LogUnavailable` (also when taken) and `LogDamaged`."""
        return cls(*await asyncio.to_thread(_open, directory, sync))

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        """As `EventLog.append`. Cancelled while it waits, it may still be written."""
        batch = tuple(batch)  # ours until it is written, even if the caller is gone by then
        check(expected, batch)

        def publish(
            _: Outcome,
        ) -> None:  # "already" too: its first outcome may have been unclear to us as well
            for tail in self._audience:
                tail.publish(stream, batch)

        size = sum(len(record.body) + _OVERHEAD for record in batch)
        return await self._writer.submit(lambda change: change.append(stream, expected, batch), size, publish)

    async def delete(self, stream: str) -> None:
        """As `EventLog.delete`; whoever follows the stream no longer does."""

        def leave(_: None) -> None:
            for tail in self._audience:
                tail.remove(stream)

        await self._writer.submit(lambda change: change.delete(stream), _OVERHEAD, leave)

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        """As `EventLog.save_checkpoint`; that of a stream which is gone is dropped."""
        size = len(checkpoint.body) + _OVERHEAD
        await self._writer.submit(lambda change: change.save_checkpoint(stream, checkpoint), size)

    async def last(self, stream: str) -> Record | None:
        return await self._readers.run(reader.last, stream)

    async def has(self, stream: str, cursor: Cursor) -> bool:
        return cursor == ZERO or await self._readers.run(reader.has, stream, cursor)

    async def read(
        self, stream: str, after_seq: int, *, limit: int = 1000, max_bytes: int = MAX_BATCH_BYTES
    ) -> list[Record]:
        """As `EventLog.read`; a gap raises `LogDamaged`."""
        records = await self._readers.run(reader.page, stream, after_seq, limit, max_bytes)
        if records is None:
            raise damaged(self._path, f"{stream} has a gap after {after_seq}")
        return records

    async def streams(self, kind: str, *, before: str = "", limit: int = 100) -> list[str]:
        return await self._readers.run(reader.streams, kind, before, limit)

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        return await self._readers.run(reader.checkpoint, stream)

    async def tail(self) -> Tail:
        return SqliteTail(self, self._audience)

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


def _open(directory: Path, sync: Sync) -> tuple[Path, int, sqlite3.Connection, reader.Readers]:
    path = directory / "roundtable.db"
    held = lock(directory)
    try:
        connection = prepare(path, sync)
        try:
            return path, held, connection, reader.Readers(path, sync)
        except sqlite3.Error as error:
            connection.close()
            raise translate(error, path) from error
    except BaseException:
        os.close(held)
        raise
