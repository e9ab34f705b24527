"""What can happen beside the tables: to the server (`system/all`), to a table's company (`system/ID`), and to other
applications that post here (`platform/NAME`). Each is a stream like any other, to which any node may append."""

from typing import Any

import msgspec

from protocol.errors import LogDamaged
from protocol.events import Event, Then
from protocol.messages import Limits, Panelist, Until

SYSTEM, PLATFORM = "system", "platform"
"""Kinds of streams."""
ALL = f"{SYSTEM}/all"
"""What concerns everyone."""


class NodeStarted(Event, frozen=True, tag="node.started"):
    """A node takes part from here on."""

    node: str


class NodeStopping(Event, frozen=True, tag="node.stopping"):
    """A node ends on purpose; what it owned goes on elsewhere, or when it is back."""

    node: str


class CountsChanged(Event, frozen=True, tag="counts.changed"):
    """What one node has to do: tables that are under way on it, streams open, readers of anything. The house is the sum
    of the last word of each node."""

    node: str
    tables: int
    streams: int
    spectators: int


class TableChanged(Event, frozen=True, tag="table.changed"):
    """A table or thread is `open`, `resting`, `closed` or `deleted`. Its own log is the truth, and says it first;
    nothing of what is said at it stands here."""

    table: str
    status: str


class MaintenanceAnnounced(Event, frozen=True, tag="maintenance.announced"):
    """For everyone to read; `starts` and `until` in Unix seconds where they are known."""

    text: str
    starts: float | None = None
    until: float | None = None


class PersonJoined(Event, frozen=True, tag="person.joined"):
    """Someone who gave a name reads along, over however many connections and nodes."""

    person: str


class PersonLeft(Event, frozen=True, tag="person.left"):
    """The last of those connections has been gone for a while."""

    person: str


class EventPosted(Event, frozen=True, tag="event.posted"):
    """What another application told: a `name` of its own, and any JSON. `key` is the idempotency key it came under."""

    name: str
    data: Any = None
    key: str | msgspec.UnsetType = msgspec.UNSET


class ForkMade(Event, frozen=True, tag="fork.made"):
    """Another table has the same beginning, up to entry `cursor`."""

    table: str
    cursor: str


class PanelSaved(Event, frozen=True, tag="panel.saved"):
    """A panel is kept under a name, in the place of another of that name. `verdict` and `until` null: its policy's."""

    name: str
    panel: list[Panelist]
    policy: str
    limits: Limits
    then: Then = "close"
    verdict: bool | None = None
    until: Until | None = None


class PanelDropped(Event, frozen=True, tag="panel.dropped"):
    """No panel is kept under that name any more."""

    name: str


KNOWN = (
    NodeStarted | NodeStopping | CountsChanged | TableChanged | MaintenanceAnnounced
    | PersonJoined | PersonLeft | EventPosted | ForkMade
    | PanelSaved | PanelDropped
)  # fmt: skip

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(KNOWN)


def decode(body: bytes) -> Event:
    """An event of these. Raises `LogDamaged` for anything else."""
    try:
        event: Event = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LogDamaged(f"An entry is no system event: {error}.") from error
    return event
