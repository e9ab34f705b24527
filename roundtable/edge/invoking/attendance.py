"""Callers who may be away for a while: a connection that breaks is not yet a caller who has left.

Who asked for `linger` may come back to the node that runs the invocation (`GET /invoke/{id}?owner=1`) within so many
seconds. Until then it runs as far ahead as its throttle lets it; after that it is ended.
"""

import asyncio
import logging
from collections.abc import Callable

from protocol.errors import LogError
from roundtable.fanout.broadcast import Broadcast
from roundtable.invocations.invocations import Invocations, stream
from roundtable.invocations.throttle import Throttle

# A laptop that is carried to another room is back in one minute; what nobody awaits for ten costs for nobody. Seconds.
MAX_LINGER = 600.0

log = logging.getLogger("roundtable.edge")


class Attended:
    """An invocation that belongs to whoever holds it; nobody holds it for `linger` seconds at the most."""

    def __init__(self, id: str, throttle: Throttle, linger: float) -> None:
        self.id, self.throttle, self.linger = id, throttle, linger
        self.holders = 0
        self.waiting: asyncio.Task[None] | None = None


class Attendance:
    """Who holds what on this node."""

    def __init__(self) -> None:
        self._attended: dict[str, Attended] = {}
        self._closed = False

    def begin(self, id: str, throttle: Throttle, linger: float) -> Attended:
        """A new invocation with a caller."""
        attended = self._attended[id] = Attended(id, throttle, linger)
        return attended

    def find(self, id: str) -> Attended | None:
        """One that runs here and belongs to a caller."""
        return self._attended.get(id)

    def hold(self, attended: Attended, invocations: Invocations, broadcast: Broadcast) -> Callable[[], None]:
        """Hold it; what is returned lets go of it, and does nothing the second time."""
        attended.holders += 1
        if attended.waiting:
            attended.waiting.cancel()
        held = True

        def let_go() -> None:
            nonlocal held
            if not held:
                return
            held = False
            attended.holders -= 1
            if attended.holders or self._attended.get(attended.id) is not attended:
                return
            if self._closed or not attended.linger:
                self._end(attended, invocations)
            else:
                work = self._linger(attended, invocations, broadcast)
                attended.waiting = asyncio.create_task(work, name=f"linger {attended.id}")

        return let_go

    def over(self, attended: Attended) -> None:
        """It has ended, and its caller knows."""
        attended.throttle.release()
        self._attended.pop(attended.id, None)

    async def close(self, _: object = None) -> None:
        """Wait for nobody any more."""
        self._closed = True
        for attended in self._attended.values():
            if attended.waiting:
                attended.waiting.cancel()

    def _end(self, attended: Attended, invocations: Invocations) -> None:
        self.over(attended)
        invocations.drop(attended.id)

    async def _linger(self, attended: Attended, invocations: Invocations, broadcast: Broadcast) -> None:
        """End it when nobody has come back, here or to another node: there who holds is one who reads, and takes it
        as it comes."""
        await asyncio.sleep(attended.linger)
        while await _read_elsewhere(broadcast, stream(attended.id)):
            attended.throttle.release()
            await asyncio.sleep(attended.linger)
        self._end(attended, invocations)


async def _read_elsewhere(broadcast: Broadcast, name: str) -> bool:
    try:
        return (await broadcast.audience([name]))[name] > broadcast.spectators(name)
    except LogError:
        return False
