"""When to try again: at random within a span that doubles, so that those who were cut off together do not return
together.

Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter").
"""

import random

# Seconds. The span of the first wait - a restart takes about two seconds - and the longest span.
FIRST, LONGEST = 1.0, 20.0
# A server may ask for more patience, but not for our giving up. Seconds.
LONGEST_TOLD = 60.0


class Backoff:
    """The waits of one reader; `chance` is what they are drawn from."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()
        self._failures = 0

    def progressed(self) -> None:
        """What was tried has worked: the next wait is a first one."""
        self._failures = 0

    def wait(self, told: float | None = None) -> float:
        """Seconds until the next attempt; what the server `told` (it has spread it already) goes first."""
        span = min(LONGEST, FIRST * 2 ** min(self._failures, 10))
        self._failures += 1
        return min(told, LONGEST_TOLD) if told is not None else self._chance.uniform(0, span)
