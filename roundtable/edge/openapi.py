"""`GET /openapi.json`: what this server answers, as OpenAPI 3.1, made from its routes and what is said beside their
handlers. Client generators and testers read the same document.

An event stream's schema is of each of its events, as `itemSchema` is in OpenAPI 3.2.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from itertools import zip_longest
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from aiohttp import hdrs, web

from protocol import codec
from roundtable.edge import schemas
from roundtable.edge.auth import COOKIE, PUBLIC
from roundtable.edge.operations import Answer, Operation, operation
from roundtable.edge.parameters import ByThread
from roundtable.edge.problems import Problem
from roundtable.edge.schemas import Schema

EVENT_STREAM, JSON, PROBLEM = "text/event-stream", "application/json", "application/problem+json"
LINES = "application/x-ndjson"
_ABOUT = (
    "Everything at a table is an entry in one durable, ordered log, and what is shown is a cursor in it: an event's "
    "`id`, the header `Last-Event-ID` and the parameter `after` are the same text. A message on a WebSocket is the "
    "`data` of an event with its `id` put first; what the data itself calls `id` is `own_id` there. As OpenAPI cannot "
    "describe one, what a socket says and hears stands beside its 101 as `x-messages`. So does each line of "
    "`application/x-ndjson`, as `x-line`."
)
# What any request may be told (auth.py, limits.py), and what only some methods; 404 where the path names something.
_ANY = (400, 421, 503)
_BODY = (403, 408, 413, 415, 429)
_BY_METHOD: Mapping[str, tuple[int, ...]] = {"POST": _BODY, "PUT": _BODY, "DELETE": (403, 429)}
_WAITS = frozenset({429, 503})
# At the beginning of a docstring it repeats what the document's own path says; what is raised is for programmers.
_ADDRESS = re.compile(r"`[A-Z]+ [^`]+`:\s*")
_RAISES = re.compile(r"\bRaises\b")
_PARAMETER = re.compile(r"\{(\w+)\}")
# A thread is a table with addresses of its own; what both answer is described there as a thread's.
_THREADS = "/v1/threads/"

SchemaOf = Callable[[Any], Schema]


class Route(NamedTuple):
    """An address, a method, and the handler's `id` (its module and name), docstring and operation, if it says one."""

    path: str
    method: str
    id: str
    doc: str
    said: Operation | None


class OpenApi:
    """The handler; the document is made at the first request, when every route is known."""

    def __init__(self, *, secured: bool) -> None:
        self._secured, self._made = secured, b""

    @operation(tag="server", answers={200: dict[str, Any]})
    async def document(self, request: web.Request) -> web.Response:
        """`GET /openapi.json`: this document."""
        self._made = self._made or codec.encode(document(request.app, secured=self._secured))
        return web.Response(body=self._made, content_type=JSON, headers={hdrs.CACHE_CONTROL: "no-cache"})


def routes(app: web.Application) -> list[Route]:
    """Every address and method of the application; HEAD is GET's."""
    found: dict[str, Route] = {}
    for resource in app.router.resources():
        for route in resource:
            if route.method == hdrs.METH_HEAD:
                continue
            handler, path = route.handler, resource.canonical
            id = f"{handler.__module__.rpartition('.')[2]}_{handler.__name__}"
            if id in found:  # one handler at two addresses
                id += re.sub(r"\W+", "_", path).rstrip("_")
            said = getattr(handler, "__operation__", None)
            if said and path.startswith(_THREADS):
                said = msgspec.structs.replace(said, tag="threads", path=ByThread)
            found[id] = Route(path, route.method, id, inspect.getdoc(handler) or "", said)
    return list(found.values())


def document(app: web.Application, *, secured: bool) -> dict[str, Any]:
    """The document of these routes; one that says no operation is left out. `secured`: the server has a secret."""
    said = [route for route in routes(app) if route.said]
    # Twice: msgspec must know all types before it names any, as two of the same name get longer ones.
    types: list[Any] = [Problem]

    def ask(kind: Any) -> Schema:
        types.append(kind)
        return {}

    _paths(said, ask, secured=secured)
    found, components = schemas.described(types)
    next(found)  # the problem's
    paths = _paths(said, lambda _: next(found), secured=secured)
    whole: dict[str, Any] = schemas.tidied(
        {
            "openapi": "3.1.0",
            "info": {"title": "Roundtable", "version": version("roundtable"), "description": _ABOUT},
            "paths": paths,
            "components": {
                "schemas": components,
                "responses": {_name(status): _problem(status) for status in HTTPStatus if status >= 400},
                "securitySchemes": {
                    "secret": {"type": "http", "scheme": "bearer", "description": "The server's secret."},
                    "session": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": COOKIE,
                        "description": "Given for the secret.",
                    },
                },
            },
            "tags": [{"name": tag} for tag in dict.fromkeys(route.said.tag for route in said if route.said)],
        }
    )
    return whole


def _paths(said: Sequence[Route], schema: SchemaOf, *, secured: bool) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for route in said:
        assert route.said
        paths.setdefault(route.path, {})[route.method.lower()] = {
            "operationId": route.id,
            "tags": [route.said.tag],
            **_prose(route.doc),
            "parameters": list(_parameters(route, route.said, schema)),
            **_body(route.said, schema),
            "responses": {
                **_answers(said, route, route.said, schema),
                **_errors(route, route.said, schema, secured=secured),
            },
            **({"security": _security(route)} if secured else {}),
        }
    return paths


def _prose(doc: str) -> dict[str, str]:
    text = _ADDRESS.sub("", _RAISES.split(" ".join(doc.split()))[0]).strip()
    if not text:
        return {}
    text = text[0].upper() + text[1:]
    return {"summary": re.split(r"[.;:](?:\s|$)", text)[0], "description": text}


