"""Tables over HTTP: open one, list them, read one, tell one something. Decides nothing: the host does.

Reading a table as it happens is `sse.events`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import hdrs, web

from protocol import codec
from protocol.errors import Invalid
from roundtable.edge import keys
from roundtable.edge.limits import Limits, body
from roundtable.hosting.convening import Convene
from roundtable.hosting.host import Receipt, stream

# One page of the list; a person sees some twenty at a time.
MAX_LIMIT = 100
# Characters of an idempotency key: a UUID is 36.
MAX_KEY = 200
_KEY = re.compile(rf"[\x20-\x7e]{{1,{MAX_KEY}}}", re.ASCII)
_convene_decoder = msgspec.json.Decoder(Convene)


class Tables:
    """The handlers under `/v1/roundtables`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def convene(self, request: web.Request) -> web.Response:
        """`POST /v1/roundtables`: 201 with the id, and where to go on from there."""
        ask = codec.decode_json(await body(request), _convene_decoder)
        self._limits.table(request)
        table, cursor = await request.app[keys.HOST].convene(ask)
        own = f"/v1/roundtables/{table}"
        links = {"self": own, "page": f"/t/{table}"}
        links |= {name: f"{own}/{name}" for name in ("events", "ws", "commands", "replay", "export")}
        answer = {"id": table, "cursor": str(cursor), "links": links}
        return json(answer, status=201, headers={hdrs.LOCATION: own})

    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/roundtables?limit=&before=`: `host.Listing`, and how many watch each."""
        limit = _limit(request.query.get("limit", "20"))
        app = request.app
        found = await app[keys.HOST].summaries(before=request.query.get("before", ""), limit=limit)
        watched = await app[keys.BROADCAST].audience([stream(each.id) for each in found.tables])
        shown = [
            msgspec.structs.asdict(each) | {"spectators": watched[stream(each.id)]} for each in found.tables
        ]
        return json({"roundtables": shown, "unreadable": found.unreadable, "next": found.next})

    async def read(self, request: web.Request) -> web.Response:
        """`GET /v1/roundtables/{id}`: the transcript, and the cursor after which to read on."""
        transcript = await request.app[keys.HOST].transcript(request.match_info["id"])
        cursor = transcript.cursor
        headers: dict[str, str] = {hdrs.ETAG: f'"{cursor}"', hdrs.CACHE_CONTROL: "no-cache"}
        if any(tag.value in (cursor, "*") for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return json({"cursor": cursor, "transcript": transcript}, headers=headers)

    async def delete(self, request: web.Request) -> web.Response:
        """`DELETE /v1/roundtables/{id}`: 204, and nothing of the table is left; whoever watches is sent away."""
        await request.app[keys.HOST].delete(request.match_info["id"])
        return web.Response(status=204)

    async def command(self, request: web.Request) -> web.Response:
        """`POST /v1/roundtables/{id}/commands`: 200 and its effect, or 202 when that is still to come."""
        key = idempotency_key(request.headers.getall("Idempotency-Key", []), "Idempotency-Key")
        command = codec.decode_command(await body(request))
        receipt: Receipt = await request.app[keys.HOST].submit(request.match_info["id"], key, command)
        return json(outcome(receipt), status=202 if receipt.entry is None else 200)


def outcome(receipt: Receipt) -> dict[str, Any]:
    """What a command came to: `done` with its effect, or `accepted` with its place in the inbox."""
    if receipt.entry is None:
        return {"outcome": "accepted", "position": receipt.position}
    cursor, event = receipt.entry.cursor, codec.encode_body(receipt.entry.event, receipt.entry.at)
    return {"outcome": "done", "cursor": str(cursor), "event": msgspec.Raw(event)}


def idempotency_key(given: Sequence[str], field: str) -> str:
    """The one key in `given`; raises `Invalid`, naming `field`."""
    if len(given) != 1 or not _KEY.fullmatch(given[0]):
        raise Invalid(
            f"A command needs one {field} of 1 to {MAX_KEY} printable ASCII characters: send the same one when you "
            "repeat the command, a new one otherwise.",
            field=field,
        )
    return given[0]


def json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in JSON; not to be kept by caches unless `headers` say otherwise."""
    return web.Response(
        status=status,
        body=codec.encode(value),
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store", **(headers or {})},
    )


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise Invalid(f"limit is a number from 1 to {MAX_LIMIT}.", field="limit")
    return int(text)
