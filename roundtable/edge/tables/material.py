"""Files on a table over HTTP: laid there, and given back."""

import base64
from typing import Annotated

import msgspec
from aiohttp import hdrs, web

from protocol import codec
from roundtable.edge import keys
from roundtable.edge.answers import json, outcome
from roundtable.edge.limits import body
from roundtable.edge.operations import Answer, operation
from roundtable.edge.parameters import Id, Keyed, key_of
from roundtable.edge.tables.tables import Accepted, Done
from roundtable.material.intake import MAX_BODY, Upload

_decoder = msgspec.json.Decoder(Upload)
# What a browser may show by itself; anything else is saved, so that no file of a stranger runs as a page of ours.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class OfTable(msgspec.Struct, frozen=True):
    """One table."""

    id: Id


class OneFile(OfTable, frozen=True):
    """One file on it."""

    material: Annotated[
        str,
        msgspec.Meta(
            description="`d1`, `d2`, ... in the order in which they were laid there.",
            examples=["d1"],
            extra_json_schema={"pattern": "^d[1-9][0-9]{0,3}$"},
        ),
    ]


@operation(
    tag="tables",
    path=OfTable,
    headers=Keyed,
    body=Upload,
    answers={200: Done, 202: Accepted},
    errors=(409, 422),
    examples={"a text": {"name": "letters.csv", "data": "MztvbGQ7bmV3"}},
)
async def put(request: web.Request) -> web.Response:
    """`POST /v1/roundtables/{id}/material`: 200 and `material.added`, or 202 when that is still to come."""
    key = key_of(request)
    upload = codec.decode_json(await body(request, MAX_BODY), _decoder)
    receipt = await request.app[keys.HOST].put(request.match_info["id"], key, upload)
    return json(outcome(receipt), status=202 if receipt.entry is None else 200)


@operation(
    tag="tables",
    path=OneFile,
    answers={200: Answer({"application/octet-stream": None}, about="The file as it was sent.")},
)
async def get(request: web.Request) -> web.Response:
    """`GET /v1/roundtables/{id}/material/{material}`: its bytes."""
    material, data = await request.app[keys.HOST].material(
        request.match_info["id"], request.match_info["material"]
    )
    shown = material.media_type in _SHOWN
    name = material.name.encode("ascii", "replace").decode().replace('"', "'")
    return web.Response(
        body=base64.b64decode(data),
        content_type=material.media_type if shown else "application/octet-stream",
        headers={
            hdrs.CONTENT_DISPOSITION: f'{"inline" if shown else "attachment"}; filename="{name}"',
            "Content-Security-Policy": "default-src 'none'; sandbox",
            hdrs.CACHE_CONTROL: "private, max-age=31536000, immutable",
        },
    )
