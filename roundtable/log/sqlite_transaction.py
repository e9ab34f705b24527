"""What one COMMIT of the embedded store will hold, and the check of each append against its stream's end.

CPython gives the interpreter lock away at every step of a statement and may wait 5 ms to have it back from a
busy event loop. So entries are not inserted one by one: a single statement adds all that a commit holds.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict
from roundtable.log.base import Checkpoint, Outcome, Record

# ?1 lists [stream id, seq, term, offset, length]; ?2 is all bodies, end to end.
_INSERT = """INSERT INTO entries (stream_id, seq, term, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       substr(?2, json_extract(value, '$[3]'), json_extract(value, '$[4]'))
FROM json_each(?1)"""
_PAD = b"."  # SQLite's substr of an empty blob is NULL, and records may be empty
_HEAD = """SELECT id, term, seq FROM streams JOIN entries ON stream_id = id
WHERE name = ? ORDER BY seq DESC LIMIT 1"""
_KEEP_NEWEST = """INSERT INTO checkpoints (stream_id, seq, term, body)
SELECT id, ?2, ?3, ?4 FROM streams WHERE name = ?1
ON CONFLICT (stream_id) DO UPDATE SET seq = excluded.seq, term = excluded.term, body = excluded.body
WHERE (excluded.term, excluded.seq) >= (term, seq)"""

_LEASE = "INSERT OR IGNORE INTO leases SELECT value FROM json_each(?)"


class Head(NamedTuple):
    """Where a stream ends."""

    id: int
    last: Cursor


class Transaction:
    """Changes in the order they came. A refused append leaves nothing behind; `flush` comes before COMMIT.

    `heads` are the ends of the streams it touched (None: deleted), true once it is committed.
    """

    def __init__(self, connection: sqlite3.Connection, committed: dict[str, Head]) -> None:
        self.heads: dict[str, Head | None] = {}
        self.erased = False
        self._connection = connection
        self._committed = committed
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._bodies = bytearray(_PAD)

    def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        """As `EventLog.append`; `batch` has been checked."""
        head = self._head(stream)
        last = head.last if head else ZERO
        if last != expected:
            if head and last == batch[-1].cursor and self._ends_with(head.id, expected, batch):
                return "already"
            raise Conflict(f"{stream} ends at {last}, not at {expected}.")
        stream_id = head.id if head else self._create(stream)
        for cursor, body in batch:
            self._rows.append((stream_id, cursor.seq, cursor.term, len(self._bodies) + 1, len(body)))
            self._bodies += body
        self.heads[stream] = Head(stream_id, batch[-1].cursor)
        return "appended"

    def delete(self, stream: str) -> None:
        """Remove the stream, its entries, its checkpoint and its lease."""
        self.release(stream)
        head = self._head(stream)
        if head is None:
            return
        self.flush()
        self._connection.execute("DELETE FROM entries WHERE stream_id = ?", (head.id,))
        self._connection.execute("DELETE FROM checkpoints WHERE stream_id = ?", (head.id,))
        self._connection.execute("DELETE FROM streams WHERE id = ?", (head.id,))
        self.heads[stream] = None
        self.erased = True

    def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        """Keep it unless a newer one is there, or the stream is gone."""
        at = checkpoint.cursor
        self._connection.execute(_KEEP_NEWEST, (stream, at.seq, at.term, checkpoint.body))

    def lease(self, streams: Sequence[str]) -> None:
        """Note that these streams need an owner, also those that do not exist yet."""
        self._connection.execute(_LEASE, (msgspec.json.encode(streams).decode(),))

    def release(self, stream: str) -> None:
        """Note that the stream needs no owner."""
        self._connection.execute("DELETE FROM leases WHERE name = ?", (stream,))

    def flush(self) -> None:
        """Hand the gathered entries to SQLite."""
        if self._rows:
            self._connection.execute(_INSERT, (msgspec.json.encode(self._rows).decode(), self._bodies))
            self._rows.clear()
            self._bodies = bytearray(_PAD)

    def _head(self, stream: str) -> Head | None:
        if stream in self.heads:
            return self.heads[stream]
        head = self._committed.get(stream)
        if head is None:
            row = self._connection.execute(_HEAD, (stream,)).fetchone()
            head = row and Head(row[0], Cursor(row[1], row[2]))
        return head

    def _create(self, stream: str) -> int:
        cursor = self._connection.execute("INSERT INTO streams (name) VALUES (?)", (stream,))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _ends_with(self, stream_id: int, expected: Cursor, batch: Sequence[Record]) -> bool:
        """Whether the stream's last records are `expected` and then exactly `batch`."""
        self.flush()
        rows = self._connection.execute(
            "SELECT term, seq, body FROM entries WHERE stream_id = ? AND seq > ? ORDER BY seq",
            (stream_id, expected.seq),
        )
        if [Record(Cursor(term, seq), body) for term, seq, body in rows] != list(batch):
            return False
        return expected == ZERO or self._term_at(stream_id, expected.seq) == expected.term

    def _term_at(self, stream_id: int, seq: int) -> int | None:
        row = self._connection.execute(
            "SELECT term FROM entries WHERE stream_id = ? AND seq = ?", (stream_id, seq)
        ).fetchone()
        return row and int(row[0])
