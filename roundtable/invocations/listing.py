"""Invocations in a line each, for lists."""

from typing import Literal

import msgspec

from protocol import codec, invocation
from protocol.errors import LogDamaged
from roundtable.invocations.custody import stream
from roundtable.log.base import EventLog, Record

State = Literal["queued", "running", "paused", "converge", "error", "cancelled"]
_STATES: dict[bytes, State] = {
    b"queued": "queued",
    b"paused": "paused",
    b"converge": "converge",
    b"error": "error",
    b"cancelled": "cancelled",
}


class Line(msgspec.Struct, frozen=True):
    """One invocation: what was asked, how far it has come (`t` steps) and when (Unix seconds). `queued` says what it
    told last: it may have begun since."""

    id: str
    address: str
    state: State
    t: int
    began_at: float
    at: float
    cursor: str


class Listing(msgspec.Struct, frozen=True):
    """A page, newest first; `next` is the `before` of the next page, None on the last one. `unreadable` names those
    that the store no longer gives back whole."""

    invocations: list[Line]
    unreadable: list[str]
    next: str | None


async def listing(log: EventLog, *, before: str = "", limit: int = 20) -> Listing:
    """At most `limit` recorded invocations, those older than `before` if it is given. Raises `LogUnavailable`."""
    # One more than asked for tells whether there is a next page.
    names = await log.streams(invocation.KIND, before=stream(before) if before else "", limit=limit + 1)
    found, unreadable = list[Line](), list[str]()
    for name in names[:limit]:
        try:
            line = await _line(log, name)
        except LogDamaged:  # one that cannot be read must not cost the list
            unreadable.append(_id(name))
            continue
        if line is not None:
            found.append(line)
    return Listing(found, unreadable, _id(names[limit - 1]) if len(names) > limit else None)


async def _line(log: EventLog, name: str) -> Line | None:
    """None when it was deleted meanwhile."""
    first, last = await log.read(name, 0, limit=1), await log.last(name)
    if not first or last is None:
        return None
    begun = invocation.decode(first[0].body)
    if not isinstance(begun, invocation.Init):
        raise LogDamaged(f"{name} does not begin with what was asked.")
    reached = invocation.reached(last.body)
    return Line(
        id=begun.id,
        address=begun.address,
        state=_state(last),
        t=reached.t,
        began_at=invocation.reached(first[0].body).at,
        at=reached.at,
        cursor=str(last.cursor),
    )


def _state(last: Record) -> State:
    return _STATES.get(codec.body_type(last.body), "running")


def _id(name: str) -> str:
    return name.partition("/")[2]
