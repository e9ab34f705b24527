"""Panels over HTTP: kept under a name, and convened by it."""

from typing import Annotated

import msgspec
from aiohttp import hdrs, web

from protocol import codec
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.limits import body
from roundtable.edge.operations import operation
from roundtable.hosting.panels import NAME, Keep
from roundtable.hosting.shown import Kept

_EXAMPLE = {
    "panel": [{"name": name, "model": f"scripted:{name}"} for name in ("Ada", "Ben")],
    "policy": "parallel",
    "limits": {"max_rounds": 2},
}
_decoder = msgspec.json.Decoder(Keep)


class ByName(msgspec.Struct, frozen=True):
    """One panel."""

    name: Annotated[
        str,
        msgspec.Meta(
            description="Letters, digits and `._-`.",
            examples=["review"],
            extra_json_schema={"pattern": f"^{NAME.pattern}$"},
        ),
    ]


class Panels(msgspec.Struct, frozen=True):
    """Those of the configuration first."""

    panels: list[Kept]


@operation(tag="tables", answers={200: Panels})
async def listed(request: web.Request) -> web.Response:
    """`GET /v1/panels`: all that are kept here, by name."""
    return json(Panels(await request.app[keys.HOST].panels.all()))


@operation(tag="tables", path=ByName, answers={200: Kept})
async def read(request: web.Request) -> web.Response:
    """`GET /v1/panels/{name}`: one of them."""
    return json(await request.app[keys.HOST].panels.find(request.match_info["name"]))


@operation(
    tag="tables",
    path=ByName,
    body=Keep,
    answers={200: Kept},
    errors=(409, 422),
    leads={"/v1/panels/{name}": "$request.path.name"},
    examples={"two voices": _EXAMPLE},
)
async def save(request: web.Request) -> web.Response:
    """`PUT /v1/panels/{name}`: keep a panel, to be convened by `saved`; one of that name is replaced."""
    keep = codec.decode_json(await body(request), _decoder)
    kept = await request.app[keys.HOST].panels.save(request.match_info["name"], keep)
    return json(kept, headers={hdrs.CACHE_CONTROL: "no-store"})


@operation(tag="tables", path=ByName, answers={204: None}, errors=(409,))
async def drop(request: web.Request) -> web.Response:
    """`DELETE /v1/panels/{name}`: 204; tables that were convened with it stay as they are."""
    await request.app[keys.HOST].panels.drop(request.match_info["name"])
    return web.Response(status=204)
