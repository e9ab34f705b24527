"""What can be asked of which address: one table, and its reading. No I/O.

address              type                payload
tool/NAME            run, or invoke      the tool's arguments
panelist/MODEL       complete, or invoke {"prompt"} or {"messages"}, and what else `complete` takes
roundtable/ID        follow              {"after"}
                     say                 {"text", "to"?, "author"?}
thread/ID            follow, say         likewise
invocation/ID        follow              {"after"}
turn/..., system/..., platform/...
                     follow              {"after"}
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid
from roundtable.sdk import bodies

Verb = Literal["invoke", "follow", "say"]
_T = TypeVar("_T")

TYPES: Mapping[str, Mapping[str, Verb]] = {
    "tool": {"run": "invoke", "invoke": "invoke"},  # the second as the server calls it
    "panelist": {"complete": "invoke", "invoke": "invoke"},
    "roundtable": {"follow": "follow", "say": "say"},
    "thread": {"follow": "follow", "say": "say"},
    "invocation": {"follow": "follow"},
    "turn": {"follow": "follow"},
    "system": {"follow": "follow"},
    "platform": {"follow": "follow"},
}
"""By kind of address: the types that can be asked of it, and what each of them is."""


class CannotStream(Invalid):
    """The address cannot stream, or not what was asked of it; the sentence says what can."""

    code = "cannot_stream"


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of `say`."""

    text: str
    to: str = ""
    author: str = ""


class _Followed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    after: str = ""


class Asked(NamedTuple):
    """What is asked: of an address (`kind`, `id`), as its `payload` says."""

    verb: Verb
    kind: str
    id: str
    payload: Mapping[str, Any]

    @property
    def address(self) -> str:
        """As it was given."""
        return f"{self.kind}/{self.id}"


def read(address: str, type: str, payload: Mapping[str, Any] | None = None) -> Asked:
    """Raises `CannotStream`, naming `address` or `type`, and `Invalid`."""
    kind, _, id = address.partition("/")
    types = TYPES.get(kind)
    if types is None or not id:
        kinds = ", ".join(f"{kind}/..." for kind in TYPES)
        raise CannotStream(f"{address[:60]!r} cannot stream; there is {kinds}.", field="address")
    if type not in types:
        can = " or ".join(map(repr, types))
        raise CannotStream(f"{address[:60]!r} cannot stream {type[:40]!r}; ask it {can}.", field="type")
    bodies.check(payload or {}, "payload")
    return Asked(types[type], kind, id, payload or {})


def said(payload: Mapping[str, Any]) -> Said:
    """What a `say` says. Raises `Invalid` naming the member."""
    return _convert(payload, Said)


def after(payload: Mapping[str, Any]) -> Cursor | None:
    """Where a `follow` begins: after a cursor, from the start (nothing), or `now` (None). Raises `Invalid`."""
    text = _convert({key: str(value) for key, value in payload.items()}, _Followed).after
    if text == "now":
        return None
    return Cursor.parse(text, field="payload.after") if text else ZERO


def _convert(payload: Mapping[str, Any], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(dict(payload), kind)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `")
        raise Invalid(f"{detail}.", field="payload" + path.rstrip("`").removeprefix("$")) from error
