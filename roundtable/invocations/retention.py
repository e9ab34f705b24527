"""How long invocations are kept: those that ended before that are deleted, by whichever node looks first.

Ids order by time, so a look begins behind all that are young and costs nothing where nothing is old.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from protocol import invocation
from protocol.errors import LogDamaged, LogError
from roundtable.hosting import inbox
from roundtable.hosting.convening import first_id
from roundtable.log.base import EventLog

log = logging.getLogger("roundtable.invocations")

# Between looks; nodes that were started together soon look apart. Seconds.
EVERY = (300.0, 900.0)
# Names asked of the log at a time.
PAGE = 100


class Retention:
    """`run` it in a task. `keep` is in seconds, from an invocation's end."""

    def __init__(self, log: EventLog, keep: float, clock: Callable[[], float]) -> None:
        self._log, self._keep, self._clock = log, keep, clock

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                await self.look()
            except LogError as error:
                log.warning("old invocations cannot be deleted now: %s", error.detail)
            await asyncio.sleep(random.uniform(*EVERY))

    async def look(self) -> int:
        """Delete what is old enough; how many. Raises `LogError`."""
        before = self._clock() - self._keep
        place, deleted = f"{invocation.KIND}/{first_id(before)}", 0
        while names := await self._log.streams(invocation.KIND, before=place, limit=PAGE):
            for name in names:
                deleted += await self._delete_if_over(name, before)
            place = names[-1]
        if deleted:
            log.info("%d invocations were old and are deleted", deleted)
        return deleted

    async def _delete_if_over(self, name: str, before: float) -> bool:
        try:
            last = await self._log.last(name)
            if last is None or not invocation.is_end(last.body) or invocation.reached(last.body).at >= before:
                return False
        except LogDamaged as error:  # one that cannot be read must not keep the others
            log.warning("%s is old and cannot be read: %s", name, error.detail)
            return False
        await self._log.delete(inbox.stream(name.partition("/")[2]))
        await self._log.delete(name)
        return True
