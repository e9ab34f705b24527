"""The served document: whole, valid, and strict in the same places as the server. `tests/conformance` asks the rest."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from jsonschema import Draft202012Validator

from protocol import codec
from protocol.errors import Invalid
from roundtable.config import Config
from roundtable.edge import app, openapi, parameters
from roundtable.edge.auth import COOKIE, PUBLIC
from roundtable.edge.openai.errors import ErrorBody, speaks
from roundtable.edge.operations import Answer, operation, queried
from roundtable.hosting.convening import new_id
from tests.serving import QUICK, TABLES, Client, Connect, convene, frames, serve

APP = app.build(Config())
DOCUMENT = openapi.document(APP, secured=False)
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, said) for path, methods in DOCUMENT["paths"].items() for method, said in methods.items()
]


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


def valid(schema: dict[str, Any], value: Any) -> bool:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]}).is_valid(value)


def test_every_route_says_what_it_takes_and_gives() -> None:
    assert [(route.method, route.path) for route in openapi.routes(APP) if route.said is None] == []
    assert {(method.upper(), path) for method, path, _ in OPERATIONS} == {
        (route.method, route.path) for route in openapi.routes(APP)
    }


def test_every_operation_can_be_told_from_the_others_and_says_what_it_is_for() -> None:
    ids = [said["operationId"] for _, _, said in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", each) for each in ids)
    assert [said["operationId"] for _, _, said in OPERATIONS if not said.get("summary")] == []
    assert not any("Raises" in said["description"] for _, _, said in OPERATIONS)


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    text = codec.encode(DOCUMENT).decode()
    for kind, name in re.findall(r'"\$ref":"#/components/(\w+)/([^"]+)"', text):
        assert name in DOCUMENT["components"][kind]
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_errors_are_described_as_they_are_told() -> None:
    for route in openapi.routes(APP):
        assert route.said
        assert (route.said.failure is ErrorBody) == speaks(route.path), route.path


def test_every_parameter_of_a_path_is_described() -> None:
    for _, path, said in OPERATIONS:
        given = [each["name"] for each in said["parameters"] if each["in"] == "path"]
        assert given == re.findall(r"\{(\w+)\}", path)


def test_nothing_is_only_said_to_be_a_text() -> None:
    vague = [
        (said["operationId"], each["name"])
        for _, _, said in OPERATIONS
        for each in said["parameters"]
        if {**each["schema"], **each}.keys() <= {"name", "in", "required", "schema", "type", "default"}
        and each["schema"]["type"] != "boolean"
    ]
    assert vague == []


def test_every_answer_is_described() -> None:
    for _, _, said in OPERATIONS:
        for status, given in said["responses"].items():
            place, answer = (said["operationId"], status), given
            if "$ref" in given:
                answer = DOCUMENT["components"]["responses"][given["$ref"].rpartition("/")[2]]
            if status == "101":
                assert answer["x-messages"]["said"]["anyOf"], place
            assert bool(answer.get("content")) == (status not in ("101", "204", "304")), place
            for media, content in answer.get("content", {}).items():
                assert told(media, content["schema"]), (*place, media)


def content_of(stream: dict[str, Any]) -> dict[str, Any]:
    """The schema of an event's data."""
    data = stream["properties"]["data"]
    (described,) = [each for each in (*data.get("anyOf", ()), data) if "contentSchema" in each]
    return dict(described["contentSchema"])


def told(media: str, schema: dict[str, Any]) -> bool:
    """Whether the schema says more of what is for programs than that it is one."""
    if media == "text/event-stream":
        return bool(content_of(schema)["anyOf"])
    if media == "application/x-ndjson":
        return bool(schema["x-line"]["anyOf"])
    if media.endswith("json"):
        return bool(schema.keys() & {"$ref", "anyOf", "properties", "type"})
    return schema == {"type": "string"}


def test_every_body_is_described_and_has_an_example() -> None:
    for method, path, said in OPERATIONS:
        body = said.get("requestBody", {}).get("content", {}).get("application/json", {})
        assert bool(body) == (method in ("post", "put"))
        if body:
            assert body["schema"].keys() & {"$ref", "anyOf"}
            assert body.get("examples") or path == "/v1/session", path  # whose example would be a secret


