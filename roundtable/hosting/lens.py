"""The lens: for any turn, what its model was sent, computed again from the log as it stood before the turn began.

The digest that was logged then is held against what is computed now. Where they differ, by another version's manners or
a policy that is not installed here, the lens says so and shows what it has. What was said before a fork was asked for
under the topic, panel and policy of its origin, and is looked up there while that is kept.
"""

import re
from collections.abc import Sequence
from typing import Any

from protocol import events as e
from protocol.codec import decode_body
from protocol.errors import NotFound
from protocol.messages import Origin
from protocol.transcript import Transcript, apply
from roundtable.hosting import owners
from roundtable.hosting.shown import Attempt, Lens
from roundtable.log.base import EventLog
from roundtable.table import seating

# A value under such a name is not shown. No option holds a key, but what goes to a server of one's own may.
_SECRET = re.compile(r"key|token(?!s)|secret|password|passwd|credential|authorization|cookie|signature", re.I)
REDACTED = "[redacted]"


async def look(log: EventLog, stream: str, turn: str) -> Lens:
    """The lens of one turn of the table in `stream`. Raises `NotFound`: no such turn, or it has not begun."""
    found, origin = await _look(log, stream, turn)
    first = found
    while not found.matches and origin is not None:
        try:
            found, origin = await _look(log, owners.stream(origin.table), turn)
        except NotFound:  # deleted since, or the turn is the fork's own
            break
    # By the digest it is the same prompt, whatever the tables are called.
    return found if found.matches and found.digest == first.digest else first


async def _look(log: EventLog, stream: str, turn: str) -> tuple[Lens, Origin | None]:
    before, later = await _split(log, stream, turn)
    if not later:
        raise NotFound(f"No turn {turn[:40]!r} has begun at this table.")
    started = later[0]
    assert isinstance(started, e.TurnStarted)
    sent = seating.projected(before, turn, started.room)
    seat = before.seat(started.panelist)
    computed = sent.digest()
    lens = Lens(
        turn=turn,
        panelist=started.panelist,
        kind=before.turn(turn).kind,
        model=started.model,
        attempts=_attempts(later),
        system=sent.system,
        messages=sent.messages if started.pictures else seating.without_pictures(sent.messages),
        options=redacted(seat.options) if seat else {},
        most=started.most,
        room=started.room,
        length=started.length,
        digest=started.digest,
        computed=computed,
        matches=computed == started.digest,
    )
    return lens, before.origin


async def _split(log: EventLog, stream: str, turn: str) -> tuple[Transcript, list[e.TurnEvent]]:
    """The table before the turn began, and then its beginning and retries; none where it has not begun."""
    table, later, seq = Transcript(), list[e.TurnEvent](), 0
    while records := await log.read(stream, seq):
        for record in records:
            entry, seq = decode_body(*record), record.cursor.seq
            event = entry.event
            its = isinstance(event, e.TurnEvent) and event.turn == turn
            if its and isinstance(event, e.TurnStarted | e.TurnRetried):
                later.append(event)
            elif its and later and isinstance(event, _ENDS):
                return table, later
            if not later:
                apply(table, entry)
    return table, later


_ENDS = e.TurnCompleted | e.TurnFailed | e.TurnCancelled


def _attempts(events: Sequence[e.TurnEvent]) -> list[Attempt]:
    found: list[Attempt] = []
    for event in events:
        if isinstance(event, e.TurnStarted):
            found.append(Attempt(event.attempt, event.model))
        elif isinstance(event, e.TurnRetried):
            found.append(Attempt(event.attempt, event.model or found[-1].model, event.error))
    return found


def redacted(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with nothing under a name that sounds like a secret's; `max_tokens` is told as `most`."""
    return {name: _shown(name, value) for name, value in options.items() if name != "max_tokens"}


def _shown(name: str, value: Any) -> Any:
    if _SECRET.search(name):
        return REDACTED
    match value:
        case dict():
            return {inner: _shown(str(inner), each) for inner, each in value.items()}
        case list() | tuple():
            return [_shown("", each) for each in value]
        case _:
            return value
