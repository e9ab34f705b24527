"""`GET /v1/roundtables/{id}/events`: a table's entries as Server-Sent Events, from any cursor on.

The response is aiohttp's only until its headers are out: from then on the fan-out writes to the transport, and
nothing may be left in aiohttp's hands.
"""

import random

from aiohttp import HttpVersion11, web

from protocol import sse
from protocol.cursor import ZERO, Cursor
from roundtable.channel import Channel
from roundtable.edge.keys import BROADCAST
from roundtable.framing import FULL, ChunkedEventStream, EventStream
from roundtable.outlet import Outlet

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",  # a proxy that compresses would hold frames back
    "X-Accel-Buffering": "no",  # nginx's word for: do not buffer
}
# When to come back, spread so that not all come at once. Milliseconds.
EARLIEST, LATEST = 1_000, 5_000

_CHUNKED, _PLAIN = ChunkedEventStream(), EventStream()


async def events(request: web.Request) -> web.StreamResponse:
    """Raises `Invalid` for a malformed cursor, `NotFound` for an unknown table, `LogUnavailable`."""
    asked = _asked(request)
    framing = _CHUNKED if request.version >= HttpVersion11 else _PLAIN  # HTTP/1.0 knows no chunks
    async with request.app[BROADCAST].channel(f"table/{request.match_info['id']}", FULL, framing) as channel:
        cursor, first = await channel.resume(asked)
        if channel.ended(cursor) and not first:
            return web.Response(status=204)  # tells an EventSource not to come back
        response = web.StreamResponse(headers=HEADERS)
        response.force_close()  # after an event stream there is nothing more to say on a connection
        try:
            writer = await response.prepare(request)
        except ConnectionError:
            return response  # gone before we began
        if request.transport is not None and writer is not None:
            await _serve(channel, Outlet(request.transport, writer.drain), cursor, sse.comment() + first)
        return response


def _asked(request: web.Request) -> Cursor | None:
    """The cursor asked for; None is the tail. An EventSource repeats a stale URL, so the header wins."""
    if header := request.headers.get("Last-Event-ID"):
        return Cursor.parse(header, field="Last-Event-ID")
    after = request.query.get("after", "")
    if after == "now":
        return None
    return Cursor.parse(after) if after else ZERO


async def _serve(channel: Channel, outlet: Outlet, cursor: Cursor, first: bytes) -> None:
    wrap = channel.framing.wrap
    try:
        await outlet.send(wrap(first))
        left = await channel.follow(outlet, cursor)
        if left in {"ended", "deleted"}:
            await outlet.send(wrap(channel.farewell()))
        elif left in {"draining", "broken"}:
            await outlet.send(wrap(sse.encode(retry=random.randint(EARLIEST, LATEST))))
    except ConnectionError:
        pass
