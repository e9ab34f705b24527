"""The seam to a store of ordered, durable streams. `tests/test_log.py` is its contract, run on every store.

A stream is named `kind/id` (`table/01j...`, `inbox/01j...`). Its records are numbered densely from 1 and
written in order under non-decreasing terms. A store moves bytes: it neither reads nor writes events.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from protocol.cursor import Cursor

# One append carries at most this much; the orchestrator splits what is more. 256 KiB keeps any store's
# script or transaction short, so that one busy table does not hold up the others.
MAX_BATCH_BYTES = 256 * 1024

Outcome = Literal["appended", "already"]


class Record(NamedTuple):
    """An encoded event at its place. `cursor.part` is 0."""

    cursor: Cursor
    body: bytes


class Checkpoint(msgspec.Struct, frozen=True):
    """A cache of a fold at `cursor`; always to be had again from the stream itself."""

    cursor: Cursor
    body: bytes


class Tail(Protocol):
    """Follows many streams at once for one reader: new records, in order, without gaps or repeats.

    One per node, not per client. What it buffers is bounded; past the bound it re-reads from the store.
    """

    async def add(self, stream: str, after: Cursor) -> None:
        """Follow `stream` from the record after `after`, which must exist, or be ZERO: else `Invalid`.

        Adding what is followed already is a `ValueError`; a deleted stream is, until that was delivered.
        """
        ...

    def remove(self, stream: str) -> None:
        """Stop following; records under way may still be delivered once. No error when it is not followed."""
        ...

    def __aiter__(self) -> AsyncIterator[tuple[str, list[Record]]]:
        """Batches as they are written, at most `MAX_BATCH_BYTES` unless one record is larger.

        An empty batch says that the stream was deleted; it is no longer followed then.
        """
        ...

    async def close(self) -> None:
        """End the iteration."""
        ...


class Leases(Protocol):
    """Who owns which live stream: a lease says who, the term in the log makes it safe.

    Leases are kept with the streams and measured by the store's clock, so holders need not agree on the time.
    """

    async def claim(self, streams: Collection[str], holder: str, seconds: float) -> set[str]:
        """Own the streams for so long from now; those that `holder` owns now, new or prolonged.

        Missing are those whose lease of another still runs. 0 seconds hands over: the stream is abandoned at once.
        """
        ...

    async def release(self, stream: str, holder: str) -> None:
        """The stream needs no owner any more. No effect when it is another's, or nobody's."""
        ...

    async def abandoned(self, limit: int = 100) -> list[str]:
        """Streams whose lease ran out without a release: their owner died or lost the store."""
        ...


class EventLog(Protocol):
    """All methods raise `LogUnavailable` when the store cannot be used, `LogDamaged` when it cannot be read."""

    @property
    def leases(self) -> Leases:
        """Who owns what."""
        ...

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        """Add `batch` if the stream's last cursor is `expected` (ZERO: the stream is new).

        Returns `appended`; `already` when the tail is this very batch (the retry of an append whose outcome was
        unknown). Raises `Conflict` otherwise, and then nothing was written. The batch is written whole or not at
        all, and is durable when this returns. `batch` is not empty, dense from `expected.seq + 1`,
        terms not decreasing.
        """
        ...

    async def last(self, stream: str) -> Record | None:
        """The stream's newest record, or None when there is none."""
        ...

    async def has(self, stream: str, cursor: Cursor) -> bool:
        """Whether the record `term-seq` exists: only then may a reader resume after it. ZERO always does."""
        ...

    async def read(
        self, stream: str, after_seq: int, *, limit: int = 1000, max_bytes: int = MAX_BATCH_BYTES
    ) -> list[Record]:
        """Records with seq > `after_seq`, in order, until one of the bounds; one record at least if there is any."""
        ...

    async def tail(self) -> Tail:
        """A new, empty tail."""
        ...

    async def streams(self, kind: str, *, before: str = "", limit: int = 100) -> list[str]:
        """Names `kind/...` in descending order, those less than `before` if it is given."""
        ...

    async def delete(self, stream: str) -> None:
        """Remove the stream, its checkpoint and its lease for good; every tail on every node says so and follows
        it no longer. Removing what is not there is no error.
        """
        ...

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        """Keep the newest checkpoint of a stream; an older one than the one held is dropped."""
        ...

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        """The newest checkpoint, if any."""
        ...

    async def count(self, readers: Mapping[str, int], node: str) -> dict[str, int]:
        """Tell how many read each stream at `node`, and hear how many do on all other nodes; 0 where there is none.

        What was told counts for 30 s on the store's clock, so it is to be repeated; 0 takes it back at once.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted and release the store."""
        ...
