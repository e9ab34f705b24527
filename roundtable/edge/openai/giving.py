"""How an answer reaches the one who asked for it: as an event stream in OpenAI's form and at his pace, or as a whole.
What is told of the log's entries, a view decides.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from aiohttp import web

from protocol import sse
from protocol.errors import LogError, NotFound
from protocol.invocation import Failed
from protocol.views.openai import Writer
from roundtable.edge.invoking.callers import prepare
from roundtable.edge.openai import errors
from roundtable.edge.wires.sse import EVENTS, HEARTBEAT
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.reading import Reading
from roundtable.log.base import Record

# What fails before its first word fails with a status, if it does so within this time; a model on this machine may read
# its prompt for longer, and then the caller is told that we are at it. Seconds.
OPENING = 10.0

Taken = Callable[[int], None]
# OpenAI's own streams have no event for it; a comment is seen by no client.
_BEAT = sse.comment("hb")


class Telling(Protocol):
    """What makes bytes of a stream's entries; `failed` once they told that it failed."""

    @property
    def failed(self) -> Failed | None: ...

    def told(self, body: bytes) -> bytes: ...


async def give(
    request: web.Request, reading: Reading, telling: Telling, writer: Writer, taken: Taken = lambda seq: None
) -> web.StreamResponse:
    """Everything up to the reading's end. Raises `ProviderError` for what failed before its first word, and
    `LogError`; what fails later is told in the stream."""
    begin = writer.begin()
    first = await _opening(reading, telling, writer, taken)
    _stay(request)
    if telling.failed and not first:
        raise errors.raised(telling.failed)
    wrap = EVENTS.framing(request).wrap
    response, outlet = await prepare(request)
    if outlet is not None:
        with contextlib.suppress(ConnectionError):  # the caller has gone
            try:
                await outlet.send(wrap(begin + first))
                async with _beating(outlet, wrap(_BEAT)):
                    await _rest(outlet, reading, telling, taken, wrap)
                failed = telling.failed
            except (LogError, NotFound) as error:  # a table may be deleted under its reader
                failed = errors.failed(error)
            if failed:
                await outlet.send(wrap(writer.fail(failed)))
    return response


async def whole(
    request: web.Request, reading: Reading, telling: Telling, writer: Writer, taken: Taken = lambda seq: None
) -> web.Response:
    """The answer when it is complete. Raises `ProviderError` when it failed, and `LogError`."""
    writer.begin()
    while records := await reading.take():
        _wire(records, telling)
        _ask_once(writer)
        taken(records[-1].cursor.seq)
    _stay(request)
    if telling.failed:
        raise errors.raised(telling.failed)
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=writer.object(), content_type="application/json", headers=headers)


def _stay(request: web.Request) -> None:
    """Raises `ConnectionResetError` when the caller has left: nobody is to be told that it was stopped for him."""
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the caller has left")


async def _opening(reading: Reading, telling: Telling, writer: Writer, taken: Taken) -> bytes:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(OPENING):
            while records := await reading.take():
                taken(records[-1].cursor.seq)
                if wire := _wire(records, telling):
                    return wire
                _ask_once(writer)
    return b""


def _ask_once(writer: Writer) -> None:
    """Raises `ProviderError` where we would ask the model again: OpenAI's packages do that themselves, and better, as
    they then know why they wait. Once they were told that we are at it, we do."""
    if writer.retry:
        raise errors.retried(writer.retry)


async def _rest(
    outlet: Outlet, reading: Reading, telling: Telling, taken: Taken, wrap: Callable[[bytes], bytes]
) -> None:
    while records := await reading.take():
        if wire := _wire(records, telling):
            await outlet.send(wrap(wire))
        taken(records[-1].cursor.seq)


@contextlib.asynccontextmanager
async def _beating(outlet: Outlet, beat: bytes) -> AsyncIterator[None]:
    """Signs of life while nothing is told. A task beside the words: a deadline around each would cost as much as its
    chunk."""
    task = asyncio.create_task(_beats(outlet, beat))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _beats(outlet: Outlet, beat: bytes) -> None:
    clock = asyncio.get_running_loop().time
    with contextlib.suppress(ConnectionError):  # who sends will hear of it
        while True:
            await asyncio.sleep(max(0.0, outlet.taken_at + HEARTBEAT - clock()))
            if clock() >= outlet.taken_at + HEARTBEAT:
                await outlet.tell(beat)


def _wire(records: Sequence[Record], telling: Telling) -> bytes:
    return b"".join([telling.told(record.body) for record in records])
