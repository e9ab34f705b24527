"""`/generate/stream`: a model on this machine goes on with a text, one frame per sampled token, then `[DONE]`.

It is an invocation of the tool `generate` that is not recorded and belongs to its connection. What goes wrong before
the first token is a problem document; later it is an `error` in the stream.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec
from aiohttp import web

from protocol import codec, invocation
from protocol.cursor import ZERO
from protocol.errors import Invalid, LogError, NotFound
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.invoking.callers import Callers, give, prepare
from roundtable.edge.invoking.generated import (
    FRAMES,
    LEFT,
    TOKENS,
    ChunkedData,
    Data,
    Generated,
    error,
    failure,
    whole,
)
from roundtable.edge.limits import address, body
from roundtable.edge.operations import Answer, operation
from roundtable.edge.wires.sse import EVENTS, HEARTBEAT
from roundtable.fanout.framing import Framing, encode
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.reading import Reading
from roundtable.invocations.invocations import Ask, Begun
from roundtable.invocations.throttle import Throttle
from roundtable.log.base import Record
from roundtable.tools.generate import Args


class Generation(Args, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /generate/stream`. Without `stream` the answer is one `Generated`."""

    stream: bool = True


_decoder = msgspec.json.Decoder(Generation)
_FRAMES = EVENTS._replace(chunked=ChunkedData(), plain=Data())
_BROKEN = invocation.ENDINGS - {b"converge"}


class Generating:
    """The handler of `/generate/stream`."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    @operation(
        tag="generate",
        body=Generation,
        answers={200: Answer({"application/json": Generated, "text/event-stream": FRAMES})},
        errors=(404, 502, 504),
        examples={"eight tokens": {"prompt": "Once upon a time", "max_tokens": 8}},
    )
    async def stream(self, request: web.Request) -> web.StreamResponse:
        """`POST /generate/stream`: go on with a text; each sampled token as it is chosen."""
        asked: Generation = codec.decode_json(await body(request), _decoder)
        throttle = Throttle()
        async with self._begun(request, asked, throttle) as reading:
            first = await _first(reading)
            if first and codec.body_type(first[0].body) in _BROKEN:
                raise error(first[0].body)
            if not asked.stream:
                throttle.release()
                rest = [record async for record in reading]
                return json(whole([record.body for record in (*first, *rest)]))
            response, outlet = await prepare(request)
            if outlet is not None:
                with suppress(ConnectionError):
                    framing = _FRAMES.framing(request)
                    await outlet.send(framing.wrap(_FRAMES.hello + encode(TOKENS, framing, first)))
                    if first:
                        throttle.taken(first[-1].cursor.seq)
                    await _tell(outlet, reading, framing, throttle)
            return response

    @asynccontextmanager
    async def _begun(
        self, request: web.Request, asked: Generation, throttle: Throttle
    ) -> AsyncIterator[Reading]:
        """The invocation, as long as its caller is there, and no longer."""
        invocations = request.app[keys.INVOCATIONS]
        args = msgspec.to_builtins(asked)
        del args["stream"]
        try:
            begun = await invocations.invoke(
                Ask("tool/generate", args, address(request), record=False, throttle=throttle)
            )
        except Invalid as wrong:
            raise Invalid(wrong.detail, field=wrong.field.removeprefix("args."), code=wrong.code) from wrong
        try:
            async with request.app[keys.FLEETING].reading(begun.stream, ZERO) as reading:
                with self._callers.watch(request.transport, lambda: invocations.drop(begun.id)):
                    yield reading
        finally:
            throttle.release()
            await _end(request, begun)


async def _first(reading: Reading) -> list[Record]:
    """What was told first, beside that it began; nothing when that takes longer than one should wait for a head."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEARTBEAT):
            while records := await reading.take():
                if told := [record for record in records if _is_told(record)]:
                    return told
    return []


def _is_told(record: Record) -> bool:
    return codec.body_type(record.body) in {b"step", b"steps", *invocation.ENDINGS}


async def _tell(outlet: Outlet, reading: Reading, framing: Framing, throttle: Throttle) -> None:
    try:
        await give(outlet, reading, TOKENS, framing, throttle)
    except LogError as stopping:
        await outlet.send(framing.wrap(framing.frame(ZERO, b"error", failure(stopping))))


async def _end(request: web.Request, begun: Begun) -> None:
    """Stop it if it has not ended, and forget it."""
    invocations = request.app[keys.INVOCATIONS]
    with suppress(NotFound):  # it has ended
        await invocations.cancel(begun.id, LEFT)
    await invocations.forget(begun.id)
