"""`/invoke`: anything that streams, by address, over an event stream. Control is outside the stream."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from aiohttp import HttpVersion11, web

from protocol import codec, sse
from protocol.cursor import ZERO, Cursor
from protocol.errors import LogError
from roundtable.edge import keys
from roundtable.edge.attendance import MAX_LINGER, Attendance, Attended
from roundtable.edge.callers import Callers, give, prepare
from roundtable.edge.limits import address, body
from roundtable.edge.operations import operation, queried
from roundtable.edge.sse import asked, serve
from roundtable.edge.tables import json
from roundtable.fanout.framing import INVOCATION, ChunkedEventStream, EventStream, Framing
from roundtable.invocations.invocations import Ask, Begun, stream
from roundtable.invocations.throttle import Throttle
from roundtable.tools.toolbox import TOOL


class Invoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /invoke`. `tool` is a tool's name, or any address (`panelist/openai:gpt-5`). `linger`: seconds
    that its caller may be away."""

    tool: str
    args: Mapping[str, Any] = {}
    stream: bool = True
    detach: bool = False
    linger: Annotated[float, msgspec.Meta(ge=0, le=MAX_LINGER)] = 0.0


class Follow(msgspec.Struct, frozen=True):
    """The query of `GET /invoke/{id}`. `owner`: it is its caller who comes back, whom it waits for again."""

    owner: bool = False


_decoder = msgspec.json.Decoder(Invoke)
_CHUNKED, _PLAIN = ChunkedEventStream(), EventStream()


class Invoking:
    """The handlers of `/invoke`."""

    def __init__(self, callers: Callers, attendance: Attendance) -> None:
        self._callers, self._attendance = callers, attendance

    @operation(tag="invocations", body=Invoke, answers={200: "text/event-stream"})
    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """`POST /invoke`: everything it tells, as an event stream; or, without `stream`, its last entry."""
        asked: Invoke = codec.decode_json(await body(request), _decoder)
        where = asked.tool if "/" in asked.tool else f"{TOOL}/{asked.tool}"
        throttle = Throttle()
        ask = Ask(where, asked.args, address(request), asked.detach, True, None if asked.detach else throttle)
        begun = await request.app[keys.INVOCATIONS].invoke(ask)
        if not asked.stream:
            return await self._last(request, begun, asked.detach)
        attended = None if asked.detach else self._attendance.begin(begun.id, throttle, asked.linger)
        return await self._stream(request, begun.id, ZERO, b"", attended)

    @operation(tag="invocations", query=Follow, answers={200: "text/event-stream", 204: None})
    async def follow(self, request: web.Request) -> web.StreamResponse:
        """`GET /invoke/{id}`: the same stream for anyone, from any cursor."""
        id = request.match_info["id"]
        attended = self._attendance.find(id) if queried(request, Follow).owner else None
        if attended is None:
            return await serve(request, stream(id), INVOCATION)
        async with request.app[keys.BROADCAST].channel(stream(id), INVOCATION, _framing(request)) as channel:
            cursor, first = await channel.resume(asked(request))
            if channel.ended(cursor) and not first:
                self._attendance.over(attended)
                return web.Response(status=204)
        attended.throttle.taken(cursor.seq)
        return await self._stream(request, id, cursor, first, attended)

    @operation(tag="invocations", answers={204: None})
    async def cancel(self, request: web.Request) -> web.Response:
        """`DELETE /invoke/{id}`: end it now; asking again changes nothing."""
        await request.app[keys.INVOCATIONS].cancel(request.match_info["id"])
        return web.Response(status=204)

    async def _stream(
        self, request: web.Request, id: str, after: Cursor, first: bytes, attended: Attended | None
    ) -> web.StreamResponse:
        """What follows, beginning with the frames `first`, to who holds the invocation (None: nobody does)."""
        framing, app = _framing(request), request.app
        let_go, throttle = _nobody, Throttle()
        if attended is not None:
            let_go = self._attendance.hold(attended, app[keys.INVOCATIONS], app[keys.BROADCAST])
            throttle = attended.throttle
        try:
            async with app[keys.BROADCAST].reading(stream(id), after) as reading:
                response, outlet = await prepare(request, {"Location": f"/invoke/{id}"})
                if outlet is not None:
                    with suppress(ConnectionError, LogError), self._callers.watch(outlet.transport, let_go):
                        await outlet.send(framing.wrap(sse.comment() + first))
                        await give(outlet, reading, INVOCATION, framing, throttle)
                        if attended is not None:
                            self._attendance.over(attended)
        finally:
            let_go()
        return response

    async def _last(self, request: web.Request, begun: Begun, detach: bool) -> web.Response:
        async with request.app[keys.BROADCAST].reading(begun.stream, ZERO) as reading:
            last = b""
            async for record in reading:
                last = record.body
        return json(msgspec.Raw(last))


def _framing(request: web.Request) -> Framing:
    return _CHUNKED if request.version >= HttpVersion11 else _PLAIN


def _nobody() -> None:
    """Nobody lets go of what nobody holds."""
