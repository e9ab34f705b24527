"""`GET /v1/roundtables/{id}/turns/{turn}/prompt`: what a turn's model was sent, word for word."""

from typing import Annotated

import msgspec
from aiohttp import hdrs, web

from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.operations import operation
from roundtable.edge.parameters import ById
from roundtable.hosting.host import stream
from roundtable.hosting.lens import look
from roundtable.hosting.shown import Lens

Turn = Annotated[
    str, msgspec.Meta(description="A turn: `t1`, `t2`, ...", extra_json_schema={"pattern": "^t[1-9][0-9]*$"})
]  # fmt: skip


class OfTurn(ById, frozen=True):
    """One turn of a table."""

    turn: Turn


@operation(tag="tables", path=OfTurn, answers={200: Lens})
async def prompt(request: web.Request) -> web.Response:
    """`GET /v1/roundtables/{id}/turns/{turn}/prompt`: what that turn's model was sent, computed again from the log,
    and whether it has the digest that was logged when it was sent."""
    await request.app[keys.HOST].transcript(request.match_info["id"])  # whether there is such a table
    found = await look(request.app[keys.LOG], stream(request.match_info["id"]), request.match_info["turn"])
    return json(found, headers={hdrs.CACHE_CONTROL: "no-cache"})
