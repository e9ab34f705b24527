"""Those to whom an invocation belongs: it stops when their connection is gone, and runs no further than they read."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping

from aiohttp import web

from protocol import codec
from roundtable.edge import keys
from roundtable.edge.wires import sse
from roundtable.edge.wires.sse import EVENTS, HEARTBEAT, Wire
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.framing import Framing, View, encode
from roundtable.fanout.outlet import UNACKNOWLEDGED, Outlet
from roundtable.fanout.reading import Reading
from roundtable.invocations.invocations import is_recorded
from roundtable.invocations.throttle import Throttle

# Between looks at the transports, as aiohttp drops what comes and tells nobody. Generation stops within 50 ms. Seconds.
LOOK_AGAIN = 0.02
# What a caller calls waits for him; so long, as the kernel gives up then whoever takes nothing. Seconds.
PATIENCE = UNACKNOWLEDGED / 1000


class Callers:
    """One look at all of them, again and again, as long as there is anyone."""

    def __init__(self) -> None:
        self._watched: dict[object, tuple[asyncio.Transport, Callable[[], None]]] = {}
        self._served = 0
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watch(self, transport: asyncio.Transport | None, gone: Callable[[], None]) -> Iterator[None]:
        """Call `gone` once when the connection is lost, at once if it is (None); inside the block only."""
        if transport is None:
            gone()
            yield
            return
        key = object()
        self._watched[key] = (transport, gone)
        self._served += 1
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look(), name="callers")
        try:
            yield
        finally:
            self._served -= 1
            self._watched.pop(key, None)

    async def quiet(self, within: float) -> None:
        """Until nobody is served, `within` seconds at the most: what has ended is being told."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._served:  # noqa: ASYNC110 - once in a server's life
                    await asyncio.sleep(LOOK_AGAIN)

    async def _look(self) -> None:
        while self._watched:
            await asyncio.sleep(LOOK_AGAIN)
            for key in [key for key, (transport, _) in self._watched.items() if transport.is_closing()]:
                _, gone = self._watched.pop(key)
                gone()


async def prepare(
    request: web.Request, headers: Mapping[str, str] | None = None, wire: Wire = EVENTS
) -> tuple[web.StreamResponse, Outlet | None]:
    """As `sse.prepare`, for a caller, who is waited for longer."""
    return await sse.prepare(request, wire, headers, PATIENCE)


def broadcast_of(request: web.Request, id: str) -> Broadcast:
    """Where an invocation is told: by the log's fan-out, or by that of what is in memory only."""
    return request.app[keys.BROADCAST if is_recorded(id) else keys.FLEETING]


async def give(
    outlet: Outlet, reading: Reading, view: View, framing: Framing, throttle: Throttle | None
) -> None:
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
        if throttle:
            throttle.taken(records[-1].cursor.seq)
