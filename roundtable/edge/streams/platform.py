"""Streams of other applications over HTTP: posted to, listed, deleted. They are followed like any stream."""

from typing import Annotated

import msgspec
from aiohttp import web

from protocol import codec
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.limits import body
from roundtable.edge.operations import operation, queried
from roundtable.edge.parameters import MayBeKeyed, Page, key_of
from roundtable.hosting.platform import NAME, PlatformPage, Post


class ByName(msgspec.Struct, frozen=True):
    """One stream, by the name its application gave it."""

    id: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{NAME.pattern}$"})]


class Posted(msgspec.Struct, frozen=True):
    """Where the event stands in its stream."""

    cursor: str


_decoder = msgspec.json.Decoder(Post)


@operation(
    tag="platform",
    path=ByName,
    headers=MayBeKeyed,
    body=Post,
    answers={201: Posted},
    errors=(409, 422),
    leads={"/v1/stream/platform/{id}": "$request.path.id"},
    examples={"a build": {"type": "build.done", "data": {"ok": True}}},
)
async def post(request: web.Request) -> web.Response:
    """`POST /v1/stream/platform/{id}`: an event of an application to its stream, which is begun by the first."""
    key = key_of(request, made_up=True)
    post: Post = codec.decode_json(await body(request), _decoder)
    cursor = await request.app[keys.PLATFORM].post(request.match_info["id"], key, post)
    return json(Posted(str(cursor)), status=201)


@operation(tag="platform", query=Page, answers={200: PlatformPage})
async def listed(request: web.Request) -> web.Response:
    """`GET /v1/stream/platform?limit=&before=`: the streams there are."""
    page = queried(request, Page)
    return json(await request.app[keys.PLATFORM].page(page.before, page.limit))


@operation(tag="platform", path=ByName, answers={204: None})
async def delete(request: web.Request) -> web.Response:
    """`DELETE /v1/stream/platform/{id}`: 204, and nothing of it is left; whoever follows it is sent away."""
    await request.app[keys.PLATFORM].delete(request.match_info["id"])
    return web.Response(status=204)
