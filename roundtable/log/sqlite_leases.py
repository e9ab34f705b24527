"""Leases of the embedded store. Which streams need an owner is on disk; who owns them, and until when, is in memory.

One process holds the directory, so whoever held a lease before it is dead: what it finds on disk is abandoned.
"""

from collections.abc import Collection

from protocol.errors import LogError
from roundtable.log.leases import LocalLeases
from roundtable.log.sqlite_writer import OVERHEAD, Writer


class SqliteLeases:
    """Implements `Leases`; `left` are the streams whose owner was another process."""

    def __init__(self, writer: Writer, left: Collection[str]) -> None:
        self._writer = writer
        self._held = LocalLeases()
        self._held.abandon(left)
        self._written = set(left)

    async def claim(self, streams: Collection[str], holder: str, seconds: float) -> set[str]:
        """As `Leases.claim`. Only the first claim of a stream is written, together with an append that is awaited
        beside it; prolonging one costs no write."""
        owned = await self._held.claim(streams, holder, seconds)
        new = sorted(owned - self._written)
        if new:
            try:
                await self._writer.submit(
                    lambda change: change.lease(new), OVERHEAD * len(new), lambda _: self._written.update(new)
                )
            except LogError:
                for stream in new:
                    await self._held.release(stream, holder)
                raise
        return owned

    async def release(self, stream: str, holder: str) -> None:
        """As `Leases.release`. When it cannot be written the stream goes on to need an owner."""
        lease = self._held.take(stream, holder)
        if lease is None:
            return
        self._written.discard(stream)  # from now on a claim is written again, behind this
        try:
            await self._writer.submit(lambda change: change.release(stream), OVERHEAD)
        except LogError:
            self._held.put_back(stream, lease)
            self._written.add(stream)
            raise

    async def abandoned(self, limit: int = 100) -> list[str]:
        """As `Leases.abandoned`."""
        return await self._held.abandoned(limit)

    def forget(self, stream: str) -> None:
        """The stream was deleted, and its lease with it."""
        self._held.forget(stream)
        self._written.discard(stream)
