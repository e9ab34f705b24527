"""`/invoke`: anything that streams, by address, over an event stream. Control is outside the stream."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from aiohttp import hdrs, web

from protocol import codec, invocation, notices
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, LogError, LogUnavailable, NotFound
from protocol.invocation import Cancelled, Failed
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.invoking.attendance import MAX_LINGER, Attendance, Attended
from roundtable.edge.invoking.callers import Callers, broadcast_of, give, prepare
from roundtable.edge.limits import address, body
from roundtable.edge.operations import Answer, operation, queried
from roundtable.edge.parameters import After, ById, LastEventId, Page
from roundtable.edge.problems import Ended
from roundtable.edge.wires.sse import EVENTS, come_back, serve
from roundtable.edge.wires.sse import asked as asked_after
from roundtable.fanout.framing import INVOCATION, Framing
from roundtable.fanout.outlet import Outlet
from roundtable.invocations.invocations import Ask, Begun, stream
from roundtable.invocations.listing import Listing, listing
from roundtable.invocations.throttle import Throttle
from roundtable.tools.toolbox import TOOL


class Invoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /invoke`. `tool` is a tool's name, or any address (`panelist/openai:gpt-5`). `detach`: it goes
    on without its caller. `record` false: it is in no log, and gone when its caller is. `linger`: so many seconds the
    caller may be away, and come back as `owner`. `args` that are null are none."""

    tool: str
    args: Mapping[str, Any] | None = None
    stream: bool = True
    detach: bool = False
    record: bool = True
    linger: Annotated[float, msgspec.Meta(ge=0, le=MAX_LINGER)] = 0.0


class Follow(After, frozen=True):
    """How an invocation is followed. `owner`: by its caller, who comes back to it, and whom it waits for again."""

    owner: bool = False


class Started(msgspec.Struct, frozen=True):
    """What is told of an invocation that nobody waits for: it is followed, resumed and ended at `links.self`."""

    id: str
    cursor: str
    links: Mapping[str, str]


_decoder = msgspec.json.Decoder(Invoke)
_TOLD = {"text/event-stream": invocation.KNOWN | invocation.Step | notices.ANY}
_LAST = invocation.Converge | invocation.Failed | invocation.Cancelled


