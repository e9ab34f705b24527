"""What concerns everyone, told in one stream (`system/all`) by all nodes: nodes, tables, counts, maintenance.

It is news and no record: what a node did not get to tell before it died is told by nobody, and beyond a bound the
stream begins again. The truth of a table is its own log.
"""

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence

from protocol.errors import LogError
from protocol.events import Event, TermBegan
from protocol.system import ALL, CountsChanged, NodeStarted, NodeStopping
from roundtable.hosting.shared import Shared
from roundtable.log.base import EventLog

log = logging.getLogger("roundtable.system")

# News of a busy day; 2 MB. Each node has its own bound, so that two do not begin the stream again at once. Entries.
MAX_ENTRIES, SPREAD = 20_000, 2_000
# News that wait while the store is away; beyond, the oldest are forgotten.
MAX_WAITING = 1_000
# Between looks at the counts, which are told when they have changed. Seconds.
COUNT_EVERY = 10.0
# Between attempts while the store cannot be used; seconds.
STORE_PAUSE = 1.0
# For the last word of a node that stops. Seconds.
GOODBYE_WITHIN = 1.0

Counts = Callable[[], tuple[int, int, int]]
"""Tables, streams and spectators of this node now."""


class System:
    """`start` it, `tell` it, `close` it. `node` is this node's name."""

    def __init__(self, log: EventLog, node: str, clock: Callable[[], float], counts: Counts) -> None:
        self._stream = Shared(log, ALL, clock)
        self.node, self._counts = node, counts
        self._told = (0, 0, 0)
        self._bound = MAX_ENTRIES + random.randrange(SPREAD)
        self._waiting: deque[Event] = deque(maxlen=MAX_WAITING)
        self._news = asyncio.Event()

    def start(self) -> None:
        """Begin to tell, first that this node is here. A store that takes nothing now is waited for."""
        self.tell(NodeStarted(node=self.node))
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._run(), name="system"),
            loop.create_task(self._count(), name="counts"),
        ]

    async def close(self) -> None:
        """Say the rest, if the store takes it soon."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(LogError, TimeoutError):
            async with asyncio.timeout(GOODBYE_WITHIN):
                await self._write([*self._waiting, NodeStopping(node=self.node)])

    def tell(self, event: Event) -> None:
        """Announce it, soon."""
        self._waiting.append(event)
        self._news.set()

    async def ready(self) -> None:
        """See to it that the stream can be followed. Raises `LogUnavailable`."""
        await self._stream.add(lambda: () if self._stream.last.seq else (TermBegan(owner=self.node),))

    async def announce(self, event: Event) -> None:
        """Announce it, now. Raises `LogUnavailable`."""
        await self._write([event])

    async def _write(self, events: Sequence[Event]) -> None:
        if self._stream.last.seq >= self._bound:
            await self._stream.catch_up()  # another may have begun it again
        if self._stream.last.seq >= self._bound:
            await self._stream.renew()
        await self._stream.add(lambda: events)

    async def _run(self) -> None:
        """All that waits goes in one append: however many tables open at once, this stream costs one writer."""
        while True:
            await self._news.wait()
            self._news.clear()
            while events := list(self._waiting):
                try:
                    await self._write(events)
                except LogError as error:
                    log.debug("news wait for the store: %s", error.detail)
                    await asyncio.sleep(STORE_PAUSE)
                    continue
                for event in events:  # what came meanwhile stays; what was too much is gone already
                    if self._waiting and self._waiting[0] is event:
                        self._waiting.popleft()

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(COUNT_EVERY)
            counts = self._counts()
            if counts != self._told:
                self._told = counts
                tables, streams, spectators = counts
                self.tell(
                    CountsChanged(node=self.node, tables=tables, streams=streams, spectators=spectators)
                )
