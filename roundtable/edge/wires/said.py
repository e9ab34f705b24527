"""What the wires say in words that stand in no log, as the document describes them; a test holds both together."""

from typing import Literal

import msgspec

from protocol import events as e
from protocol import invocation, notices
from protocol.notices import Notice
from roundtable.edge.wires.conversation import Trouble


class Mark(Notice, frozen=True, tag="mark"):
    """You are at `id` now, and there is nothing to show."""

    id: str


class Retry(Notice, frozen=True, tag="retry"):
    """Come back in `wait` seconds."""

    wait: float


class Outcome(Notice, frozen=True, tag="outcome", kw_only=True):
    """What became of a message: its effect, or its place in the inbox while that is to come."""

    key: str | None
    outcome: Literal["done", "accepted"]
    cursor: str | msgspec.UnsetType = msgspec.UNSET
    event: e.KNOWN | msgspec.UnsetType = msgspec.UNSET
    position: int | msgspec.UnsetType = msgspec.UNSET
    stream: str | msgspec.UnsetType = msgspec.UNSET
    invocation: str | msgspec.UnsetType = msgspec.UNSET


class Replaying(Notice, frozen=True, tag="replay"):
    """How a replay goes on from `after`."""

    speed: float
    paused: bool
    after: str


class Beat(Notice, frozen=True, tag="hb"):
    """A heartbeat of a socket that has many streams."""


class Over(Notice, frozen=True, tag="end"):
    """You had all of `stream` already."""

    stream: str
    cursor: str


class SourceEnded(Notice, frozen=True, tag="source.ended"):
    """One of several sources has nothing more to say, or was deleted."""

    source: str
    cursor: str
    reason: str


SOCKET = notices.ANY | Mark | Retry | Outcome | Trouble
"""What a WebSocket says beside entries."""
STRANDS = invocation.KNOWN | invocation.Step | Outcome | Trouble | Beat | Over | Retry
"""What a WebSocket says that carries many invocations."""
LINES = notices.ANY | Mark | Retry
"""What a response in lines says beside entries."""
