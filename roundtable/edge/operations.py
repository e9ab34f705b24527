"""What a handler takes and gives, said beside it: `/openapi.json` is made from this and from the docstring.

@operation(tag="tables", query=Page, answers={200: Listing})
async def list(self, request): ...
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from protocol.errors import Invalid

_LISTS = (msgspec.inspect.VarTupleType, msgspec.inspect.ListType)
H = TypeVar("H", bound=Callable[..., Any])
Q = TypeVar("Q", bound=msgspec.Struct)


class Operation(msgspec.Struct, frozen=True):
    """`body` and `query` are the Structs that are decoded; `answers` gives, by status, a Struct or a media type's name
    (`text/event-stream`), or None for an answer without a body. `headers` names those it reads, and why."""

    tag: str
    answers: Mapping[int, Any]
    body: Any = None
    query: type[msgspec.Struct] | None = None
    headers: Mapping[str, str] = {}


def operation(
    *,
    tag: str,
    answers: Mapping[int, Any],
    body: Any = None,
    query: type[msgspec.Struct] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Callable[[H], H]:
    """Say what a handler takes and gives."""

    def said(handler: H) -> H:
        handler.__operation__ = Operation(tag, answers, body, query, headers or {})  # type: ignore[attr-defined]
        return handler

    return said


def queried(request: web.Request, kind: type[Q]) -> Q:
    """The request's query as a Struct. Raises `Invalid` naming the parameter."""
    given: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        values = request.query.getall(field.encode_name, [])
        if not values:
            continue
        is_list = isinstance(msgspec.inspect.type_info(field.type), _LISTS)
        if len(values) > 1 and not is_list:
            raise Invalid(
                f"{field.encode_name} is given {len(values)} times; once is enough.", field=field.encode_name
            )
        given[field.encode_name] = values if is_list else values[0]
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        detail, _, place = str(error).partition(" - at `")
        raise Invalid(f"{detail}.", field=place.rstrip("`").removeprefix("$.")) from error
