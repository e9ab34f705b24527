"""Row 4: what reading one piece of a model's answer costs us, beside the official SDK's own reading of the same bytes.

Both ask through the same client and are handed the body in memory, one event at a time: no socket is in either figure.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2

from tests.bench.dialects import DIALECTS, KEY, REQUEST, Dialect, preset
from tests.bench.figures import Figure

WORDS = 5_000
# What is left of the SDK's cost; it builds a model of each event, of which we need a word.
GOAL = 0.25


def measure(repeat: int) -> Iterator[Figure]:
    """Microseconds of CPU time (user and system) per event, from the request to the answer's end."""
    for dialect in DIALECTS:
        runs = asyncio.run(_measure(dialect, repeat))
        ours, sdk = zip(*runs, strict=True)
        yield Figure(f"CPU per event of {dialect.name}", "us", ours, sdk, GOAL)


async def _measure(dialect: Dialect, repeat: int) -> list[tuple[float, float]]:
    provider = dialect.provider(preset("http://127.0.0.1:9/v1"), KEY)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(_server(dialect))) as wire:
        provider._client = provider._client.copy(http_client=wire)

        async def ours() -> int:
            return sum([1 async for _ in provider.stream(REQUEST)])

        async def sdk() -> int:
            return sum([1 async for _ in await dialect.ask(provider._client)])

        await ours(), await sdk()  # the first finds everything cold
        return [(await _cost(ours), await _cost(sdk)) for _ in range(repeat)]


async def _cost(read: Callable[[], Awaitable[int]]) -> float:
    began = time.process_time()
    heard = await read()
    took = time.process_time() - began
    if heard < WORDS:
        raise RuntimeError(f"not everything was heard: {heard} of {WORDS}")
    return 1e6 * took / WORDS


def _server(dialect: Dialect) -> Callable[[httpx2.Request], httpx2.Response]:
    async def body() -> AsyncIterator[bytes]:
        yield dialect.first
        for _ in range(WORDS):
            yield dialect.word
        yield dialect.last

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body())

    return answer
