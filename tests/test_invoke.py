"""`/invoke`: what a caller sees, from `init` to the end, and what others see of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse, web

from protocol import sse
from roundtable.edge import keys
from roundtable.invocations.invocations import stream
from tests.serving import JSON, Client, Connect, problem, serve
from tests.ticking import Ticks, give
from tests.waiting import standstill, until

SAY = {
    "model": "scripted:ada",
    "prompt": "Why?",
    "options": {"text": "Hello there you.", "rate": 0, "ttft": 0},
}
HANG = {"tool": "ticks", "args": {"then": "hang"}}


@pytest.fixture
async def client(aiohttp_client: Connect, tmp_path: Path) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


@pytest.fixture
def ticks(client: Client) -> Ticks:
    return give(served(client))


def served(client: Client) -> web.Application:
    return client.app


async def frames(response: ClientResponse) -> list[sse.Frame]:
    decoder = sse.Decoder()
    return [frame async for piece in response.content.iter_any() for frame in decoder.feed(piece)]


def data(frames: list[sse.Frame]) -> list[Any]:
    return [msgspec.json.decode(frame.data) for frame in frames if frame.event != "message"]


@asynccontextmanager
async def begun(client: Client, **body: Any) -> AsyncIterator[tuple[str, ClientResponse]]:
    """An invocation that was begun, and its stream after `init`."""
    async with client.post("/invoke", json=body) as response:
        assert response.status == 200
        first = b""
        while b"\n\n" not in first.removeprefix(b": \n\n"):
            first += await response.content.readany()
        assert b"event: init\n" in first
        yield response.headers["Location"], response


async def ended(client: Client, own: str) -> Any:
    """The last entry, once it is there."""
    async with asyncio.timeout(20), client.get(own) as response:
        return data(await frames(response))[-1]


async def test_an_invocation_from_its_init_to_its_end(client: Client) -> None:
    async with client.post("/invoke", json={"tool": "complete", "args": SAY}) as response:
        assert response.content_type == "text/event-stream"
        told = [frame for frame in await frames(response) if frame.event]
    assert [frame.event for frame in told] == ["init", "step", "step", "step", "converge"]
    events = data(told)
    assert [each["t"] for each in events[1:]] == [1, 2, 3, 3]
    assert events[-1]["final"]["text"] == "Hello there you."
    assert response.headers["Location"] == f"/invoke/{events[0]['id']}"


@pytest.mark.parametrize("args", [{}, {"args": None}, {"args": {}}])
async def test_arguments_that_are_null_are_none(client: Client, args: Any) -> None:
    response = await client.post("/invoke", json={"tool": "vector_markov", "stream": False, **args})
    assert (await response.json())["type"] == "converge"


async def test_an_address_that_is_not_there(client: Client) -> None:
    response = await client.post("/invoke", json={"tool": "compleat", "args": {}})
    assert (await problem(response))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tool": "ticks", "args": {"stebs": 1}}, "args.stebs"),
        ({"tool": "ticks", "args": {"steps": "1"}}, "args.steps"),
        ({"tool": "ticks", "arguments": {}}, "arguments"),
        ({"tool": "ticks", "detach": True, "record": False}, "record"),
        ({}, "tool"),
    ],
)
async def test_what_is_wrong_is_named(client: Client, ticks: Ticks, body: Any, field: str) -> None:
    assert await problem(await client.post("/invoke", json=body)) == (400, "invalid", field)


async def test_anyone_follows_and_resumes_within_an_entry(client: Client, ticks: Ticks) -> None:
    body = {"tool": "ticks", "args": {"steps": 40, "block": 10}}
    async with client.post("/invoke", json=body) as response:
        own, whole = response.headers["Location"], [f for f in await frames(response) if f.id]
    assert len(whole) == 42
    for at in (0, 5, 17, 40):
        async with client.get(own, headers={"Last-Event-ID": str(whole[at].id)}) as response:
            assert [frame for frame in await frames(response) if frame.id] == whole[at + 1 :]
        async with client.get(own, params={"after": str(whole[at].id)}) as response:
            assert [frame for frame in await frames(response) if frame.id] == whole[at + 1 :]
    assert (await client.get(own, headers={"Last-Event-ID": str(whole[-1].id)})).status == 204
    assert (await client.get("/invoke/nothing")).status == 404


async def test_without_stream_the_last_entry_is_the_answer(client: Client, ticks: Ticks) -> None:
    response = await client.post("/invoke", json={"tool": "ticks", "args": {"steps": 7}, "stream": False})
    assert response.status == 200
    end = await response.json()
    assert (end["type"], end["t"], end["final"]) == ("converge", 7, {"steps": 7})
    assert response.headers["Location"] == f"/invoke/{end['id']}"


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("invalid", (400, "invalid", "args.steps")),
        ("provider", (502, "rate_limited", "")),
        ("bug", (500, "internal", "")),
    ],
)
async def test_an_end_by_an_error_is_a_problem(
    client: Client, ticks: Ticks, then: str, expected: Any
) -> None:
    body = {"tool": "ticks", "args": {"then": then}, "stream": False}
    response = await client.post("/invoke", json=body)
    assert await problem(response) == expected
    assert (await ended(client, response.headers["Location"]))["type"] == "error"


async def test_cancelling_is_out_of_band_and_idempotent(client: Client, ticks: Ticks) -> None:
    async with begun(client, **HANG) as (own, response):
        assert (await client.delete(own)).status == 204
        assert data(await frames(response))[-1]["type"] == "cancelled"
    assert (await client.delete(own)).status == 204
    assert (await client.delete("/invoke/nothing")).status == 404
    await until(lambda: ticks.open == 0)


async def test_who_waits_for_an_answer_hears_that_it_was_cancelled(client: Client, ticks: Ticks) -> None:
    waiting = asyncio.create_task(client.post("/invoke", json={**HANG, "stream": False}))
    await until(lambda: ticks.open)
    (line,) = (await (await client.get("/v1/invocations")).json())["invocations"]
    assert (line["state"], line["address"]) == ("running", "tool/ticks")
    assert (await client.delete(f"/invoke/{line['id']}")).status == 204
    assert (await problem(await waiting))[:2] == (409, "cancelled")


@pytest.mark.parametrize("streaming", [True, False])
async def test_it_ends_when_its_caller_leaves(client: Client, ticks: Ticks, streaming: bool) -> None:
    _, wire = await asyncio.open_connection("127.0.0.1", client.port)
    wire.write(post({**HANG, "stream": streaming}))
    await until(lambda: ticks.taken == 3)
    wire.close()
    await until(lambda: ticks.open == 0)
    (line,) = (await (await client.get("/v1/invocations")).json())["invocations"]
    assert (await ended(client, f"/invoke/{line['id']}"))["reason"] == "caller_left"


async def test_a_detached_one_goes_on_without_its_caller(client: Client, ticks: Ticks) -> None:
    body = {"tool": "ticks", "args": {"steps": 30, "pause": 0.005}, "detach": True}
    async with begun(client, **body) as (own, response):
        response.close()
    assert (await ended(client, own))["final"] == {"steps": 30}
    response = await client.post("/invoke", json={**body, "stream": False})
    assert response.status == 202
    answer = await response.json()
    assert answer["links"]["self"] == response.headers["Location"] == f"/invoke/{answer['id']}"
    assert (await ended(client, answer["links"]["self"]))["type"] == "converge"


async def test_what_is_not_recorded_is_followed_while_it_runs_and_in_no_list(
    client: Client, ticks: Ticks
) -> None:
    async with begun(client, **HANG, record=False) as (own, response), client.get(own) as other:
        assert (await client.delete(own)).status == 204
        assert (
            data(await frames(other))[-1]["type"] == data(await frames(response))[-1]["type"] == "cancelled"
        )
    assert (await (await client.get("/v1/invocations")).json())["invocations"] == []
    assert await served(client)[keys.LOG].last(stream(own.removeprefix("/invoke/"))) is None


async def test_a_caller_who_does_not_read_stops_the_tool(client: Client, ticks: Ticks) -> None:
    _, wire = await asyncio.open_connection("127.0.0.1", client.port, limit=1024)
    wire.write(post({"tool": "ticks", "args": {"steps": 100_000, "size": 2_000}}))  # 200 MB
    await until(lambda: ticks.taken)
    assert 0 < await standstill(lambda: ticks.taken) < 10_000
    (line,) = (await (await client.get("/v1/invocations")).json())["invocations"]
    assert (await client.delete(f"/invoke/{line['id']}")).status == 204
    await until(lambda: ticks.open == 0)
    wire.close()


async def test_too_many_are_refused_in_words(aiohttp_client: Connect, tmp_path: Path) -> None:
    settings = {"invocations": 1, "invocations_waiting": 1, "invocations_waiting_per_caller": 1}
    client = await serve(aiohttp_client, data=tmp_path, **settings)
    give(served(client))
    async with begun(client, **HANG) as (_, _), begun(client, **HANG) as (own, queued):
        refused = await client.post("/invoke", json=HANG)
        assert (await problem(refused))[:2] == (429, "too_many_requests")
        assert refused.headers["Retry-After"] == "2"
        assert (await client.delete(own)).status == 204
        assert [event["type"] for event in data(await frames(queued))] in (
            ["queued", "cancelled"],
            ["cancelled"],
        )


async def test_a_full_house_is_a_problem_for_whoever_posts(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path, max_streams=1)
    give(served(client))
    async with begun(client, **HANG):
        assert (await problem(await client.post("/invoke", json=HANG)))[:2] == (503, "too_many_streams")


async def test_a_list_in_pages(client: Client, ticks: Ticks) -> None:
    for _ in range(3):
        await client.post("/invoke", json={"tool": "ticks", "stream": False})
    first = await (await client.get("/v1/invocations?limit=2")).json()
    rest = await (await client.get(f"/v1/invocations?limit=2&before={first['next']}")).json()
    lines = [*first["invocations"], *rest["invocations"]]
    assert [line["state"] for line in lines] == ["converge"] * 3
    assert len({line["id"] for line in lines}) == 3
    assert rest["next"] is None
    assert (await problem(await client.get("/v1/invocations?limit=0")))[2] == "limit"


async def test_tools_say_what_they_take(client: Client, ticks: Ticks) -> None:
    tools = {tool["name"]: tool for tool in (await (await client.get("/v1/tools")).json())["tools"]}
    assert tools["ticks"]["address"] == "tool/ticks"
    assert "steps" in str(tools["ticks"]["args"])
    assert tools["complete"]["summary"]


def post(asked: Any) -> bytes:
    body = msgspec.json.encode(asked)
    head = f"POST /invoke HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON['Content-Type']}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
