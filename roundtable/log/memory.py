"""The store that leaves nothing behind: streams in the memory of this process, gone with it, within a bound."""

from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest

from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict, LogUnavailable
from roundtable.log.base import MAX_BATCH_BYTES, Checkpoint, Outcome, Record, Tail
from roundtable.log.batch import check
from roundtable.log.leases import LocalLeases
from roundtable.log.local_tail import LocalTail

# All streams together: some 500 tables of 10,000 words each, and little beside what a server needs. Bytes.
MAX_BYTES = 64 * 1024 * 1024
# What a record occupies beside its body (a tuple, a cursor and two numbers), so that empty ones are bounded too.
OVERHEAD = 240


class _Stream:
    """`size` is what it counts towards the bound, its checkpoint included."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.checkpoint: Checkpoint | None = None
        self.size = 0

    @property
    def last(self) -> Cursor:
        return self.records[-1].cursor if self.records else ZERO


class MemoryLog:
    """An `EventLog` that holds at most `max_bytes`. Past it, appends raise `LogUnavailable` until something is deleted:
    what is there is never dropped to make room."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.leases = LocalLeases()
        self.max_bytes = max_bytes
        self.size = 0
        self._streams: dict[str, _Stream] = {}
        self._audience: set[LocalTail] = set()
        self._closed = False

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        """As `EventLog.append`."""
        return self.append_now(stream, expected, batch)

    def append_now(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        """`append`, for which nobody need wait here."""
        self._check_open()
        batch = tuple(batch)
        check(expected, batch)
        held = self._streams.get(stream) or _Stream()
        if held.last != expected:
            if _place(held.records, expected.seq) == expected and batch == tuple(
                held.records[expected.seq :]
            ):
                return "already"
            raise Conflict(f"{stream} ends at {held.last}, not at {expected}.")
        self._grow(held, sum(len(record.body) + OVERHEAD for record in batch))
        held.records += batch
        self._streams[stream] = held
        for tail in self._audience:
            tail.publish(stream, batch)
        return "appended"

    async def delete(self, stream: str) -> None:
        """As `EventLog.delete`."""
        self._check_open()
        if held := self._streams.pop(stream, None):
            self.size -= held.size
        self.leases.forget(stream)
        for tail in self._audience:
            tail.deleted(stream)

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        """As `EventLog.save_checkpoint`; one for which there is no room is not kept."""
        self._check_open()
        held = self._streams.get(stream)
        if held is None or (held.checkpoint and held.checkpoint.cursor > checkpoint.cursor):
            return
        before = len(held.checkpoint.body) + OVERHEAD if held.checkpoint else 0
        more = len(checkpoint.body) + OVERHEAD - before
        if self.size + more <= self.max_bytes:
            self._grow(held, more)
            held.checkpoint = checkpoint

    async def last(self, stream: str) -> Record | None:
        records = self._records(stream)
        return records[-1] if records else None

    async def has(self, stream: str, cursor: Cursor) -> bool:
        return _place(self._records(stream), cursor.seq) == cursor

    async def read(
        self, stream: str, after_seq: int, *, limit: int = 1000, max_bytes: int = MAX_BATCH_BYTES
    ) -> list[Record]:
        return list(_within(self._records(stream)[after_seq : after_seq + limit], max_bytes))

    async def streams(self, kind: str, *, before: str = "", limit: int = 100) -> list[str]:
        self._check_open()
        names = (name for name in self._streams if name.startswith(f"{kind}/"))
        return nlargest(limit, (name for name in names if not before or name < before))

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        self._check_open()
        held = self._streams.get(stream)
        return held.checkpoint if held else None

    async def count(self, readers: Mapping[str, int], node: str) -> dict[str, int]:
        """As `EventLog.count`: there is no other node."""
        return dict.fromkeys(readers, 0)

    async def tail(self) -> Tail:
        self._check_open()
        return LocalTail(self, self._audience)

    async def close(self) -> None:
        """Forget everything and end all tails."""
        self._closed = True
        self._streams.clear()
        for tail in tuple(self._audience):
            await tail.close()

    def _records(self, stream: str) -> list[Record]:
        self._check_open()
        held = self._streams.get(stream)
        return held.records if held else []

    def _grow(self, held: _Stream, size: int) -> None:
        if self.size + size > self.max_bytes:
            raise LogUnavailable(
                f"The memory for tables off the record is full ({self.max_bytes >> 20} MiB). Delete one of them."
            )
        held.size += size
        self.size += size

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailable("The log in memory is closed.")


def _place(records: list[Record], seq: int) -> Cursor | None:
    """The cursor of a stream's record `seq`, if there is one; before the first is ZERO."""
    if seq == 0:
        return ZERO
    return records[seq - 1].cursor if seq <= len(records) else None


def _within(records: list[Record], max_bytes: int) -> Iterator[Record]:
    """As many as fit, and the first in any case."""
    size = 0
    for record in records:
        size += len(record.body)
        if size > max_bytes and record is not records[0]:
            return
        yield record
