"""`GET /v1/roundtables/{id}/events`: a table's entries as Server-Sent Events, from any cursor on.

The response is aiohttp's only until its headers are out: from then on the fan-out writes to the transport, and
nothing may be left in aiohttp's hands.
"""

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiohttp import HttpVersion11, web

from protocol import codec, notices, sse
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from roundtable.edge.keys import BROADCAST
from roundtable.edge.operations import Answer, operation, queried
from roundtable.edge.parameters import After, Attending, ById, LastEventId
from roundtable.edge.wires.presence import present
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.channel import Channel, LeadIn
from roundtable.fanout.framing import FULL, ChunkedEventStream, EventStream, Framing, View
from roundtable.fanout.lines import ChunkedLines, Lines
from roundtable.fanout.outlet import PATIENCE, Outlet

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",  # a proxy that compresses would hold frames back
    "X-Accel-Buffering": "no",  # nginx's word for: do not buffer
}
# Long enough for a server to start again, and nobody waits longer than for a page. Seconds.
EARLIEST, LATEST = 1.0, 5.0
# Between signs of life on a stream that no channel brings on, while nothing is told. Seconds.
HEARTBEAT = 10.0

TOLD = {
    200: Answer({"text/event-stream": e.KNOWN | notices.ANY}),
    204: Answer(about="The table is closed, and you have all of it."),
}
"""What `serve` answers, for a table's."""


class Wire(NamedTuple):
    """A form for entries on a response that has no end: its media type, its framings for HTTP/1.1 and for HTTP/1.0,
    which knows no chunks, what opens it (nothing: a heartbeat does, as the head waits for a first byte), and what says
    in how many seconds to come back."""

    media: str
    chunked: Framing
    plain: Framing
    hello: bytes
    retry: Callable[[float], bytes]

    def framing(self, request: web.Request) -> Framing:
        """The one the client understands."""
        return self.chunked if request.version >= HttpVersion11 else self.plain


EVENTS = Wire(
    HEADERS["Content-Type"],
    ChunkedEventStream(),
    EventStream(),
    sse.comment(),
    lambda wait: sse.encode(retry=int(wait * 1000)),
)
LINES = Wire(
    "application/x-ndjson",
    ChunkedLines(),
    Lines(),
    b"",
    lambda wait: codec.encode({"type": "retry", "wait": round(wait, 3)}) + b"\n",
)


@operation(tag="tables", path=ById, query=Attending, headers=LastEventId, answers=TOLD)
async def events(request: web.Request) -> web.StreamResponse:
    """`GET /v1/roundtables/{id}/events`: what happens at a table, as it happens. It ends when the table is closed.

    Raises `Invalid` for a malformed cursor, `NotFound` for an unknown table, `LogUnavailable`."""
    with present(request):
        return await serve(request, table(request))


def table(request: web.Request) -> str:
    """The stream of the table in the request's path."""
    return f"table/{request.match_info['id']}"


async def serve(
    request: web.Request,
    name: str,
    view: View = FULL,
    begin: Callable[[Channel], LeadIn] | None = None,
    *,
    broadcast: Broadcast | None = None,
    wire: Wire = EVENTS,
    farewell: bool = False,
) -> web.StreamResponse:
    """Stream `name` from the cursor asked for, as the log's fan-out has it or another; `begin` makes what comes before
    it. `farewell`: `end` follows the last entry in every view. Raises as `events` does."""
    start = asked(request)
    fan_out = broadcast or request.app[BROADCAST]
    async with fan_out.channel(name, view, wire.framing(request)) as channel:
        cursor, first = await channel.resume(start)
        if channel.ended(cursor) and not first:
            return web.Response(status=204)  # tells an EventSource not to come back
        response, outlet = await prepare(request, wire)
        if outlet is not None:
            lead_in = begin and begin(channel)
            first = (wire.hello or channel.beat()) + first
            await _serve(channel, outlet, cursor, lead_in, first=first, wire=wire, farewell=farewell)
        return response


async def prepare(
    request: web.Request,
    wire: Wire,
    headers: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> tuple[web.StreamResponse, Outlet | None]:
    """A response whose head is sent, with `headers` of its own; no outlet when the reader was gone before we began."""
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": wire.media, **(headers or {})})
    response.force_close()  # after a stream there is nothing more to say on a connection
    try:
        writer = await response.prepare(request)
    except ConnectionError:
        return response, None
    if request.transport is None or writer is None:
        return response, None
    return response, Outlet(request.transport, writer.drain, patience)


def asked(request: web.Request) -> Cursor | None:
    """The cursor asked for; None is the tail. An EventSource repeats a stale URL, so the header wins."""
    place = after(
        queried(request, After).after
    )  # checked in any case: a misspelt one must not wait for its day
    if header := request.headers.get("Last-Event-ID"):
        return Cursor.parse(header, field="Last-Event-ID")
    return place


def after(text: str) -> Cursor | None:
    """What `after` means: nothing is the start, `now` the tail (None). Raises `Invalid`."""
    if text == "now":
        return None
    return Cursor.parse(text) if text else ZERO


def come_back() -> float:
    """When a reader should come back whom we send away; spread, so that not all come at once. Seconds."""
    return random.uniform(EARLIEST, LATEST)


async def _serve(
    channel: Channel,
    outlet: Outlet,
    cursor: Cursor,
    lead_in: LeadIn | None,
    *,
    first: bytes,
    wire: Wire,
    farewell: bool,
) -> None:
    wrap = channel.framing.wrap
    try:
        await outlet.send(wrap(first))
        left = await channel.follow(outlet, cursor, lead_in)
        if left in {"ended", "deleted"}:
            if last := channel.farewell(always=farewell):  # an empty chunk would end the response here
                await outlet.send(wrap(last))
        elif left in {"draining", "broken"}:
            await outlet.send(wrap(wire.retry(come_back())))
    except ConnectionError:
        pass
