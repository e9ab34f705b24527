"""How many watch a stream on other nodes: each tells the store what it has, and hears what the others have.

A number for people. It is a second old at the most, and while the store is away it stays as it was.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping

from protocol.errors import LogError
from roundtable.log.base import EventLog

# A change is told to viewers at most this often too; see `channel.NEWS`. Seconds.
EVERY = 1.0
# For taking back what was told when the node stops. After that it is forgotten by itself, a little later. Seconds.
WITHDRAW_WITHIN = 1.0

_logger = logging.getLogger("roundtable.audience")


class Audience:
    """`here` says who reads what on this node, `heard` is told how many read it elsewhere, again and again."""

    def __init__(
        self, log: EventLog, here: Callable[[], Mapping[str, int]], heard: Callable[[str, int], None]
    ) -> None:
        self._log, self._here, self._heard = log, here, heard
        self._node = secrets.token_hex(8)
        self._told: set[str] = set()  # streams of which the store may count readers here

    def start(self) -> None:
        """Begin to tell and to hear."""
        self._task = asyncio.create_task(self._run(), name="audience")

    async def close(self) -> None:
        """Stop, and take back what was told if the store answers soon. Closing twice is no error."""
        self._task.cancel()
        await asyncio.wait([self._task])
        with contextlib.suppress(LogError, TimeoutError):
            async with asyncio.timeout(WITHDRAW_WITHIN):
                await self.elsewhere(dict.fromkeys(self._told, 0))
                self._told.clear()

    async def elsewhere(self, readers: Mapping[str, int]) -> dict[str, int]:
        """How many read these streams on other nodes, which hear of `readers` here. Raises `LogError`."""
        self._told |= {stream for stream, number in readers.items() if number}
        return await self._log.count(readers, self._node) if readers else {}

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self._exchange()
            except LogError as error:
                _logger.debug("nobody hears how many watch: %s", error.detail)

    async def _exchange(self) -> None:
        here = dict(self._here())
        found = await self.elsewhere(dict.fromkeys(self._told, 0) | here)
        self._told.intersection_update(here)
        for stream in here:
            self._heard(stream, found[stream])