async def test_every_example_is_taken(client: Client) -> None:
    """Those that name nothing which must be there first; a model of this machine need not be here."""
    for method, path, said in OPERATIONS:
        content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            if path != "/generate/stream" and "{id}" not in path.replace("platform/{id}", ""):
                answer = await client.request(
                    method, path.replace("{id}", "ci").replace("{name}", "ci"), json=example["value"]
                )
                assert answer.status in (200, 201, 202), (path, await answer.text())
                answer.close()


def test_links_lead_from_what_is_made_to_all_that_can_be_done_with_it() -> None:
    links = DOCUMENT["paths"][TABLES]["post"]["responses"]["201"]["links"]
    assert {"tables_read", "tables_delete", "tables_command", "sse_events", "export_export"} <= set(links)
    assert links["tables_read"]["parameters"] == {"id": "$response.body#/id"}


def test_every_example_of_a_body_is_valid() -> None:
    for _, _, said in OPERATIONS:
        content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            assert valid(content["schema"], example["value"])


def test_ids_and_cursors_are_described_as_they_are_made() -> None:
    (described,) = msgspec.json.schema_components([parameters.Id], ref_template="{name}")[0]
    for record in (True, False):
        assert re.search(described["pattern"], new_id(1_763_675_000.0, record=record))
    assert not re.search(described["pattern"], "../1m7zax5nvz87c45f")


