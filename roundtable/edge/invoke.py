"""`/invoke`: anything that streams, by address, over an event stream. Control is outside the stream."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import HttpVersion11, web

from protocol import codec, invocation, notices, sse
from protocol.cursor import ZERO
from protocol.errors import LogError
from roundtable.edge import keys
from roundtable.edge.callers import Callers, give, prepare
from roundtable.edge.limits import address, body
from roundtable.edge.operations import Answer, operation
from roundtable.edge.parameters import After, ById, LastEventId
from roundtable.edge.sse import serve
from roundtable.edge.tables import json
from roundtable.fanout.framing import INVOCATION, ChunkedEventStream, EventStream
from roundtable.invocations.invocations import Ask, Begun, stream
from roundtable.invocations.throttle import Throttle
from roundtable.tools.toolbox import TOOL


class Invoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /invoke`. `tool` is a tool's name, or any address (`panelist/openai:gpt-5`)."""

    tool: str
    args: Mapping[str, Any] = {}
    stream: bool = True
    detach: bool = False


_decoder = msgspec.json.Decoder(Invoke)
_EVENTS = {"text/event-stream": invocation.KNOWN | invocation.Step | notices.ANY}
_LAST = invocation.Converge | invocation.Failed | invocation.Cancelled
_CHUNKED, _PLAIN = ChunkedEventStream(), EventStream()


class Invoking:
    """The handlers of `/invoke`."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    @operation(
        tag="invocations",
        body=Invoke,
        answers={200: Answer({**_EVENTS, "application/json": _LAST}, headers={"Location": "Of a stream."})},
        errors=(404, 502),
        examples={"one model": {"tool": "complete", "args": {"model": "scripted:ada", "prompt": "Why?"}}},
    )
    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """`POST /invoke`: everything it tells, as an event stream; or, without `stream`, its last entry."""
        asked: Invoke = codec.decode_json(await body(request), _decoder)
        where = asked.tool if "/" in asked.tool else f"{TOOL}/{asked.tool}"
        throttle = Throttle()
        ask = Ask(where, asked.args, address(request), asked.detach, True, None if asked.detach else throttle)
        begun = await request.app[keys.INVOCATIONS].invoke(ask)
        if not asked.stream:
            return await self._last(request, begun, asked.detach)
        return await self._stream(request, begun, throttle, asked.detach)

    @operation(
        tag="invocations",
        path=ById,
        query=After,
        headers=LastEventId,
        answers={200: Answer(_EVENTS), 204: Answer(about="It has ended, and you have all of it.")},
    )
    async def follow(self, request: web.Request) -> web.StreamResponse:
        """`GET /invoke/{id}`: the same stream for anyone, from any cursor."""
        return await serve(request, stream(request.match_info["id"]), INVOCATION)

    @operation(tag="invocations", path=ById, answers={204: None})
    async def cancel(self, request: web.Request) -> web.Response:
        """`DELETE /invoke/{id}`: end it now; asking again changes nothing."""
        await request.app[keys.INVOCATIONS].cancel(request.match_info["id"])
        return web.Response(status=204)

    async def _stream(
        self, request: web.Request, begun: Begun, throttle: Throttle, detach: bool
    ) -> web.StreamResponse:
        framing = _CHUNKED if request.version >= HttpVersion11 else _PLAIN
        invocations = request.app[keys.INVOCATIONS]
        async with request.app[keys.BROADCAST].reading(begun.stream, ZERO) as reading:
            response, outlet = await prepare(request, {"Location": f"/invoke/{begun.id}"})
            try:
                if outlet is not None:
                    gone = (lambda: None) if detach else (lambda: invocations.drop(begun.id))
                    with self._callers.watch(outlet.transport, gone):
                        await outlet.send(framing.wrap(sse.comment()))
                        await give(outlet, reading, INVOCATION, framing, throttle)
            except ConnectionError:
                pass
            except LogError:
                pass
            finally:
                throttle.release()
                if not detach:
                    invocations.drop(begun.id)
        return response

    async def _last(self, request: web.Request, begun: Begun, detach: bool) -> web.Response:
        async with request.app[keys.BROADCAST].reading(begun.stream, ZERO) as reading:
            last = b""
            async for record in reading:
                last = record.body
        return json(msgspec.Raw(last))
