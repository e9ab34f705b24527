"""Forks over HTTP: another future of a table, and which there are."""

import msgspec
from aiohttp import hdrs, web

from protocol import codec
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.limits import Limits, address, body
from roundtable.edge.operations import Answer, operation
from roundtable.edge.parameters import ById
from roundtable.edge.tables.tables import Convened, convened
from roundtable.hosting.forking import Fork
from roundtable.hosting.lineage import ForkLine

_decoder = msgspec.json.Decoder(Fork)


class Forks(msgspec.Struct, frozen=True):
    """Forks of a table, oldest first."""

    forks: list[ForkLine]


class Forking:
    """The handlers under `/v1/roundtables/{id}/forks`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    @operation(
        tag="tables",
        path=ById,
        body=Fork,
        answers={201: Answer({"application/json": Convened}, headers={hdrs.LOCATION: "The fork."})},
        errors=(409, 422),
        leads={"/v1/roundtables/{id}": "$response.body#/id"},
        examples={"the same again": {}, "asked on": {"message": {"text": "And if it fails?"}}},
    )
    async def fork(self, request: web.Request) -> web.Response:
        """`POST /v1/roundtables/{id}/forks`: 201 with the new table, which begins with what was said up to `after`."""
        ask = codec.decode_json(await body(request), _decoder)
        self._limits.table(address(request))
        return convened(await request.app[keys.HOST].fork(request.match_info["id"], ask))

    @operation(tag="tables", path=ById, answers={200: Forks})
    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/roundtables/{id}/forks`: those that are still there."""
        return json(Forks(await request.app[keys.HOST].forks(request.match_info["id"])))
