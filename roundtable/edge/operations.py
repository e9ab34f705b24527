"""What a handler takes and gives, said beside it: `/openapi.json` is made from this and from the docstring.

@operation(tag="tables", path=OfTable, query=Page, answers={200: Listing}, errors=(409,))
async def list(self, request): ...
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from aiohttp import web

from protocol.errors import Invalid

_LISTS = (msgspec.inspect.VarTupleType, msgspec.inspect.ListType)
H = TypeVar("H", bound=Callable[..., Any])
Q = TypeVar("Q", bound=msgspec.Struct)


class Answer(msgspec.Struct, frozen=True):
    """An answer in full. `content` gives, by media type, the Struct that is written (of an event stream, or of lines,
    the union of what each may be) or None for text and bytes; `headers` those that come with it, and why. Of a 101,
    `said` and `heard` are the messages of the WebSocket it opens."""

    content: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}
    about: str = ""
    said: Any = None
    heard: Any = None


class Operation(msgspec.Struct, frozen=True):
    """`body`, `path` and `query` are the Structs that are decoded (a path's only describes); `headers` names those that
    are read, and why, or is a Struct likewise. `answers` gives, by status, a Struct, a media type's name
    (`text/event-stream`), an `Answer`, or None for one without a body.

    Errors that any request can meet are known (`openapi.py`); `errors` are the statuses of its own. Their body is
    `failure` in JSON where that is given, else a problem document. `leads` are the addresses that an answer leads to,
    each with the expression of what stands in it (OpenAPI 3.1, 4.8.20.4). `examples` are bodies by name, each of which
    must be taken.
    """

    tag: str
    answers: Mapping[int, Any]
    body: Any = None
    query: type[msgspec.Struct] | None = None
    headers: Mapping[str, str] | type[msgspec.Struct] = {}
    path: type[msgspec.Struct] | None = None
    errors: tuple[int, ...] = ()
    failure: Any = None
    leads: Mapping[str, str] = {}
    examples: Mapping[str, Any] = {}


def operation(
    *,
    tag: str,
    answers: Mapping[int, Any],
    body: Any = None,
    query: type[msgspec.Struct] | None = None,
    headers: Mapping[str, str] | type[msgspec.Struct] | None = None,
    path: type[msgspec.Struct] | None = None,
    errors: tuple[int, ...] = (),
    failure: Any = None,
    leads: Mapping[str, str] | None = None,
    examples: Mapping[str, Any] | None = None,
) -> Callable[[H], H]:
    """Say what a handler takes and gives."""

    def said(handler: H) -> H:
        handler.__operation__ = Operation(  # type: ignore[attr-defined]
            tag, answers, body, query, headers or {}, path, errors, failure, leads or {}, examples or {}
        )
        return handler

    return said


def queried(request: web.Request, kind: type[Q]) -> Q:
    """The request's query as a Struct. Raises `Invalid` naming the parameter."""
    given: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name, values = field.encode_name, request.query.getall(field.encode_name, [])
        if not values:
            continue
        is_list = isinstance(_bare(field.type), _LISTS)
        if len(values) > 1 and not is_list:
            raise Invalid(f"{name} is given {len(values)} times; once is enough.", field=name)
        given[name] = values if is_list else values[0]
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _misgiven(error, kind) from error


def _misgiven(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> Invalid:
    detail, _, place = str(error).partition(" - at `")
    field = place.rstrip("`").removeprefix("$.")
    types = {each.encode_name: each.type for each in msgspec.structs.fields(kind)}
    wanted = _wanted(types[field]) if field in types else ""
    return Invalid(f"{field} is {wanted}." if wanted else f"{detail}.", field=field)


def _bare(kind: Any) -> msgspec.inspect.Type:
    """The type without what is only said of it in the schema."""
    info = msgspec.inspect.type_info(kind)
    return info.type if isinstance(info, msgspec.inspect.Metadata) else info


def _wanted(kind: Any) -> str:
    """What a parameter should be, in words; nothing where msgspec's own are as good."""
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    match info := _bare(kind):
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            bounds = [(info.ge, "from"), (info.gt, "above"), (info.le, "to"), (info.lt, "below")]
            kind = "a whole number" if isinstance(info, msgspec.inspect.IntType) else "a number"
            return " ".join([kind, *(f"{word} {bound:g}" for bound, word in bounds if bound is not None)])
        case _:
            return ""
