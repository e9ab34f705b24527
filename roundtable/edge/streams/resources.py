"""What can be streamed, by type: `/v1/stream/{type}/{id}`. A new type is a line in `TYPES`."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from aiohttp import web

from protocol import codec
from protocol.errors import IllegalMove, NotFound
from roundtable.edge import keys
from roundtable.edge.invoking.callers import broadcast_of
from roundtable.edge.streams import system
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.framing import FULL, INVOCATION, THREAD, View
from roundtable.fanout.kinds import stored
from roundtable.log.base import Record

_ENDS = {b"turn.completed": "completed", b"turn.failed": "failed", b"turn.cancelled": "cancelled"}


class Resource(NamedTuple):
    """A stream, what of it is shown, and who fans it out. `view.ends` where it ends before its stream does."""

    stream: str
    view: View
    broadcast: Broadcast


Resolve = Callable[[web.Request, str], Awaitable[Resource]]
"""The resource of an id. Raises `NotFound`, here or when its stream is read."""


class _OfTurn(msgspec.Struct):
    turn: str = ""


_of_turn = msgspec.json.Decoder(_OfTurn)


async def resolve(request: web.Request, type: str, id: str) -> Resource:
    """Raises `NotFound`, also for a type there is not."""
    found = TYPES.get(type)
    if found is None:
        raise NotFound(f"Nothing of the type {type[:40]!r} streams; there are {', '.join(sorted(TYPES))}.")
    return await found(request, id)


def whole(kind: str, view: View = FULL) -> Resolve:
    """A stream of the log as it is: `kind/id`."""

    async def resolved(request: web.Request, id: str) -> Resource:
        return Resource(stored(kind, id), view, request.app[keys.BROADCAST])

    return resolved


async def _invocation(request: web.Request, id: str) -> Resource:
    return Resource(f"invocation/{id}", INVOCATION, broadcast_of(request, id))


async def _system(request: web.Request, id: str) -> Resource:
    await system.ready(request, id)
    return Resource(f"system/{id}", FULL, request.app[keys.BROADCAST])


async def _turn(request: web.Request, id: str) -> Resource:
    """`TABLE.TURN`, such as `01k....t3`: its entries and no others, up to its end."""
    table, _, turn = id.rpartition(".")
    try:
        found = (await request.app[keys.HOST].transcript(table)).turn(turn)
    except IllegalMove:
        raise NotFound(f"The table has no turn {turn[:40]!r}.") from None
    return Resource(f"table/{table}", turn_view(turn, found.seq - 1), request.app[keys.BROADCAST])


def turn_view(turn: str, since: int) -> View:
    """One turn of a table; it was queued after entry `since`."""

    def mine(record: Record) -> bool:
        try:
            return codec.body_type(record.body).startswith(b"turn.") and (
                _of_turn.decode(record.body).turn == turn
            )
        except codec.UNREADABLE:
            return False

    def ends(record: Record) -> str | None:
        reason = _ENDS.get(codec.body_type(record.body))
        return reason if reason and mine(record) else None

    return View(
        f"turn/{turn}",
        lambda record: FULL.frames(record) if mine(record) else (),
        lambda record: (FULL.parts or FULL.frames)(record) if mine(record) else (),
        ends=ends,
        since=since,
    )


TYPES: dict[str, Resolve] = {
    "table": whole("table"),
    "roundtable": whole("table"),
    "turn": _turn,
    "thread": whole("thread", THREAD),
    "invocation": _invocation,
    "tool": _invocation,
    "system": _system,
    "platform": whole("platform"),
}
"""`roundtable` is another word for a table, `tool` for the invocation that a tool's run is."""
