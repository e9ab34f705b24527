"""`GET /v1/roundtables/{id}/analytics`: what a table did and what it cost, in figures, at any time."""

from aiohttp import hdrs, web

from protocol.views.analytics import Analytics, analyse
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.operations import Answer, operation
from roundtable.edge.parameters import ById


@operation(
    tag="tables",
    path=ById,
    headers={hdrs.IF_NONE_MATCH: "The `ETag` of what you have."},
    answers={200: Answer({"application/json": Analytics}, headers={hdrs.ETAG: "The cursor."}), 304: None},
)
async def analytics(request: web.Request) -> web.Response:
    """Per panelist and for the table. The fold behind it is kept, so asking again costs what is new since."""
    transcript = await request.app[keys.HOST].transcript(request.match_info["id"])
    headers: dict[str, str] = {hdrs.ETAG: f'"{transcript.cursor}"', hdrs.CACHE_CONTROL: "no-cache"}
    if any(tag.value in (transcript.cursor, "*") for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return json(analyse(transcript), headers=headers)
