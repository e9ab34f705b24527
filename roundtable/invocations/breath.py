"""Tools that compute go on one after the other, and between two of them everyone else on the loop does.

Fifty that each compute for some milliseconds would else do so in one turn of the loop, and a cancel or another's words
wait for all of them.
"""

import asyncio
from collections import deque

# What a tool may compute before it is another's turn. Seconds.
BREATH = 0.005


class Breath:
    """Shared by all invocations of a node."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def draw(self, since: float) -> float:
        """Wait for one's turn if more than `BREATH` has passed `since`, on the loop's clock; when it was drawn."""
        if self._loop.time() - since <= BREATH:
            return since
        if not self._waiting:
            self._loop.call_soon(self._next)
        turn = self._loop.create_future()
        self._waiting.append(turn)
        await turn
        return self._loop.time()

    def _next(self) -> None:
        """Once in a turn of the loop."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else it was cancelled
                turn.set_result(None)
                break
        if self._waiting:
            self._loop.call_soon(self._next)