def _parameters(route: Route, said: Operation, schema: SchemaOf) -> Iterator[dict[str, Any]]:
    described = {field.encode_name: field for field in msgspec.structs.fields(said.path)} if said.path else {}
    for name in _PARAMETER.findall(route.path):
        kind = described[name].type if name in described else str
        yield {"name": name, "in": "path", "required": True, "schema": schema(kind)}
    if said.query:
        yield from _fields(said.query, "query", schema)
    if isinstance(said.headers, type):
        yield from _fields(said.headers, "header", schema)
    else:
        for name, why in said.headers.items():
            yield {"name": str(name), "in": "header", "description": why, "schema": {"type": "string"}}


def _fields(kind: type[msgspec.Struct], place: str, schema: SchemaOf) -> Iterator[dict[str, Any]]:
    for field in msgspec.structs.fields(kind):
        found = schema(field.type)
        if field.default not in (msgspec.NODEFAULT, msgspec.UNSET, None, ""):
            found = {**found, "default": msgspec.to_builtins(field.default)}
        yield {"name": field.encode_name, "in": place, "required": field.required, "schema": found}


def _body(said: Operation, schema: SchemaOf) -> dict[str, Any]:
    if said.body is None:
        return {}
    content: dict[str, Any] = {"schema": schema(said.body)}
    if said.examples:
        content["examples"] = {name: {"value": value} for name, value in said.examples.items()}
    return {"requestBody": {"required": True, "content": {JSON: content}}}


def _answers(all_: Sequence[Route], route: Route, said: Operation, schema: SchemaOf) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, given in said.answers.items():
        answer = _answer(status, given)
        written = answers[str(status)] = {
            "description": answer.about or HTTPStatus(status).phrase,
            "headers": {
                str(name): {"description": why, "schema": {"type": "string"}}
                for name, why in answer.headers.items()
            },
            "content": {
                media: {"schema": _content(media, kind, schema)} for media, kind in answer.content.items()
            },
        }
        if answer.heard or answer.said:
            messages = {"said": answer.said, "heard": answer.heard}
            written["x-messages"] = {side: _any_of(kind, schema) for side, kind in messages.items() if kind}
        if answer.content.keys() == {JSON} and (links := dict(_links(all_, route, said.leads))):
            written["links"] = links
    return answers


def _answer(status: int, given: Any) -> Answer:
    match given:
        case Answer():
            return given
        case None:
            return Answer()
        case str():
            return Answer({given: None})
        case _:
            return Answer({PROBLEM if given is Problem else JSON: given})


def _content(media: str, kind: Any, schema: SchemaOf) -> Schema:
    if kind is None:
        return {"type": "string"}
    if media == LINES:
        return {"type": "string", "x-line": _any_of(kind, schema)}
    if media != EVENT_STREAM:
        return schema(kind)
    # A form of another house's has events without a name, and a text that says it is done.
    texts = [each for each in get_args(kind) if get_origin(each) is Literal]
    events = [each for each in get_args(kind) or (kind,) if each not in texts]
    data = {"contentMediaType": JSON, "contentSchema": {"anyOf": [schema(each) for each in events]}}
    named = all(
        "type" in (each.__struct_config__.tag_field, *each.__struct_encode_fields__) for each in events
    )
    return {
        "description": "Each event of the stream.",
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"type": "string"},
            "data": {"type": "string", "anyOf": [*map(schema, texts), data]}
            if texts
            else {"type": "string", **data},
        },
        "required": ["event", "data"] if named else ["data"],
    }


def _any_of(kinds: Any, schema: SchemaOf) -> Schema:
    return {"anyOf": [schema(kind) for kind in get_args(kinds) or (kinds,)]}


def _links(
    all_: Sequence[Route], own: Route, leads: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """To everything that can be done at the addresses that `leads` names, and below them."""
    for route in all_:
        for address, expression in leads.items():
            parameters = _standing(route.path, address, expression)
            if parameters and route.id != own.id:
                yield route.id, {"operationId": route.id, "parameters": parameters}


def _standing(path: str, address: str, expression: str) -> dict[str, str]:
    """What stands in a route's path where it begins as `address` does, in whose parameter `expression` stands; nothing
    where it does not, or has other parameters."""
    segments, known = path.split("/"), address.split("/")
    parameters: dict[str, str] = {}
    for segment, told in zip_longest(segments, known):
        name = _PARAMETER.fullmatch(segment or "")
        if name and told:
            parameters[name[1]] = expression if _PARAMETER.fullmatch(told) else told
        elif segment is None or name or (told and segment != told):
            return {}
    return parameters


def _errors(route: Route, said: Operation, schema: SchemaOf, *, secured: bool) -> dict[str, Any]:
    statuses = {*_ANY, *_BY_METHOD.get(route.method, ()), *said.errors} - set(said.answers)
    statuses |= {404} if _PARAMETER.search(route.path) else set()
    statuses |= {401, 429} if secured and route.path not in PUBLIC else set()
    if said.failure is None:
        return {
            str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)
        }
    failure = {JSON: {"schema": schema(said.failure)}}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": failure}
        for status in sorted(statuses)
    }


def _security(route: Route) -> list[dict[str, list[str]]]:
    return [] if route.path in PUBLIC else [{"secret": []}, {"session": []}]


def _name(status: int) -> str:
    return re.sub(r"\W", "", HTTPStatus(status).phrase)


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM: {"schema": {"$ref": f"{schemas.WHERE}Problem"}}},
        "headers": {
            "Retry-After": {"description": "Seconds until a retry can help.", "schema": {"type": "integer"}}
        }
        if status in _WAITS
        else {},
    }
