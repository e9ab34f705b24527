"""What is shown of panels and prompts: values that a client reads without importing what makes them."""

from typing import Any, Literal

import msgspec

from protocol.events import Then
from protocol.messages import Failure, Limits, Message, Panelist, Until


class Kept(msgspec.Struct, frozen=True):
    """A panel by its name. `verdict` and `until` null: as the policy has it."""

    name: str
    source: Literal["saved", "config"]
    panel: list[Panelist]
    policy: str
    limits: Limits
    then: Then = "close"
    verdict: bool | None = None
    until: Until | None = None


class Attempt(msgspec.Struct, frozen=True):
    """One time that a model was asked; `error` is how the attempt before it failed."""

    attempt: int
    model: str
    error: Failure | None = None


class Lens(msgspec.Struct, frozen=True):
    """What a turn's model was sent. All attempts were sent the same.

    `room`, `length` (characters) and `most` (tokens she might say, 0 without a limit) are what was logged. `matches` is
    whether the prompt shown here has the digest of the one that was sent; one that never was has none.
    """

    turn: str
    panelist: str
    kind: str
    model: str
    attempts: list[Attempt]
    system: str
    messages: tuple[Message, ...]
    options: dict[str, Any]
    most: int
    room: int
    length: int
    digest: str
    computed: str
    matches: bool
