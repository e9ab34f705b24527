"""What one tail holds in memory for its reader, over all its streams, bounded in bytes."""

from collections import deque
from collections.abc import Sequence

from roundtable.log.base import MAX_BATCH_BYTES, Record

# Past it, the stream that would add more is not held: nothing is lost, only read from the store. Bytes.
MAX_BUFFER = 4 * 1024 * 1024


class Buffer:
    """Counts `size` over the queues of all streams, which are the caller's. Bytes."""

    def __init__(self) -> None:
        self.size = 0

    def hold(self, fresh: deque[Record], records: Sequence[Record]) -> bool:
        """Put the records behind what is held of their stream; False, and all of it is dropped, without room."""
        size = sum(len(record.body) for record in records)
        if self.size + size > MAX_BUFFER:
            self.drop(fresh)
            return False
        self.size += size
        fresh += records
        return True

    def drop(self, fresh: deque[Record]) -> None:
        """Hold nothing of a stream any more."""
        self.size -= sum(len(record.body) for record in fresh)
        fresh.clear()

    def take(self, fresh: deque[Record]) -> list[Record]:
        """A batch, bounded as a tail's are, and dense in itself: a gap is for the reader to see, between two."""
        records = [fresh.popleft()]
        size = len(records[0].body)
        while fresh and fresh[0].cursor.seq == records[-1].cursor.seq + 1:
            size += len(fresh[0].body)
            if size > MAX_BATCH_BYTES:
                break
            records.append(fresh.popleft())
        self.size -= sum(len(record.body) for record in records)
        return records
