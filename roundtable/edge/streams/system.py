"""What concerns everyone over HTTP: maintenance is announced here. `system/...` is followed like any stream."""

from typing import Annotated

import msgspec
from aiohttp import web

from protocol import codec
from protocol.errors import Invalid
from protocol.system import ALL, SYSTEM, MaintenanceAnnounced
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.limits import body
from roundtable.edge.operations import operation

# Characters of an announcement: what a banner holds.
MAX_TEXT = 1_000
# Unix seconds that a date can show: to the end of the year 9999.
Moment = Annotated[float, msgspec.Meta(ge=0, lt=253_402_300_800)]


class Maintenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What everyone is to know, and from when (`at`) until when, in Unix seconds, where that is known."""

    text: Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "pattern": r"\S"})]
    at: Moment | None = None
    until: Moment | None = None


_decoder = msgspec.json.Decoder(Maintenance)


@operation(
    tag="system",
    body=Maintenance,
    answers={201: Maintenance},
    examples={"a restart": {"text": "We are back in five minutes."}},
)
async def announce(request: web.Request) -> web.Response:
    """`POST /v1/system/maintenance`: told to everyone who follows `system/all`."""
    ask: Maintenance = codec.decode_json(await body(request), _decoder)
    text = ask.text.strip()
    if not text or len(text) > MAX_TEXT:
        raise Invalid(f"An announcement has 1 to {MAX_TEXT:,} characters.", field="text")
    if ask.at is not None and ask.until is not None and ask.until <= ask.at:
        raise Invalid("The end comes after the beginning.", field="until")
    await request.app[keys.SYSTEM].announce(MaintenanceAnnounced(text=text, starts=ask.at, until=ask.until))
    return json(Maintenance(text, ask.at, ask.until), status=201)


async def ready(request: web.Request, scope: str) -> None:
    """Before `system/SCOPE` is followed: it is begun when first asked for. Raises `NotFound`."""
    if f"{SYSTEM}/{scope}" == ALL:
        await request.app[keys.SYSTEM].ready()
    else:
        await request.app[keys.PEOPLE].ready(scope)
