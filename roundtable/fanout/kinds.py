"""What the fan-out knows of a stream by its kind: what it is called, and which entry is its last."""

from collections.abc import Sequence

from protocol import codec, invocation, system
from protocol.errors import NotFound
from protocol.events import TableClosed
from protocol.views import thread
from roundtable.log.base import Record


def stored(kind: str, id: str) -> str:
    """The stream behind an address `kind/id`: a thread is a table by another name, and neither is found by the other's.
    Raises `NotFound`."""
    if kind in ("table", "thread"):
        if id.startswith(thread.PREFIX) != (kind == "thread"):
            raise NotFound(f"There is no {kind} {id[:40]!r}.")
        return f"table/{id}"
    return f"{kind}/{id}"


def missing(name: str) -> NotFound:
    """No such stream; its owner or its reader has mistyped it, or it was deleted."""
    kind, _, id = name.partition("/")
    if id.startswith(thread.PREFIX):
        kind = "thread"
    return NotFound(f"There is no {kind} {id[:40]!r}.")


def renewed(name: str) -> bool:
    """Whether a stream that is deleted is only begun again, so that its readers are to come back."""
    return name.startswith(f"{system.SYSTEM}/")


def reason_of_end(name: str, records: Sequence[Record]) -> str | None:
    """Why the stream will have no more entries, if that is among `records`."""
    kind = name.partition("/")[0]
    for cursor, body in reversed(records):
        type = codec.body_type(body)
        if kind == invocation.KIND and type in invocation.ENDINGS:
            return type.decode()
        if kind == "table" and type == b"table.closed":
            event = codec.decode_body(cursor, body).event
            return event.reason if isinstance(event, TableClosed) else ""
    return None
