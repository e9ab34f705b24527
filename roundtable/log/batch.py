"""What every store refuses before it looks at its own state. Pure, so that all stores refuse alike."""

from collections.abc import Sequence

from protocol.cursor import Cursor
from protocol.errors import Conflict, LogError
from roundtable.log.base import Record

# The longest record a reader must be ready for; also the longest SSE line our own decoder accepts. 8 MiB.
MAX_RECORD_BYTES = 8 * 1024 * 1024


def check(expected: Cursor, batch: Sequence[Record]) -> None:
    """Raises `Conflict` where a term falls, `LogError` (`too_large`) for an outsized record.

    A batch that is empty or not dense is a bug of the writer: `ValueError`.
    """
    if not batch:
        raise ValueError("an append needs at least one record")
    place = expected
    for cursor, body in batch:
        if cursor.seq != place.seq + 1 or cursor.part:
            raise ValueError(f"{cursor} does not follow {place}")
        if cursor.term < place.term:
            raise Conflict(f"Term {place.term} has begun, so {cursor} can no longer be written.")
        if len(body) > MAX_RECORD_BYTES:
            raise LogError(
                f"A record holds at most {MAX_RECORD_BYTES} bytes, not {len(body)}.", code="too_large"
            )
        place = cursor
