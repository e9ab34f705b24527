"""What stands in addresses and headers, in one place: ids, cursors, keys, and how they look."""

from typing import Annotated

import msgspec

# Characters of an idempotency key: a UUID is 36.
MAX_KEY = 200
# As `convening.new_id` makes them; anything else is an id that nothing has.
Id = Annotated[
    str,
    msgspec.Meta(
        description="Sixteen letters and digits, as they were given.",
        extra_json_schema={"pattern": "^(thread-)?[0-9a-hjkmnp-tv-z]{16}(-off-record)?$"},
    ),
]
_CURSOR = r"(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})(\.[1-9][0-9]{0,4})?"
Text = Annotated[
    str,
    msgspec.Meta(
        description="A cursor: the `id` of the last event you have; `now` for the tail.",
        examples=["1763675000123-42"],
        extra_json_schema={"pattern": f"^(now|{_CURSOR})?$"},
    ),
]
Header = Annotated[
    str,
    msgspec.Meta(
        description="A cursor; wins over `after`, which an EventSource repeats when it is stale.",
        examples=["1763675000123-42"],
        extra_json_schema={"pattern": f"^({_CURSOR})?$"},
    ),
]
Key = Annotated[
    str,
    msgspec.Meta(
        description="Send the same one when you repeat the command, a new one otherwise.",
        examples=["7d1c0a52"],
        extra_json_schema={"pattern": f"^[ -~]{{1,{MAX_KEY}}}$"},
    ),
]


class ById(msgspec.Struct, frozen=True):
    """One table, one invocation."""

    id: Id


class After(msgspec.Struct, frozen=True):
    """Where a stream begins: left out, at its start."""

    after: Text = ""


class LastEventId(msgspec.Struct, frozen=True, rename={"last_event_id": "Last-Event-ID"}):
    """Where an EventSource comes back to."""

    last_event_id: Header = ""


class MayBeKeyed(msgspec.Struct, frozen=True, rename={"key": "Idempotency-Key"}):
    """The same, where a key is made up for who gives none."""

    key: Key = ""


class Keyed(msgspec.Struct, frozen=True, rename={"key": "Idempotency-Key"}):
    """What makes a repeated command have no second effect."""

    key: Key
