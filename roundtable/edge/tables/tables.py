"""Tables over HTTP: open one, list them, read one, tell one something. Decides nothing: the host does.

Reading a table as it happens is `sse.events`.
"""

from typing import Any, Literal

import msgspec
from aiohttp import hdrs, web

from protocol import codec, commands, events
from protocol.transcript import Transcript
from roundtable.edge import keys
from roundtable.edge.answers import json, outcome
from roundtable.edge.limits import MAX_BODY, Limits, address, body
from roundtable.edge.operations import Answer, operation, queried
from roundtable.edge.parameters import ById, Keyed, Page, key_of
from roundtable.hosting.convening import Convene
from roundtable.hosting.host import Opened, Receipt, stream
from roundtable.hosting.summary import Summary
from roundtable.material import intake


class Convened(msgspec.Struct, frozen=True):
    """A new table, the cursor of its opening, and where to go on."""

    id: str
    cursor: str
    links: dict[str, str]


class Shown(Summary, frozen=True):
    """A table in the list; `spectators` watch it now, on all nodes."""

    spectators: int


class Shelf(msgspec.Struct, frozen=True):
    """Tables, newest first; those that are damaged by their ids alone. `next` is the next page's `before`."""

    roundtables: list[Shown]
    unreadable: list[str]
    next: str | None


class Snapshot(msgspec.Struct, frozen=True):
    """A table at a cursor."""

    cursor: str
    transcript: Transcript


class Done(msgspec.Struct, frozen=True):
    """A command's effect."""

    outcome: Literal["done"]
    cursor: str
    event: events.KNOWN


class Accepted(msgspec.Struct, frozen=True):
    """A command that waits for its effect, at this position of the table's inbox."""

    outcome: Literal["accepted"]
    position: int


def convened(opened: Opened) -> web.Response:
    """201, and where to go on from there."""
    own = f"/v1/roundtables/{opened.id}"
    links = {"self": own, "page": f"/t/{opened.id}"}
    links |= {name: f"{own}/{name}" for name in ("events", "ws", "commands", "replay", "export", "forks")}
    return json(Convened(opened.id, str(opened.cursor), links), status=201, headers={hdrs.LOCATION: own})


_LINE = {"text": "Because.", "rate": 20, "ttft": 0.05}
_EXAMPLE = {
    "topic": "Why?",
    "panel": [{"name": name, "model": f"scripted:{name}", "options": _LINE} for name in ("Ada", "Ben")],
    "limits": {"max_rounds": 1},
}
_SEAT = {"name": "Cleo", "model": "scripted:cleo"}
_COMMANDS: dict[str, dict[str, Any]] = {
    "a question": {"type": "say", "text": "But why?"},
    "a question to one": {"type": "say", "text": "Why, Ada?", "to": "Ada"},
    "no new turn": {"type": "pause"},
    "on again": {"type": "resume"},
    "the end": {"type": "close"},
    "not this turn": {"type": "cancel", "turn": "t1"},
    "once more": {"type": "retry", "turn": "t1"},
    "an interruption": {"type": "barge_in", "text": "One moment.", "author": "Rosa"},
    "a hand": {"type": "raise_hand", "author": "Rosa"},
    "a hand down": {"type": "lower_hand", "author": "Rosa"},
    "somebody else": {"type": "skip", "panelist": "Ada"},
    "silence": {"type": "mute", "panelist": "Ada"},
    "no more silence": {"type": "unmute", "panelist": "Ada"},
    "one more": {"type": "add", "seat": _SEAT},
    "one less": {"type": "remove", "panelist": "Ada"},
    "another instead": {"type": "swap", "panelist": "Ada", "seat": _SEAT},
    "more time": {"type": "extend", "limits": {"max_rounds": 6}},
    "the verdict now": {"type": "verdict"},
    "a stress test": {"type": "stress_test"},
    "a title": {"type": "title", "title": "Why, after all"},
}
# What a table takes else, and a file's worth of material: more is laid there once it is open.
_MOST = MAX_BODY + intake.MAX_BODY
_convene_decoder = msgspec.json.Decoder(Convene)


class Tables:
    """The handlers under `/v1/roundtables`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    @operation(
        tag="tables",
        body=Convene,
        answers={201: Answer({"application/json": Convened}, headers={hdrs.LOCATION: "The table."})},
        leads=dict.fromkeys(("/v1/roundtables/{id}", "/v1/stream/table/{id}"), "$response.body#/id"),
        examples={"two voices": _EXAMPLE},
    )
    async def convene(self, request: web.Request) -> web.Response:
        """`POST /v1/roundtables`: 201 with the id, and where to go on from there."""
        ask = codec.decode_json(await body(request, _MOST), _convene_decoder)
        self._limits.table(address(request))
        return convened(await request.app[keys.HOST].convene(ask))

    @operation(tag="tables", query=Page, answers={200: Shelf})
    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/roundtables?limit=&before=`: `host.Listing`, and how many watch each."""
        page, app = queried(request, Page), request.app
        found = await app[keys.HOST].summaries(before=page.before, limit=page.limit)
        watched = await app[keys.BROADCAST].audience([stream(each.id) for each in found.tables])
        shown = [
            Shown(**msgspec.structs.asdict(each), spectators=watched[stream(each.id)])
            for each in found.tables
        ]
        return json(Shelf(shown, found.unreadable, found.next))

    @operation(
        tag="tables",
        path=ById,
        headers={hdrs.IF_NONE_MATCH: "The `ETag` of what you have."},
        answers={200: Answer({"application/json": Snapshot}, headers={hdrs.ETAG: "The cursor."}), 304: None},
    )
    async def read(self, request: web.Request) -> web.Response:
        """`GET /v1/roundtables/{id}`: the transcript, and the cursor after which to read on."""
        transcript = await request.app[keys.HOST].transcript(request.match_info["id"])
        cursor = transcript.cursor
        headers: dict[str, str] = {hdrs.ETAG: f'"{cursor}"', hdrs.CACHE_CONTROL: "no-cache"}
        if any(tag.value in (cursor, "*") for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return json(Snapshot(cursor, transcript), headers=headers)

    @operation(tag="tables", path=ById, answers={204: None})
    async def delete(self, request: web.Request) -> web.Response:
        """`DELETE /v1/roundtables/{id}`: 204, and nothing of the table is left; whoever watches is sent away."""
        await request.app[keys.HOST].delete(request.match_info["id"])
        return web.Response(status=204)

    @operation(
        tag="tables",
        path=ById,
        headers=Keyed,
        body=commands.ANY,
        answers={200: Done, 202: Accepted},
        errors=(409, 422),
        leads={"/v1/roundtables/{id}": "$request.path.id"},
        examples=_COMMANDS,
    )
    async def command(self, request: web.Request) -> web.Response:
        """`POST /v1/roundtables/{id}/commands`: 200 and its effect, or 202 when that is still to come."""
        key = key_of(request)
        command = codec.decode_command(await body(request))
        receipt: Receipt = await request.app[keys.HOST].submit(request.match_info["id"], key, command)
        return json(outcome(receipt), status=202 if receipt.entry is None else 200)
