"""Looks after leases: prolongs those of the streams held here, and finds streams that have lost their owner.

After the store was away nobody takes over for one lease: whoever lives comes back first.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from protocol.errors import LogUnavailable
from roundtable.log.base import Leases

log = logging.getLogger("roundtable.lookout")

# How long a table stays ours without a word from us. Another node goes on LEASE + SWEEP after a death, and its
# viewers are to wait less than three seconds; an owner that is slower than this loses a turn, and no more. Seconds.
LEASE = 2.0
# Leases are prolonged four times before they run out. Seconds.
RENEW = 0.5
# Between looks for tables that lost their owner. Seconds.
SWEEP = 0.25


class Lookout:
    """Of the streams of one `kind`, `held` names those held by `node`, `lost` hears of one that is another's now, and
    `take` goes on with one that nobody owns; it raises nothing but `LogUnavailable`. `every` is in seconds."""

    def __init__(
        self,
        leases: Leases,
        node: str,
        kind: str,
        *,
        every: float = SWEEP,
        held: Callable[[], list[str]],
        lost: Callable[[str], None],
        take: Callable[[str], Awaitable[None]],
    ) -> None:
        self._leases, self._node, self._kind, self._every = leases, node, kind, every
        self._held, self._lost, self._take = held, lost, take
        self._calm_at = 0.0  # on the loop's clock: before it, nobody could prolong a lease

    async def renew(self) -> None:
        """Keep what is held, for ever."""
        await self._repeat(self._renew, RENEW)

    async def sweep_on(self) -> None:
        """Take what was abandoned, for ever."""
        await self._repeat(self._sweep_if_calm, self._every)

    async def sweep(self) -> None:
        """Take what was abandoned. Raises `LogUnavailable`."""
        names = [name for name in await self._leases.abandoned() if name.startswith(f"{self._kind}/")]
        random.shuffle(names)  # several nodes look at the same time, and each table is for one of them
        for name in names:
            await self._take(name)

    async def _repeat(self, work: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            try:
                await work()
            except LogUnavailable as error:
                self._stay_calm(error)
            except Exception:  # a loop that dies in silence would take every table of this node with it
                log.exception("leases could not be looked after")

    async def _renew(self) -> None:
        names = self._held()
        ours = await self._leases.claim(names, self._node, LEASE) if names else set()
        for name in set(names) - ours:
            log.warning("%s has another owner now", name)
            self._lost(name)

    async def _sweep_if_calm(self) -> None:
        if asyncio.get_running_loop().time() >= self._calm_at:
            await self.sweep()

    def _stay_calm(self, error: LogUnavailable) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._calm_at:  # once, and not twice a second for as long as it lasts
            log.warning("leases cannot be prolonged, and nobody takes over: %s", error.detail)
        self._calm_at = now + LEASE
