"""Leases of a store that one process holds: in memory, for nobody else could have any."""

import time
from collections.abc import Callable, Collection
from typing import NamedTuple


class Lease(NamedTuple):
    """Who owns a stream, and until when on the clock of `LocalLeases`."""

    holder: str
    until: float


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
        lease = self._leases.get(stream)
        if lease is not None and lease.holder == holder:
            del self._leases[stream]

    async def abandoned(self, limit: int = 100) -> list[str]:
        """As `Leases.abandoned`."""
        now = self._clock()
        return [stream for stream, lease in self._leases.items() if lease.until <= now][:limit]

    def forget(self, stream: str) -> None:
        """Drop the lease of a stream that was deleted, whoever holds it."""
        self._leases.pop(stream, None)

    def _free(self, stream: str, holder: str, now: float) -> bool:
        lease = self._leases.get(stream)
        return lease is None or lease.holder == holder or lease.until <= now
