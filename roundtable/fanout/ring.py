"""The newest entries of one channel as ready-made frames, bounded in bytes: the oldest go first."""

from collections.abc import Collection, Sequence

from protocol.cursor import Cursor

# Per channel. What a spectator on a poor connection misses in some seconds is still here. Bytes.
RING_BYTES = 1024 * 1024
# What an entry occupies beside its frames, so that entries a view does not show are bounded too.
OVERHEAD = 200


class Ring:
    """Holds the entries after `base` up to and with `tip`."""

    def __init__(self, tip: Cursor, max_bytes: int = RING_BYTES) -> None:
        self.base = self.tip = tip
        self.size = 0
        self._max_bytes = max_bytes
        self._cursors: list[Cursor] = []
        self._wires: list[bytes] = []
        self._unreached: set[int] = set()

    def extend(
        self, cursors: Sequence[Cursor], wires: Sequence[bytes], unreached: Collection[int] = ()
    ) -> None:
        """Add entries that follow the tip. After those in `unreached` (by seq) no reader can go on from here, as what
        they say is in the frames of a later one."""
        self._unreached.update(unreached)
        self._cursors += cursors
        self._wires += wires
        self.tip = cursors[-1]
        self.size += sum(map(len, wires)) + OVERHEAD * len(wires)
        if self.size > self._max_bytes:
            self._trim()

    def after(self, cursor: Cursor, head: Cursor, max_bytes: int) -> tuple[bytes, Cursor] | None:
        """Frames of the entries after `cursor`, no further than `head`, and the last entry's cursor.

        At least one entry, then as many as fit in `max_bytes`. None when `cursor` is no longer in the ring.
        """
        start, stop = cursor.seq - self.base.seq, head.seq - self.base.seq
        if start < 0 or start >= stop or cursor.seq in self._unreached:
            return None
        size, whole = 0, start
        for end in range(start, stop):
            size += len(self._wires[end])
            if size > max_bytes and whole > start:
                stop = whole
                break
            if self.base.seq + end + 1 not in self._unreached:
                whole = end + 1
        return b"".join(self._wires[start:stop]), self._cursors[stop - 1]

    def _trim(self) -> None:
        # A quarter at a time, as each deletion moves all that stays.
        count = 0
        while self.size > self._max_bytes * 3 // 4:
            self.size -= len(self._wires[count]) + OVERHEAD
            count += 1
        self.base = self._cursors[count - 1]
        if self._unreached:
            self._unreached = {seq for seq in self._unreached if seq >= self.base.seq}
        del self._cursors[:count], self._wires[:count]
