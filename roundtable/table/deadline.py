"""A deadline that is moved with every token: `asyncio.timeout` makes and drops a timer for each move, this does not."""

import asyncio
from types import TracebackType
from typing import Self

# Seconds. Timers fire a little early, by the clock's resolution; nobody sets a deadline as fine as this.
_EARLY = 0.001


class Deadline:
    """`async with` it: the block is cancelled at its deadline, and then ends with `TimeoutError`.

    A block that takes longer than `grace` seconds to end is cancelled once more: what it closes it leaves half closed.
    """

    def __init__(self, grace: float) -> None:
        self.passed = False
        self._grace = grace
        self._at: float | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0  # what others had asked before
        self._cancelled = 0
        self._timer: asyncio.TimerHandle | None = None

    def move(self, at: float | None) -> None:
        """To this time of the loop, in seconds; None is never. Without effect outside the block, and once passed."""
        self._at = at
        if self._task is None or self.passed or at is None:
            return
        if self._timer is None or at < self._timer.when():
            self._arm(at)

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        self.move(self._at)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        assert task is not None
        asked = task.cancelling()
        for _each in range(self._cancelled):
            asked = task.uncancel()
        if self._cancelled and asked <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at, self._fire)

    def _fire(self) -> None:
        """The timer stands where the deadline once was, so it may have to go on to where it is."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        if not self.passed and (self._at is None or self._at - now > _EARLY):
            self.move(self._at)
            return
        assert self._task is not None
        self._task.cancel()
        self._cancelled += 1
        if not self.passed:
            self.passed = True
            self._arm(now + self._grace)
