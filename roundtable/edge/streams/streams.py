"""`/v1/stream/{type}/{id}` and `/v1/stream?of=...&of=...`: anything that streams, and several as one, as one wants it.

What many see alike is a channel's; what is one viewer's own - a pace, several streams, a document - is `viewing`.
"""

from typing import Annotated, NoReturn

import msgspec
from aiohttp import web

from protocol import events as e
from protocol import invocation, notices, system
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, WrongState
from protocol.system import PLATFORM
from protocol.views import thread_events
from roundtable.edge.answers import json
from roundtable.edge.operations import Answer, operation
from roundtable.edge.parameters import LastEventId
from roundtable.edge.streams import viewing
from roundtable.edge.streams.looking import (
    LastEventIds,
    Look,
    LookAtOne,
    LookAtSeveral,
    looked,
    pacer,
    viewed,
)
from roundtable.edge.streams.resources import TYPES, resolve
from roundtable.edge.streams.viewing import Asked, Document
from roundtable.edge.wires import said, sse
from roundtable.edge.wires.said import SourceEnded
from roundtable.edge.wires.sse import EVENTS, LINES, asked
from roundtable.edge.wires.websocket import Sockets, upgrades
from roundtable.fanout.combining import MAX_SOURCES, Cursors

_WIRES = {"sse": EVENTS, "ndjson": LINES}
_ENTRIES = e.KNOWN | thread_events.KNOWN | invocation.KNOWN | invocation.Step | system.KNOWN
_SHOWN = {
    "application/json": Document,
    EVENTS.media: _ENTRIES | notices.ANY | SourceEnded,
    LINES.media: _ENTRIES | said.LINES | SourceEnded,
}
_OVER = Answer(about="It has ended, and you have all of it.")
_SOCKET = Answer(said=_ENTRIES | said.SOCKET, about="It hears nothing.")


class Named(msgspec.Struct, frozen=True):
    """What there is to stream: a turn is `TABLE.TURN`, a system stream `all` or a table, any other its own id."""

    type: Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(TYPES)})]
    id: Annotated[str, msgspec.Meta(description="As it was given, or chosen.")]


class Streams:
    """The handlers; sockets are served as `Sockets` serves them."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    @operation(
        tag="streams",
        path=Named,
        query=LookAtOne,
        headers=LastEventId,
        answers={101: _SOCKET, 200: Answer(_SHOWN), 204: _OVER},
        errors=(409,),
    )
    async def one(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/stream/{type}/{id}`: any resource, from any cursor on, in the view that the query describes."""
        look = looked(request, LookAtOne)
        pace = pacer(look)
        named = await resolve(request, request.match_info.get("type", PLATFORM), request.match_info["id"])
        resource = named._replace(view=viewed(named.view, look))
        if upgrades(request):
            if pace or look.format != "sse":
                raise Invalid("A WebSocket has its own form, and no pace.", field="format")
            return await self._sockets.serve(request, lambda _: (_nothing, None), resource)
        if pace or look.format == "json":
            return await _privately(request, look, [Asked("", resource, asked(request))], several=False)
        name, view, broadcast = resource
        return await sse.serve(
            request, name, view, broadcast=broadcast, wire=_WIRES[look.format], farewell=True
        )

    @operation(
        tag="streams",
        query=LookAtSeveral,
        headers=LastEventIds,
        answers={200: Answer(_SHOWN), 204: _OVER},
        errors=(404, 409),
    )
    async def several(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/stream?of=table/a&of=invocation/b`: up to 32 resources as one; each entry names its `source`."""
        look = looked(request, LookAtSeveral)
        names = look.of
        if not 1 <= len(names) <= MAX_SOURCES or len(set(names)) < len(names):
            raise Invalid(f"of names 1 to {MAX_SOURCES} different sources.", field="of")
        after = _cursors(request, len(names))
        sources = list[Asked]()
        for name, cursor in zip(names, after, strict=True):
            type, slash, id = name.partition("/")
            if not slash:
                raise Invalid(f"{name[:60]!r} is no source; one looks like table/01k....", field="of")
            named = await resolve(request, type, id)
            sources.append(Asked(name, named._replace(view=viewed(named.view, look)), cursor))
        return await _privately(request, look, sources, several=True)


async def _privately(
    request: web.Request, look: Look, sources: list[Asked], *, several: bool
) -> web.StreamResponse:
    async with viewing.opened(sources, pacer(look), several=several) as viewer:
        if look.format == "json":
            document = await viewer.document(look.limit)
            return json(_linked(request, document))
        if viewer.over:
            return web.Response(status=204)
        wire = _WIRES[look.format]
        response, outlet = await sse.prepare(request, wire)
        if outlet is not None:
            await viewer.show(outlet, wire, wire.framing(request))
        return response


def _linked(request: web.Request, document: Document) -> Document:
    """The document with where to go on."""
    if document.ended:
        return document
    return msgspec.structs.replace(document, next=str(request.rel_url.update_query(after=document.cursor)))


def _cursors(request: web.Request, number: int) -> tuple[Cursor | None, ...]:
    """Where to go on in each of so many streams. Raises `Invalid`."""
    if header := request.headers.get("Last-Event-ID"):
        return Cursors.parse(header, number, "Last-Event-ID").each
    after = request.query.get("after", "")
    if after in ("", "now"):
        return (ZERO if not after else None,) * number
    return Cursors.parse(after, number).each


async def _nothing(_: bytes) -> NoReturn:
    raise WrongState(
        "This socket shows and takes nothing; a table has a socket of its own, `links.ws`, for that."
    )
