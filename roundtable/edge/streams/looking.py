"""How somebody wants to see a stream, by query: which entries, what added, how fast, in which form.

Who asks for the same sees the same view, however he wrote it down, so a thousand of them cost one encoding.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from protocol.errors import Invalid
from roundtable.edge.operations import queried
from roundtable.edge.parameters import CURSOR, Text
from roundtable.fanout.combining import MAX_SOURCES
from roundtable.fanout.framing import View
from roundtable.fanout.stages import Extra, Stages, admitting
from roundtable.fanout.transform import Pacer

# Longer than this a viewer would think that nothing happens. Seconds.
LONGEST_HOLD = 5.0
# From one in ten seconds to more than any model says.
SLOWEST, FASTEST = 0.1, 100_000.0
# Patterns of one filter, and characters of one: as many as sit at a table, and their longest name.
MAX_PATTERNS, MAX_PATTERN = 32, 80
# Entries of a document.
MAX_LIMIT = 1_000
_EXTRAS: tuple[Extra, ...] = ("cost", "elapsed", "names")
_TYPE = re.compile(r"[A-Za-z0-9_.:/*-]+", re.ASCII)  # as an application may post them


def _only(pattern: str) -> msgspec.Meta:
    """For the schema only: what is wrong is told in words of our own."""
    return msgspec.Meta(extra_json_schema={"pattern": pattern})


L = TypeVar("L", bound="Look")
# One, or several with commas.
Types = Annotated[str, _only(rf"^({_TYPE.pattern}|,)*$")]
Panelists = Annotated[str, msgspec.Meta(description="One, or several with commas; `*` is any letters.")]
Extras = Annotated[str, _only(rf"^({'|'.join(_EXTRAS)}|,)*$")]
Pace = Annotated[float, msgspec.Meta(ge=SLOWEST, le=FASTEST)]


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query. Lists may be repeated or have commas.

    `types` and `panelists`: what is shown, `*` for any letters. `enrich`: `names`, `elapsed`, `cost`. `coalesce`:
    seconds in which words of one speaker go together. `limit`: entries of a `json` document.
    """

    types: list[Types] = []
    panelists: list[Panelists] = []
    enrich: list[Extras] = []
    coalesce: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_HOLD)] = 0.0
    events_per_second: Pace | None = None
    tokens_per_second: Pace | None = None
    format: Literal["sse", "ndjson", "json"] = "sse"
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] | None = None


class LookAtOne(Look, frozen=True, forbid_unknown_fields=True):
    """The query of one stream."""

    after: Text = ""


class LookAtSeveral(Look, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The query of a combined stream: `of` names its sources, `type/id` each."""

    of: Annotated[
        list[Annotated[str, _only("^[^/]+/.+$")]],
        msgspec.Meta(extra_json_schema={"minItems": 1, "maxItems": MAX_SOURCES, "uniqueItems": True}),
    ]
    after: Annotated[str, _only(f"^(now|{CURSOR}(,{CURSOR})*)?$")] = ""


class LastEventIds(msgspec.Struct, frozen=True, rename={"last_event_id": "Last-Event-ID"}):
    """Where an EventSource of several streams comes back to: a cursor of each."""

    last_event_id: Annotated[str, _only(f"^({CURSOR}(,{CURSOR})*)?$")] = ""


def looked(request: web.Request, kind: type[L]) -> L:
    """The request's query. Raises `Invalid` naming the parameter, also one that there is not: a filter that is mistyped
    would show everything."""
    _check_names(request, kind)
    look = queried(request, kind)
    _check("format", not (look.format == "json" and (look.events_per_second or look.tokens_per_second)),
           "A document has no pace.")  # fmt: skip
    _check(
        "limit", look.limit is None or look.format == "json", "limit is for format=json; a stream has none."
    )
    for name in ("types", "panelists"):
        given = listed(getattr(look, name))
        _check(name, len(given) <= MAX_PATTERNS, f"{name} takes {MAX_PATTERNS} patterns at the most.")
        _check(name, all(len(each) <= MAX_PATTERN for each in given),
               f"A pattern has at most {MAX_PATTERN} characters.")  # fmt: skip
    _check("types", all(map(_TYPE.fullmatch, listed(look.types))),
           "types are like turn.delta, or turn.* for all that begin like this.")  # fmt: skip
    _check("enrich", set(listed(look.enrich)) <= set(_EXTRAS), "enrich takes cost, elapsed and names.")
    return look


def viewed(base: View, look: Look) -> View:
    """The view of `base` that was asked for; `base` itself when nothing was."""
    types, panelists = listed(look.types), listed(look.panelists)
    if "*" in types:
        types = []
    asked = set(listed(look.enrich))
    extras = tuple(extra for extra in _EXTRAS if extra in asked)
    hold = round(look.coalesce, 3)
    if not (types or panelists or extras or hold):
        return base
    admits = admitting(types, panelists) if types or panelists else None
    told = {"types": types, "panelists": panelists, "enrich": extras, "coalesce": hold}
    name = f"{base.name}?{urlencode(told, doseq=True)}"
    return base._replace(name=name, farewell=True, stages=Stages(admits, hold, extras))


def pacer(look: Look) -> Pacer | None:
    """The pace that was asked for."""
    if look.events_per_second is None and look.tokens_per_second is None:
        return None
    return Pacer(events=look.events_per_second, tokens=look.tokens_per_second)


def listed(values: list[str]) -> list[str]:
    """What a list holds, each once and in order of the alphabet."""
    return sorted({each for value in values for each in value.split(",") if each})


def _check_names(request: web.Request, kind: type[Look]) -> None:
    fields = msgspec.structs.fields(kind)
    for name in request.query:
        known = any(name == field.encode_name for field in fields)
        _check(name[:40], known, _unknown(name[:40], fields))
    for field in fields:
        there = not field.required or field.encode_name in request.query
        _check(field.encode_name, there, f"{field.encode_name} is missing.")


def _unknown(name: str, fields: Sequence[msgspec.structs.FieldInfo]) -> str:
    known = [field.encode_name for field in fields]
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}."
    return f"There is no parameter {name!r} here; {hint}"


def _check(field: str, is_right: bool, detail: str) -> None:
    if not is_right:
        raise Invalid(detail, field=field)
