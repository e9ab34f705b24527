"""Leases of a store that one process holds: in memory, for nobody else could have any."""

import time
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import NamedTuple


class Lease(NamedTuple):
    """Who owns a stream, and until when on the clock of `LocalLeases`."""

    holder: str
    until: float


# Nobody's, and so anybody's: its owner was a process that is dead.
ABANDONED = Lease("", float("-inf"))


class LocalLeases:
    """Implements `Leases`. `clock` is in seconds and never runs backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._leases: dict[str, Lease] = {}

    async def claim(self, streams: Collection[str], holder: str, seconds: float) -> set[str]:
        """As `Leases.claim`."""
        now = self._clock()
        owned = {stream for stream in streams if self._free(stream, holder, now)}
        self._leases.update(dict.fromkeys(owned, Lease(holder, now + seconds)))
        return owned

    async def release(self, stream: str, holder: str) -> None:
        """As `Leases.release`."""
        self.take(stream, holder)

    async def abandoned(self, limit: int = 100) -> list[str]:
        """As `Leases.abandoned`."""
        now = self._clock()
        return list(islice((stream for stream, lease in self._leases.items() if lease.until <= now), limit))

    def abandon(self, streams: Iterable[str]) -> None:
        """Streams that need an owner and have none."""
        self._leases.update(dict.fromkeys(streams, ABANDONED))

    def take(self, stream: str, holder: str) -> Lease | None:
        """Release and return the lease; None when it is another's, or nobody's."""
        lease = self._leases.get(stream)
        return self._leases.pop(stream) if lease is not None and lease.holder == holder else None

    def put_back(self, stream: str, lease: Lease) -> None:
        """The release could not be kept; whoever has claimed the stream meanwhile has it."""
        self._leases.setdefault(stream, lease)

    def forget(self, stream: str) -> None:
        """Drop the lease of a stream that was deleted, whoever holds it."""
        self._leases.pop(stream, None)

    def _free(self, stream: str, holder: str, now: float) -> bool:
        lease = self._leases.get(stream)
        return lease is None or lease.holder == holder or lease.until <= now
