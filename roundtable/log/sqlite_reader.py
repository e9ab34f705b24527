"""Reading the embedded store: two connections in two threads, so that no reader waits for the writer.

A page is fetched as one row (see `sqlite_transaction.py` for why), and its density is proved on the way.
"""

import asyncio
import queue
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, count, pairwise
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import msgspec

from protocol.cursor import ZERO, Cursor
from protocol.errors import LogUnavailable
from roundtable.log.base import MAX_BATCH_BYTES, Checkpoint, Record
from roundtable.log.sqlite_file import damaged, translate

P = ParamSpec("P")
T = TypeVar("T")

# Two, so that one long page does not hold up the short questions; the interpreter lock gives more no use.
READERS = 2

_LAST = """SELECT term, seq, body FROM entries JOIN streams ON stream_id = id
WHERE name = ? ORDER BY seq DESC LIMIT 1"""
_HAS = """SELECT 1 FROM entries JOIN streams ON stream_id = id
WHERE name = ? AND seq = ? AND term = ?"""
# ?1 stream, ?2 after_seq, ?3 limit, ?4 max_bytes. Only where the bytes cut a page short are they summed row by row,
# as that costs more than all the rest. The casts only relabel the bytes, whatever they are.
_PAGE = """WITH
    stream AS (SELECT id FROM streams WHERE name = ?1),
    sizes AS (
        SELECT seq, length(body) AS size FROM entries
        WHERE stream_id = (SELECT id FROM stream) AND seq > ?2 ORDER BY seq LIMIT ?3
    ),
    sums AS (SELECT seq, size, sum(size) OVER (ORDER BY seq) AS total FROM sizes)
SELECT max(seq), json_group_array(term), json_group_array(length(body)),
       CAST(group_concat(CAST(body AS TEXT), '') AS BLOB)
FROM (
    SELECT term, seq, body FROM entries
    WHERE stream_id = (SELECT id FROM stream) AND seq > ?2
      AND seq <= CASE WHEN (SELECT sum(size) FROM sizes) <= ?4 THEN (SELECT max(seq) FROM sizes)
                 ELSE (SELECT max(seq) FROM sums WHERE total <= ?4 OR total = size) END
    ORDER BY seq
)"""
# Names of a kind lie between "kind/" and "kind0", as "0" is the character after "/".
_STREAMS = """SELECT name FROM streams WHERE name > ?1 || '/' AND name < ?1 || '0' AND (?2 = '' OR name < ?2)
ORDER BY name DESC LIMIT ?3"""
_CHECKPOINT = """SELECT checkpoints.term, checkpoints.seq, body
FROM checkpoints JOIN streams ON stream_id = id WHERE name = ?"""
_numbers = msgspec.json.Decoder(list[int])


def last(connection: sqlite3.Connection, stream: str) -> Record | None:
    """As `EventLog.last`."""
    row = connection.execute(_LAST, (stream,)).fetchone()
    return row and Record(Cursor(row[0], row[1]), row[2])


def has(connection: sqlite3.Connection, stream: str, cursor: Cursor) -> bool:
    """As `EventLog.has`, for any cursor but ZERO."""
    return connection.execute(_HAS, (stream, cursor.seq, cursor.term)).fetchone() is not None


def page(
    connection: sqlite3.Connection, stream: str, after_seq: int, limit: int, max_bytes: int
) -> list[Record] | None:
    """As `EventLog.read`; None when the numbers are not dense, so that the store has lost something."""
    row = connection.execute(_PAGE, (stream, after_seq, limit, max_bytes)).fetchone()
    newest, terms, sizes, bodies = row[0], _numbers.decode(row[1]), _numbers.decode(row[2]), row[3]
    if terms and newest != after_seq + len(terms):
        return None
    cursors = map(Cursor, terms, count(after_seq + 1))
    slices = pairwise(accumulate(sizes, initial=0))
    return [Record(cursor, bodies[start:end]) for cursor, (start, end) in zip(cursors, slices, strict=True)]


def streams(connection: sqlite3.Connection, kind: str, before: str, limit: int) -> list[str]:
    """As `EventLog.streams`."""
    return [name for (name,) in connection.execute(_STREAMS, (kind, before, limit))]


def checkpoint(connection: sqlite3.Connection, stream: str) -> Checkpoint | None:
    """As `EventLog.checkpoint`."""
    row = connection.execute(_CHECKPOINT, (stream,)).fetchone()
    return row and Checkpoint(Cursor(row[0], row[1]), row[2])


def leased(connection: sqlite3.Connection) -> list[str]:
    """The streams that need an owner."""
    return [name for (name,) in connection.execute("SELECT name FROM leases")]


class Readers:
    """A pool of reading connections. Errors come out as `LogUnavailable` or `LogDamaged`."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(READERS, "log-reader")
        self._closed = False
        try:
            for _ in range(READERS):
                connection = connect()
                self._idle.put(connection)
                connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            self._release()
            raise translate(error, path) from error

    async def run(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The query's answer, from a state that holds every append acknowledged so far."""
        if self._closed:
            raise LogUnavailable(f"The log {self._path} is closed.")
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: self._run(query, *args, **kwargs)
        )

    def _run(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        connection = self._idle.get()
        try:
            return query(connection, *args, **kwargs)
        except sqlite3.Error as error:
            raise translate(error, self._path) from error
        finally:
            self._idle.put(connection)

    async def close(self) -> None:
        """Answer what was asked, then release the connections."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        self._release()

    def _release(self) -> None:
        while not self._idle.empty():
            self._idle.get().close()


class Reading:
    """The half of an `EventLog` that only reads."""

    def __init__(self, path: Path, readers: Readers) -> None:
        self._path = path
        self._readers = readers

    async def last(self, stream: str) -> Record | None:
        return await self._readers.run(last, stream)

    async def has(self, stream: str, cursor: Cursor) -> bool:
        return cursor == ZERO or await self._readers.run(has, stream, cursor)

    async def read(
        self, stream: str, after_seq: int, *, limit: int = 1000, max_bytes: int = MAX_BATCH_BYTES
    ) -> list[Record]:
        """As `EventLog.read`; a gap raises `LogDamaged`."""
        records = await self._readers.run(page, stream, after_seq, limit, max_bytes)
        if records is None:
            raise damaged(self._path, f"{stream} has a gap after {after_seq}")
        return records

    async def streams(self, kind: str, *, before: str = "", limit: int = 100) -> list[str]:
        return await self._readers.run(streams, kind, before, limit)

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        return await self._readers.run(checkpoint, stream)

    async def count(self, readers: Mapping[str, int], node: str) -> dict[str, int]:
        """As `EventLog.count`: one process serves a directory, so there is no other node."""
        return dict.fromkeys(readers, 0)
