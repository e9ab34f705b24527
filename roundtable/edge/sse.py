"""`GET /v1/roundtables/{id}/events`: a table's entries as Server-Sent Events, from any cursor on.

The response is aiohttp's only until its headers are out: from then on the fan-out writes to the transport, and
nothing may be left in aiohttp's hands.
"""

import random
from collections.abc import Callable

from aiohttp import HttpVersion11, web

from protocol import sse
from protocol.cursor import ZERO, Cursor
from roundtable.edge.keys import BROADCAST
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.channel import Channel, LeadIn
from roundtable.fanout.framing import FULL, ChunkedEventStream, EventStream, View
from roundtable.fanout.outlet import Outlet

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",  # a proxy that compresses would hold frames back
    "X-Accel-Buffering": "no",  # nginx's word for: do not buffer
}
# Long enough for a server to start again, and nobody waits longer than for a page. Seconds.
EARLIEST, LATEST = 1.0, 5.0

_CHUNKED, _PLAIN = ChunkedEventStream(), EventStream()


async def events(request: web.Request) -> web.StreamResponse:
    """Raises `Invalid` for a malformed cursor, `NotFound` for an unknown table, `LogUnavailable`."""
    return await serve(request, table(request))


def table(request: web.Request) -> str:
    """The stream of the table in the request's path."""
    return f"table/{request.match_info['id']}"


async def serve(
    request: web.Request,
    name: str,
    view: View = FULL,
    begin: Callable[[Channel], LeadIn] | None = None,
    broadcast: Broadcast | None = None,
) -> web.StreamResponse:
    """Stream `name` from the cursor asked for, as the log's fan-out has it or another; `begin` makes what comes before
    it. Raises as `events` does."""
    start = asked(request)
    framing = _CHUNKED if request.version >= HttpVersion11 else _PLAIN  # HTTP/1.0 knows no chunks
    async with (broadcast or request.app[BROADCAST]).channel(name, view, framing) as channel:
        cursor, first = await channel.resume(start)
        if channel.ended(cursor) and not first:
            return web.Response(status=204)  # tells an EventSource not to come back
        response = web.StreamResponse(headers=HEADERS)
        response.force_close()  # after an event stream there is nothing more to say on a connection
        try:
            writer = await response.prepare(request)
        except ConnectionError:
            return response  # gone before we began
        if request.transport is not None and writer is not None:
            outlet = Outlet(request.transport, writer.drain)
            await _serve(channel, outlet, cursor, sse.comment() + first, begin and begin(channel))
        return response


def asked(request: web.Request) -> Cursor | None:
    """The cursor asked for; None is the tail. An EventSource repeats a stale URL, so the header wins."""
    if header := request.headers.get("Last-Event-ID"):
        return Cursor.parse(header, field="Last-Event-ID")
    return after(request.query.get("after", ""))


def after(text: str) -> Cursor | None:
    """What `after` means: nothing is the start, `now` the tail (None). Raises `Invalid`."""
    if text == "now":
        return None
    return Cursor.parse(text) if text else ZERO


def come_back() -> float:
    """When a reader should come back whom we send away; spread, so that not all come at once. Seconds."""
    return random.uniform(EARLIEST, LATEST)


async def _serve(
    channel: Channel, outlet: Outlet, cursor: Cursor, first: bytes, lead_in: LeadIn | None
) -> None:
    wrap = channel.framing.wrap
    try:
        await outlet.send(wrap(first))
        left = await channel.follow(outlet, cursor, lead_in)
        if left in {"ended", "deleted"}:
            if farewell := channel.farewell():  # an empty chunk would end the response here
                await outlet.send(wrap(farewell))
        elif left in {"draining", "broken"}:
            await outlet.send(wrap(sse.encode(retry=int(come_back() * 1000))))
    except ConnectionError:
        pass
