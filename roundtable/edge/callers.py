"""Those to whom an invocation belongs: it stops when their connection is gone, and runs no further than they read."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from aiohttp import web

from protocol import codec
from roundtable.edge.sse import HEADERS
from roundtable.fanout.framing import Framing, View, encode
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.reading import Reading
from roundtable.invocations.throttle import Throttle

# Between looks at the transports, as aiohttp drops what comes and tells nobody. Generation stops within 50 ms. Seconds.
LOOK_AGAIN = 0.02
# Between signs of life while nothing is told. Seconds.
HEARTBEAT = 10.0


class Callers:
    """One look at all of them, again and again, as long as there is anyone."""

    def __init__(self) -> None:
        self._watched: dict[asyncio.Transport, Callable[[], None]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watch(self, transport: asyncio.Transport, gone: Callable[[], None]) -> Iterator[None]:
        """Call `gone` once when the connection is lost; inside the block only."""
        self._watched[transport] = gone
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look(), name="callers")
        try:
            yield
        finally:
            self._watched.pop(transport, None)

    async def _look(self) -> None:
        while self._watched:
            await asyncio.sleep(LOOK_AGAIN)
            for transport in [each for each in self._watched if each.is_closing()]:
                self._watched.pop(transport)()


async def prepare(
    request: web.Request, headers: dict[str, str] | None = None
) -> tuple[web.StreamResponse, Outlet | None]:
    """An event stream's head, sent; no outlet when the caller has gone already."""
    response = web.StreamResponse(headers={**HEADERS, **(headers or {})})
    response.force_close()  # after an event stream there is nothing more to say on a connection
    try:
        writer = await response.prepare(request)
    except ConnectionError:
        return response, None
    if request.transport is None or writer is None:
        return response, None
    return response, Outlet(request.transport, writer.drain)


async def give(outlet: Outlet, reading: Reading, view: View, framing: Framing, throttle: Throttle) -> None:
    """Everything up to the stream's end, at the pace at which the caller takes it. Raises `LogError`, and
    `ConnectionError` like `Outlet.send`."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT):
                records = await reading.take()
        except TimeoutError:
            beat = framing.notice(b"hb", codec.encode({"type": "hb", "head": str(reading.cursor)}))
            await outlet.send(framing.wrap(beat))
            continue
        if not records:
            return
        if wire := encode(view, framing, records):
            await outlet.send(framing.wrap(wire))
        throttle.taken(records[-1].cursor.seq)