async def test_it_is_served_to_everyone(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(aiohttp_client, data=tmp_path, secret="s3cret")
    response = await client.get("/openapi.json")
    document = await response.json()
    assert (response.status, response.content_type) == (200, "application/json")
    assert document["openapi"].startswith("3.1")
    assert document["paths"][TABLES]["get"]["security"] == [{"secret": []}, {"session": []}]
    assert document["components"]["securitySchemes"]["session"]["name"] == COOKIE
    assert document["paths"]["/healthz"]["get"]["security"] == []


async def test_what_is_said_to_be_private_is(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(aiohttp_client, data=tmp_path, secret="s3cret")
    for method, path, _ in OPERATIONS:
        response = await client.request(method, re.sub(r"\{\w+\}", "x", path), cookies={COOKIE: "1.forged"})
        assert (response.status == 401) == (path not in PUBLIC), (method, path, response.status)


async def test_a_method_that_an_address_does_not_answer_is_405_to_everyone(
    tmp_path: Path, aiohttp_client: Connect
) -> None:
    client = await serve(aiohttp_client, data=tmp_path, secret="s3cret")
    response = await client.request("TRACE", "/healthz")
    assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")


async def test_an_address_names_the_methods_that_are_documented(client: Client) -> None:
    for path, methods in DOCUMENT["paths"].items():
        real = re.sub(r"\{\w+\}", "thread-x" if "threads" in path else "x", path)
        response = await client.request("TRACE", real)
        assert response.status == 405, path
        assert {*response.headers["Allow"].lower().split(",")} - {"head"} == set(methods), path


async def test_what_a_table_tells_is_as_described(client: Client) -> None:
    table = await convene(client, panel=[QUICK], limits={"max_rounds": 1})
    said = DOCUMENT["paths"][f"{TABLES}/{{id}}/events"]["get"]["responses"]["200"]
    data = said["content"]["text/event-stream"]["schema"]["properties"]["data"]["contentSchema"]
    told = [frame for frame in await frames(client, table) if frame.data]
    assert len(told) > 5
    for frame in told:
        assert valid(data, msgspec.json.decode(frame.data)), frame
    assert not valid(data, {"type": "turn.delta", "at": 1.0})


ASKED = [{"role": "user", "content": "Why?"}]


def data_of(path: str, method: str = "post") -> dict[str, Any]:
    said = DOCUMENT["paths"][path][method]["responses"]["200"]
    return content_of(said["content"]["text/event-stream"]["schema"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": ASKED, "max_tokens": 9}),
        ("/v1/chat/completions", {"messages": ASKED, "stream_options": {"include_usage": True}}),
        ("/v1/responses", {"input": "Why?", "max_output_tokens": 9}),
        ("/invoke", {"tool": "complete", "args": {"model": "scripted:ada", "prompt": "Why?"}}),
    ],
)  # fmt: skip
async def test_what_a_stream_tells_is_as_described(client: Client, path: str, body: dict[str, Any]) -> None:
    model = {} if "tool" in body else {"model": "scripted:ada"}
    answer = await client.post(path, json={**model, **body, "stream": True})
    data = [
        line.removeprefix("data: ") for line in (await answer.text()).split("\n") if line.startswith("data")
    ]
    if path == "/v1/chat/completions":
        assert data.pop() == "[DONE]"
    assert len(data) > 3
    for each in data:
        assert valid(data_of(path), msgspec.json.decode(each)), each


async def test_what_a_thread_tells_is_as_described(client: Client) -> None:
    begun = await (await client.post("/v1/threads", json={"model": "scripted:ada", "message": "Why?"})).json()
    path = "/v1/threads/{id}/live"
    live = await client.get(path.replace("{id}", begun["id"]))
    async for line in live.content:
        if line.startswith(b"data: "):
            event = msgspec.json.decode(line[6:])
            assert valid(data_of(path, "get"), event), event
            if event["type"] == "message.complete":
                break
    live.close()


@pytest.mark.parametrize("change", [
    {"topic": ""}, {"topic": "x" * 20_001}, {"panel": []}, {"then": "explode"}, {"topics": 1}, {"seed": "x"},
    {"limits": {"max_turns": 0}}, {"limits": {"max_seconds": 1e12}}, {"limits": {"turns": 1}},
    {"panel": [{"name": " Ada", "model": "scripted:x"}]}, {"panel": [{"name": "A:da", "model": "scripted:x"}]},
    {"panel": [{"name": "Ada", "model": "scripted"}]}, {"panel": [{**QUICK, "persona": "x" * 4_001}]},
])  # fmt: skip
async def test_what_the_schema_forbids_is_refused(client: Client, change: dict[str, Any]) -> None:
    body = {"topic": "Why?", "panel": [QUICK], **change}
    assert not valid({"$ref": "#/components/schemas/Convene"}, body)
    assert (await client.post(TABLES, json=body)).status == 400


# -- said beside a handler -----------------------------------------------------------------------------------------


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the test's address takes."""

    count: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    share: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5
    form: Literal["b", "a"] = "b"
    loud: bool = False
    of: Annotated[list[str], msgspec.Meta(extra_json_schema={"maxItems": 2})] = []


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ("count=0", "count", "count is a whole number from 1 to 9."),
        ("count=x", "count", "count is a whole number from 1 to 9."),
        ("share=1", "share", "share is a number above 0 below 1."),
        ("share=nan", "share", "share is a number above 0 below 1."),
        ("form=c", "form", "form is one of b, a."),
        ("loud=yes", "loud", "loud is true or false."),
        ("count=1&count=2", "count", "count is given 2 times; once is enough."),
    ],
)
def test_a_wrong_parameter_is_told_in_words(query: str, field: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        queried(make_mocked_request("GET", f"/?{query}"), Wish)
    assert (refused.value.field, refused.value.detail) == (field, told)


def test_a_query_is_its_struct() -> None:
    request = make_mocked_request("GET", "/?count=3&share=0.25&form=a&loud=true&of=x&of=y")
    assert queried(request, Wish) == Wish(3, 0.25, "a", True, ["x", "y"])


def test_everything_that_can_be_said_is_in_the_document() -> None:
    @operation(
        tag="test",
        query=Wish,
        headers={"X-Why": "Because."},
        body=Wish,
        answers={200: Wish, 202: Answer({"text/plain": None}, {"X-Count": "So many."}, "Later."), 204: None},
        errors=(409,),
        failure=Wish,
        examples={"one": {"count": 1}},
    )
    async def handler(request: web.Request) -> web.Response:
        """`POST /x`: one sentence. And another. Raises nothing."""
        raise NotImplementedError

    application = web.Application()
    application.add_routes([web.post("/x/{name}", handler)])
    said = openapi.document(application, secured=True)["paths"]["/x/{name}"]["post"]
    assert (said["summary"], said["description"]) == ("One sentence", "One sentence. And another.")
    assert [(each["name"], each["in"]) for each in said["parameters"]] == [
        ("name", "path"), ("count", "query"), ("share", "query"), ("form", "query"), ("loud", "query"), ("of", "query"),
        ("X-Why", "header"),
    ]  # fmt: skip
    assert said["parameters"][1]["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 1}
    assert said["requestBody"]["content"]["application/json"]["examples"] == {"one": {"value": {"count": 1}}}
    assert set(said["responses"]) == {
        *("200", "202", "204", "400", "401", "403", "404", "408", "409", "413", "415", "421", "429", "503")
    }
    assert said["responses"]["202"]["headers"]["X-Count"]["description"] == "So many."
    ref = {"$ref": "#/components/schemas/Wish"}
    assert said["responses"]["409"]["content"] == {"application/json": {"schema": ref}}
