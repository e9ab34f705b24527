"""Waiting for what nobody announces: a state of something that is watched from outside."""

import asyncio
from collections.abc import Callable

# Between looks; and what takes so long takes for ever. Seconds.
AGAIN, STILL = 0.002, 0.3


async def until(met: Callable[[], object], within: float = 20.0) -> None:
    """Until it is so; raises `TimeoutError`."""
    async with asyncio.timeout(within):
        while not met():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(AGAIN)


async def standstill(count: Callable[[], int]) -> int:
    """What is counted, once it grows no further."""
    before, now = -1, count()
    while before != now:
        await asyncio.sleep(STILL)
        before, now = now, count()
    return now
