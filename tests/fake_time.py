"""An event loop whose clock jumps to the next timer when nothing else is ready: no test waits for real time.

Only for code without sockets; with the store's threads real time passes and timers may come early.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Waits for no timer: it says how long it would have waited and returns at once."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("Nothing is left to happen: the test would wait forever.")
        ready = super().select(0)
        if not ready:
            self.skipped += timeout
        return ready


class FakeTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.skipped

    def pass_time(self, seconds: float) -> None:
        """As work does that takes so long."""
        self._jumping.skipped += seconds


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in fake time, which starts at 0."""
    with asyncio.Runner(loop_factory=FakeTimeLoop) as runner:
        return runner.run(work)
