"""The embedded store for reading only: the library of a server that runs, or a backup."""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Never

from protocol.cursor import Cursor
from protocol.errors import LogUnavailable
from roundtable.log.base import Checkpoint, Record
from roundtable.log.sqlite_file import look
from roundtable.log.sqlite_format import found
from roundtable.log.sqlite_reader import Readers, Reading

# The database in a data directory.
FILE = "roundtable.db"


class NoLeases:
    """Nobody can own what is only read."""

    async def claim(self, streams: Collection[str], holder: str, seconds: float) -> set[str]:
        return set()

    async def release(self, stream: str, holder: str) -> None:
        pass

    async def abandoned(self, limit: int = 100) -> list[str]:
        return []


class SqliteView(Reading):
    """An `EventLog` whose every change raises `LogUnavailable`. It shows what is there, and cannot be followed.

    `path` is a data directory or a file in any format up to ours. In a directory that may not be written it can be
    read while a server has it open, and while none does.
    """

    def __init__(self, path: Path) -> None:
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise LogUnavailable(f"There is no log at {path}.", retryable=False)
        super().__init__(path, Readers(path, lambda: _connect(path)))
        self.leases = NoLeases()

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Never:
        self._refuse()

    async def delete(self, stream: str) -> Never:
        self._refuse()

    async def tail(self) -> Never:
        self._refuse()

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        """Does nothing: a checkpoint is a cache, and who folds what is only read shall not fail for it."""

    async def close(self) -> None:
        """As `EventLog.close`."""
        await self._readers.close()

    def _refuse(self) -> Never:
        raise LogUnavailable(f"{self._path} was opened for reading only.", retryable=False)


def _connect(path: Path) -> sqlite3.Connection:
    connection = look(path)
    try:
        if not found(connection, path):
            raise LogUnavailable(f"{path} is no log of roundtable.", retryable=False)
    except BaseException:
        connection.close()
        raise
    return connection
