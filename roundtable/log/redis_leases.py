"""Leases in Redis, on its clock: they outlive their holders, and Redis itself if it keeps an append-only file."""

from collections import defaultdict
from collections.abc import Collection

from roundtable.log import redis_scripts as scripts
from roundtable.log.redis_connection import Pool
from roundtable.log.redis_keys import ALL, Partition, partition


class RedisLeases:
    """Implements `Leases`. All methods raise `LogUnavailable`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, streams: Collection[str], holder: str, seconds: float) -> set[str]:
        """As `Leases.claim`: one round trip, and within a partition all at one moment."""
        grouped: dict[Partition, list[str]] = defaultdict(list)
        for stream in streams:
            grouped[partition(stream)].append(stream)
        answers = await self._pool.ask_all(
            [
                scripts.CLAIM(home.leases, holder, int(seconds * 1000), *names)
                for home, names in grouped.items()
            ]
        )
        return {name.decode(errors="replace") for answer in answers for name in answer}

    async def release(self, stream: str, holder: str) -> None:
        """As `Leases.release`."""
        await self._pool.ask(scripts.RELEASE(partition(stream).leases, stream, holder))

    async def abandoned(self, limit: int = 100) -> list[str]:
        """As `Leases.abandoned`, those that ended first at first."""
        answers = await self._pool.ask_all([scripts.ABANDONED((home.leases[0],), limit) for home in ALL])
        ended = [
            (float(when), name.decode(errors="replace"))
            for answer in answers
            for name, when in zip(answer[::2], answer[1::2], strict=True)
        ]
        return [name for _, name in sorted(ended)[:limit]]
