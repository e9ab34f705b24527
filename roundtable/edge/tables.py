"""Tables over HTTP: open one, list them, read one, tell one something. Decides nothing: the host does.

Reading a table as it happens is `sse.events`.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import hdrs, web

from protocol import codec
from protocol.errors import Invalid
from protocol.events import Entry
from roundtable.convening import Convene
from roundtable.edge import keys
from roundtable.edge.limits import Limits, body
from roundtable.host import Receipt, stream

# One page of the list; a person sees some twenty at a time.
MAX_LIMIT = 100
_KEY = re.compile(r"[\x20-\x7e]{1,200}", re.ASCII)
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
        links = {"self": own, "events": f"{own}/events", "commands": f"{own}/commands", "page": f"/t/{table}"}
        answer = {"id": table, "cursor": str(cursor), "links": links}
        return json(answer, status=201, headers={hdrs.LOCATION: own})

    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/roundtables?limit=&before=`: newest first; `next` is the `before` of the next page, or null."""
        limit = _limit(request.query.get("limit", "20"))
        app = request.app
        # One more than asked for tells whether there is a next page.
        found = await app[keys.HOST].summaries(before=request.query.get("before", ""), limit=limit + 1)
        shown = [
            msgspec.structs.asdict(each) | {"spectators": app[keys.BROADCAST].spectators(stream(each.id))}
            for each in found[:limit]
        ]
        return json({"roundtables": shown, "next": shown[-1]["id"] if len(found) > limit else None})

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
        key = _idempotency_key(request)
        command = codec.decode_command(await body(request))
        receipt: Receipt = await request.app[keys.HOST].submit(request.match_info["id"], key, command)
        if receipt.entry is None:
            return json({"outcome": "accepted", "position": receipt.position}, status=202)
        cursor = str(receipt.entry.cursor)
        return json({"outcome": "done", "cursor": cursor, "event": _event(receipt.entry)})


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


def _idempotency_key(request: web.Request) -> str:
    given = request.headers.getall("Idempotency-Key", [])
    if len(given) != 1 or not _KEY.fullmatch(given[0]):
        raise Invalid(
            "A command needs one Idempotency-Key header of 1 to 200 printable ASCII characters: send the same one "
            "when you repeat the command, a new one otherwise.",
            field="Idempotency-Key",
        )
    return given[0]


def _event(entry: Entry) -> msgspec.Raw:
    return msgspec.Raw(codec.encode_body(entry.event, entry.at))
