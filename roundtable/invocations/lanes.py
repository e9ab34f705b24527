"""How many invocations run at once, and who is next: bounds per node and per caller, and callers served in turn.

Decides only; whoever holds a `Place` waits for its turn and leaves it. What a tool runs within itself needs none.
"""

import asyncio
from collections import Counter, OrderedDict, deque

import msgspec

from protocol.errors import Busy

# How soon to try again when all waiting room is taken: some of those that run are over by then, and who waits for slow
# models is refused a few times more. Seconds.
TRY_AGAIN = 2.0


class Bounds(msgspec.Struct, frozen=True):
    """Invocations at one time: running and waiting, on this node and of one caller."""

    running: int = 256
    per_caller: int = 128
    waiting: int = 1024
    waiting_per_caller: int = 256


class Place:
    """One invocation's place; `ahead` says how many of its caller waited before it, None that it may run at once."""

    def __init__(self, lanes: "Lanes", caller: str, ahead: int | None) -> None:
        self.caller, self.ahead = caller, ahead
        self._lanes = lanes
        self.called = asyncio.Event()
        if ahead is None:
            self.called.set()

    async def turn(self) -> None:
        """Until it may run."""
        await self.called.wait()

    def leave(self) -> None:
        """It is over, or waits no longer. Leaving twice is no error."""
        self._lanes.leave(self)


class Lanes:
    """The bounds, and who runs and waits within them."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._running: set[Place] = set()
        self._of_caller: Counter[str] = Counter()  # that run
        self._waiting: OrderedDict[str, deque[Place]] = (
            OrderedDict()
        )  # by caller, the next to be served first

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def enter(self, caller: str) -> Place:
        """A place for one of this caller's. Raises `Busy` when so many wait already."""
        ahead = len(self._waiting.get(caller, ()))
        if not ahead and self._has_room(caller):
            place = Place(self, caller, None)
            self._begin(place)
            return place
        self._check_waiting(ahead)
        place = Place(self, caller, ahead)
        self._waiting.setdefault(caller, deque()).append(place)
        return place

    def leave(self, place: Place) -> None:
        """As `Place.leave`."""
        if place in self._running:
            self._running.discard(place)
            self._of_caller[place.caller] -= 1
            self._of_caller += Counter()  # drops who has none
        elif place in (queue := self._waiting.get(place.caller, deque())):
            queue.remove(place)
            if not queue:
                del self._waiting[place.caller]
        self._call_next()

    def _has_room(self, caller: str) -> bool:
        return len(self._running) < self._bounds.running and self._of_caller[caller] < self._bounds.per_caller

    def _check_waiting(self, ahead: int) -> None:
        if ahead >= self._bounds.waiting_per_caller:
            whose = f"{ahead} invocations of yours wait already, the most we keep for one caller"
        elif self.waiting >= self._bounds.waiting:
            whose = f"{self.waiting} invocations wait already, the most this server keeps"
        else:
            return
        raise Busy(f"{whose}; try again in {TRY_AGAIN:.0f} s.", retry_after=TRY_AGAIN)

    def _call_next(self) -> None:
        """Let run who may: one of each caller in turn."""
        while (caller := next(filter(self._has_room, self._waiting), None)) is not None:
            queue = self._waiting[caller]
            place = queue.popleft()
            self._waiting.move_to_end(caller)
            if not queue:
                del self._waiting[caller]
            self._begin(place)

    def _begin(self, place: Place) -> None:
        self._running.add(place)
        self._of_caller[place.caller] += 1
        place.called.set()
