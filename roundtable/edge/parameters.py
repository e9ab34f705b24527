"""What stands in addresses and headers, in one place: ids, cursors, keys, and how they look."""

import re
import secrets
from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web

from protocol.asked import Name
from protocol.errors import Invalid

# Characters of an idempotency key: a UUID is 36.
MAX_KEY = 200
# One page of a list; a person sees some twenty at a time.
MAX_LIMIT = 100
# As `convening.new_id` makes them; anything else is an id that nothing has.
_ID = "[0-9a-hjkmnp-tv-z]{16}(-off-record)?"
Id = Annotated[
    str,
    msgspec.Meta(
        description="Sixteen letters and digits, as they were given.",
        extra_json_schema={"pattern": f"^{_ID}$"},
    ),
]
ThreadId = Annotated[
    str,
    msgspec.Meta(
        description="`thread-` and sixteen letters and digits, as they were given.",
        extra_json_schema={"pattern": f"^thread-{_ID}$"},
    ),
]
CURSOR = r"(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})(\.[1-9][0-9]{0,4})?"
Text = Annotated[
    str,
    msgspec.Meta(
        description="A cursor: the `id` of the last event you have; `now` for the tail.",
        examples=["1763675000123-42"],
        extra_json_schema={"pattern": f"^(now|{CURSOR})?$"},
    ),
]
Header = Annotated[
    str,
    msgspec.Meta(
        description="A cursor; wins over `after`, which an EventSource repeats when it is stale.",
        examples=["1763675000123-42"],
        extra_json_schema={"pattern": f"^({CURSOR})?$"},
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


class ByThread(msgspec.Struct, frozen=True):
    """One thread."""

    id: ThreadId


class After(msgspec.Struct, frozen=True):
    """Where a stream begins: left out, at its start."""

    after: Text = ""


class Attending(After, frozen=True, rename={"as_": "as"}):
    """The same of a table or thread; `as` is the name under which others are told that you read along."""

    as_: Name | msgspec.UnsetType = msgspec.UNSET


class LastEventId(msgspec.Struct, frozen=True, rename={"last_event_id": "Last-Event-ID"}):
    """Where an EventSource comes back to."""

    last_event_id: Header = ""


class MayBeKeyed(msgspec.Struct, frozen=True, rename={"key": "Idempotency-Key"}):
    """The same, where a key is made up for who gives none."""

    key: Key = ""


class Keyed(msgspec.Struct, frozen=True, rename={"key": "Idempotency-Key"}):
    """What makes a repeated command have no second effect."""

    key: Key


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a list; `before` is the `next` of the page before it."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] = 20
    before: Annotated[str, msgspec.Meta(description="The `next` of the page before.")] = ""


_HEADER = "Idempotency-Key"
_KEY = re.compile(rf"[\x20-\x7e]{{1,{MAX_KEY}}}", re.ASCII)


def key_of(request: web.Request, *, made_up: bool = False) -> str:
    """The key that a request carries; without one `made_up`, if it may be. Raises `Invalid`."""
    given = request.headers.getall(_HEADER, [])
    return idempotency_key(given, _HEADER) if given or not made_up else secrets.token_hex(16)


def idempotency_key(given: Sequence[str], field: str) -> str:
    """The one key in `given`; raises `Invalid`, naming `field`."""
    if len(given) != 1 or not _KEY.fullmatch(given[0]):
        raise Invalid(
            f"A command needs one {field} of 1 to {MAX_KEY} printable ASCII characters: send the same one when you "
            "repeat the command, a new one otherwise.",
            field=field,
        )
    return given[0]
