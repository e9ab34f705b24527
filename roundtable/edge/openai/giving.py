"""How an answer reaches the one who asked for it: as an event stream in OpenAI's form and at his pace, or as a whole.
What is told of the log's entries, a view decides.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import HttpVersion11, web

from protocol import sse
from protocol.errors import LogError
from protocol.invocation import Failed
from roundtable.edge.callers import HEARTBEAT, prepare
from roundtable.edge.openai import errors
from roundtable.fanout.framing import ChunkedEventStream, EventStream
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.reading import Reading
from roundtable.log.base import Record

# What fails before its first word fails with a status, if it does so within this time; a model on this machine may read
# its prompt for longer, and then the caller is told that we are at it. Seconds.
OPENING = 10.0

Taken = Callable[[int], None]
_CHUNKED, _PLAIN = ChunkedEventStream(), EventStream()
# OpenAI's own streams have no event for it; a comment is seen by no client.
_BEAT = sse.comment("hb")


class Telling(Protocol):
    """What makes frames of a stream's entries; `failed` once they told that it failed."""

    @property
    def failed(self) -> Failed | None: ...

    def begin(self) -> bytes: ...

    def told(self, body: bytes) -> bytes: ...


async def give(
    request: web.Request, reading: Reading, telling: Telling, taken: Taken = lambda seq: None
) -> web.StreamResponse:
    """Everything up to the reading's end. Raises `ProviderError` for what failed before its first word, and
    `LogError`; what fails later is told in the stream."""
    begin = telling.begin()
    first = await _opening(reading, telling, taken)
    if telling.failed and not first:
        raise errors.raised(telling.failed)
    wrap = (_CHUNKED if request.version >= HttpVersion11 else _PLAIN).wrap
    response, outlet = await prepare(request)
    if outlet is not None:
        with contextlib.suppress(ConnectionError):  # the caller has gone
            try:
                await outlet.send(wrap(begin + first))
                await _rest(outlet, reading, telling, taken, wrap)
                failed = telling.failed
            except LogError as error:
                failed = errors.failed(error)
            if failed:
                await outlet.send(wrap(errors.frame(failed)))
    return response


async def whole(reading: Reading, take: Callable[[bytes], object], taken: Taken = lambda seq: None) -> None:
    """Everything, for who waits for the end. Raises `LogError`."""
    while records := await reading.take():
        for record in records:
            take(record.body)
        taken(records[-1].cursor.seq)


async def _opening(reading: Reading, telling: Telling, taken: Taken) -> bytes:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(OPENING):
            while records := await reading.take():
                taken(records[-1].cursor.seq)
                if wire := _wire(records, telling):
                    return wire
    return b""


async def _rest(
    outlet: Outlet, reading: Reading, telling: Telling, taken: Taken, wrap: Callable[[bytes], bytes]
) -> None:
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT):
                records = await reading.take()
        except TimeoutError:
            await outlet.send(wrap(_BEAT))
            continue
        if not records:
            return
        if wire := _wire(records, telling):
            await outlet.send(wrap(wire))
        taken(records[-1].cursor.seq)


def _wire(records: Sequence[Record], telling: Telling) -> bytes:
    return b"".join([telling.told(record.body) for record in records])