class Invoking:
    """The handlers of `/invoke`."""

    def __init__(self, callers: Callers, attendance: Attendance) -> None:
        self._callers, self._attendance = callers, attendance

    @operation(
        tag="invocations",
        body=Invoke,
        answers={
            200: Answer({"application/json": _LAST, **_TOLD}, headers={"Location": "Of a stream."}),
            202: Started,
        },
        errors=(404, 409, 502),
        leads=dict.fromkeys(("/invoke/{id}", "/v1/stream/invocation/{id}"), "$response.body#/id"),
        examples={
            "one model": {"tool": "complete", "args": {"model": "scripted:ada", "prompt": "Why?"}},
            "without its caller": {
                "tool": "vector_markov",
                "args": {"seed": 1, "steps": 9, "dim": 2},
                "stream": False,
                "detach": True,
            },
        },
    )
    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """`POST /invoke`: everything it tells, as an event stream; or, without `stream`, its last entry. Detached and
        without `stream`, 202 at once."""
        asked: Invoke = codec.decode_json(await body(request), _decoder)
        throttle = None if asked.detach else Throttle()
        begun = await request.app[keys.INVOCATIONS].invoke(asking(asked, address(request), throttle))
        if asked.detach and not asked.stream:
            return _started(begun)
        if throttle and asked.stream and asked.linger:
            return await self._attend(request, self._attendance.begin(begun.id, throttle, asked.linger))
        try:
            if not asked.stream:
                return await self._last(request, begun, throttle)
            return await self._stream(request, begun.id, throttle, self._gone(request, begun, throttle))
        finally:
            if throttle:
                throttle.release()
                request.app[keys.INVOCATIONS].drop(begun.id)

    @operation(
        tag="invocations",
        path=ById,
        query=Follow,
        headers=LastEventId,
        answers={200: Answer(_TOLD), 204: Answer(about="It has ended, and you have all of it.")},
    )
    async def follow(self, request: web.Request) -> web.StreamResponse:
        """`GET /invoke/{id}`: the same stream for anyone, from any cursor; 204 at its end."""
        id = request.match_info["id"]
        attended = self._attendance.find(id) if queried(request, Follow).owner else None
        if attended is None:
            return await serve(request, stream(id), INVOCATION, broadcast=broadcast_of(request, id))
        async with broadcast_of(request, id).channel(
            stream(id), INVOCATION, EVENTS.framing(request)
        ) as channel:
            after, first = await channel.resume(asked_after(request))
            if channel.ended(after) and not first:
                self._attendance.over(attended)
                return web.Response(status=204)
        attended.throttle.taken(after.seq)
        return await self._attend(request, attended, after, first)

    @operation(tag="invocations", path=ById, answers={204: None})
    async def cancel(self, request: web.Request) -> web.Response:
        """`DELETE /invoke/{id}`: end it now; asking again changes nothing."""
        await request.app[keys.INVOCATIONS].cancel(request.match_info["id"])
        return web.Response(status=204)

    @operation(tag="invocations", query=Page, answers={200: Listing})
    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/invocations?limit=&before=`: the recorded ones, newest first."""
        page = queried(request, Page)
        return json(await listing(request.app[keys.LOG], before=page.before, limit=page.limit))

    async def _attend(
        self, request: web.Request, attended: Attended, after: Cursor = ZERO, first: bytes = b""
    ) -> web.StreamResponse:
        """To a caller who may be away, and is here now."""
        let_go = self._attendance.hold(attended, request.app[keys.INVOCATIONS], request.app[keys.BROADCAST])
        try:
            return await self._stream(
                request,
                attended.id,
                attended.throttle,
                let_go,
                after=after,
                first=first,
                whole=lambda: self._attendance.over(attended),
            )
        finally:
            let_go()

    async def _stream(
        self,
        request: web.Request,
        id: str,
        throttle: Throttle | None,
        gone: Callable[[], None],
        *,
        after: Cursor = ZERO,
        first: bytes = b"",
        whole: Callable[[], None] = lambda: None,
    ) -> web.StreamResponse:
        """What follows `after`, behind the frames `first`. `gone`: the caller is; `whole`: he has all."""
        framing = EVENTS.framing(request)
        async with broadcast_of(request, id).reading(stream(id), after) as reading:
            response, outlet = await prepare(request, {hdrs.LOCATION: _own(id)})
            try:
                if outlet is not None:
                    with self._callers.watch(outlet.transport, gone):
                        await outlet.send(framing.wrap(EVENTS.hello + first))
                        await give(outlet, reading, INVOCATION, framing, throttle)
                        whole()
            except ConnectionError:
                pass  # `invoke` draws the consequence
            except NotFound:
                await _say(outlet, framing, framing.notice(b"end", _gone_for_good(reading.cursor)))
            except LogError:  # or this node stops: an event source comes back, and goes on at `GET`
                await _say(outlet, framing, EVENTS.retry(come_back()))
        return response

    async def _last(self, request: web.Request, begun: Begun, throttle: Throttle | None) -> web.Response:
        last = b""
        with self._callers.watch(request.transport, self._gone(request, begun, throttle)):
            async with broadcast_of(request, begun.id).reading(begun.stream, ZERO) as reading:
                try:
                    async for record in reading:
                        last = record.body
                        if throttle:
                            throttle.taken(record.cursor.seq)
                except NotFound as gone:
                    raise LogUnavailable("There was no room to keep what it told.") from gone
        headers = {"Location": _own(begun.id)}
        end = invocation.decode(last)
        if isinstance(end, (Failed, Cancelled)):
            raise Ended(end, headers)
        return json(msgspec.Raw(last), headers=headers)

    def _gone(self, request: web.Request, begun: Begun, throttle: Throttle | None) -> Callable[[], None]:
        invocations = request.app[keys.INVOCATIONS]
        return (lambda: invocations.drop(begun.id)) if throttle else (lambda: None)


def asking(asked: Invoke, caller: str, throttle: Throttle | None) -> Ask:
    """What is asked for, on any wire. Raises `Invalid`."""
    if asked.detach and not asked.record:
        raise Invalid("What is detached is to be found again, so it must be recorded.", field="record")
    where = asked.tool if "/" in asked.tool else f"{TOOL}/{asked.tool}"
    return Ask(where, asked.args or {}, caller, asked.detach, asked.record, throttle)


def _own(id: str) -> str:
    return f"/invoke/{id}"


def _started(begun: Begun) -> web.Response:
    own = _own(begun.id)
    told = Started(begun.id, str(begun.cursor), {"self": own})
    return json(told, status=202, headers={hdrs.LOCATION: own})


def _gone_for_good(cursor: Cursor) -> bytes:
    """It was deleted, or there was no room for what is not recorded: no entry tells how it ended."""
    return codec.encode({"type": "end", "cursor": str(cursor), "reason": "deleted"})


async def _say(outlet: Outlet | None, framing: Framing, frames: bytes) -> None:
    """The last there is to say, if anyone hears it."""
    if outlet is not None:
        with contextlib.suppress(ConnectionError):
            await outlet.send(framing.wrap(frames))
