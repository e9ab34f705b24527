"""`/v1/threads`: a conversation whose messages are answered, read whole or as it happens."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from protocol import sse
from tests.redis_server import shared
from tests.server_process import PATIENCE, serving
from tests.serving import TABLES, Client, Connect, convene, problem, serve, tell

THREADS = "/v1/threads"
PLAIN: dict[str, Any] = {"model": "scripted:ada", "options": {"text": "Hello there.", "rate": 0, "ttft": 0}}
STUCK: dict[str, Any] = {"model": "scripted:ben", "options": {"text": "Hello there.", "ttft": 3600}}
TWO: list[dict[str, Any]] = [
    {"name": name, "model": "scripted:ada", "options": {"text": f"I, {name}.", "rate": 0, "ttft": 0}}
    for name in ("Ada", "Ben")
]
Message = dict[str, Any]


async def begin(client: Client, **body: Any) -> str:
    response = await client.post(THREADS, json={**PLAIN, **body})
    assert response.status == 201, await response.text()
    return str((await response.json())["id"])


async def say(client: Client, thread: str, text: str, **more: Any) -> Message:
    response = await client.post(f"{THREADS}/{thread}/messages", json={"text": text, **more})
    assert response.status == 201, await response.text()
    return dict(await response.json())


async def read(client: Client, thread: str) -> Message:
    response = await client.get(f"{THREADS}/{thread}")
    assert response.status == 200, await response.text()
    return dict(await response.json())


async def live(client: Client, thread: str, after: str = "") -> AsyncIterator[tuple[str, Message]]:
    """`(id, data)` of each event, as they come."""
    decoder = sse.Decoder()
    async with (
        asyncio.timeout(PATIENCE),
        client.get(f"{THREADS}/{thread}/live", params={"after": after}) as response,
    ):
        assert response.status == 200
        async for piece in response.content.iter_any():
            for frame in decoder.feed(piece):
                if frame.data and frame.event != "hb":
                    yield frame.id or "", json.loads(frame.data)


async def rested(client: Client, thread: str, after: str = "") -> list[Message]:
    """What is told until nobody has anything to answer."""
    told = []
    async for _, event in live(client, thread, after):
        told.append(event)
        if event["type"] == "thread.rested":
            return told
    raise AssertionError(told)


def apply(messages: dict[str, Message], event: Message) -> None:
    """What a client does with a live event."""
    kind, _, step = event["type"].partition(".")
    if kind != "message":
        return
    if step == "created":
        messages[event["message"]["id"]] = dict(event["message"])
        return
    message = messages[event["message"]]
    known = {name: event[name] for name in message if name in event and name != "at"}
    if step == "delta":
        message["text"] += known["text"]
    else:
        message.update(known, state=step)
        if step == "streaming":
            message["error"] = None


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest) -> str:
    """The address of a Redis, or none."""
    if request.param == "sqlite":
        return ""
    shared().run("FLUSHALL")
    return shared().url


async def test_a_message_is_answered_in_one_stream(
    aiohttp_client: Connect, tmp_path: Path, store: str
) -> None:
    client = await serve(aiohttp_client, data=tmp_path, redis=store, redis_volatile=True)
    thread = await begin(client, title="First")
    assert [event["type"] for event in await rested(client, thread)] == ["thread.created", "thread.rested"]
    said = await say(client, thread, "Hello?", author="Rosa")
    assert said["message"] == {
        **said["message"],
        "id": "m1",
        "role": "user",
        "author": "Rosa",
        "text": "Hello?",
    }
    told = await rested(client, thread, said["cursor"])
    assert [event["type"] for event in told][:2] == ["message.created", "message.streaming"]
    assert "".join(event["text"] for event in told if event["type"] == "message.delta") == "Hello there."
    whole = await read(client, thread)
    assert (whole["title"], whole["status"]) == ("First", "resting")
    states = [(message["id"], message["state"], message["text"]) for message in whole["messages"]]
    assert states == [("m1", "complete", "Hello?"), ("t1", "complete", "Hello there.")]


async def test_the_first_message_begins_with_the_thread_and_all_the_panel_answers_in_order(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    thread = await begin(client, model="", options={}, panel=TWO, message="Who are you?")
    await rested(client, thread)
    said = await say(client, thread, "Ben?", to="Ben")
    await rested(client, thread, said["cursor"])
    whole = await read(client, thread)
    assert whole["title"] == "Who are you?"
    assert [(each["author"], each["text"]) for each in whole["messages"]] == [
        ("Host", "Who are you?"), ("Ada", "I, Ada."), ("Ben", "I, Ben."), ("Host", "Ben?"), ("Ben", "I, Ben."),
    ]  # fmt: skip


async def test_what_is_told_live_makes_what_is_read_from_any_cursor(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    failing = {**TWO[1], "options": {**TWO[1]["options"], "fail_after": 1, "error": "unavailable"}}
    thread = await begin(client, model="", options={}, panel=[TWO[0], failing], message="And you?")
    await rested(client, thread)
    said = await say(client, thread, "Again.")
    await rested(client, thread, said["cursor"])
    expected = {message["id"]: message for message in (await read(client, thread))["messages"]}
    assert {message["state"] for message in expected.values()} == {"complete", "error"}
    messages: dict[str, Message] = {}
    cursor, rests = "", 0
    while rests < 2:  # one event per connection: each goes on where the one before left
        async for id, event in live(client, thread, cursor):
            rests += event["type"] == "thread.rested"
            apply(messages, event)
            cursor = id
            break
    assert messages == expected


async def test_a_message_under_its_key_is_posted_once(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    thread = await begin(client)
    url, headers = f"{THREADS}/{thread}/messages", {"Idempotency-Key": "k1"}
    answers = [await client.post(url, json={"text": "Once."}, headers=headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert await answers[0].json() == await answers[1].json()
    assert (await problem(await client.post(url, json={"text": "No."}, headers=headers)))[0] == 422
    messages = (await read(client, thread))["messages"]
    assert [message["text"] for message in messages if message["role"] == "user"] == ["Once."]


async def test_an_answer_is_cancelled_and_the_thread_goes_on(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    thread = await begin(client, **STUCK, message="Slowly.")
    order = {"type": "cancel", "turn": "t1"}
    url = f"{THREADS}/{thread}/commands"
    assert (await client.post(url, json=order, headers={"Idempotency-Key": "k"})).status == 200
    await rested(client, thread)
    answer = (await read(client, thread))["messages"][1]
    assert (answer["state"], answer["error"]["code"]) == ("error", "cancelled")
    await say(client, thread, "And now?")
    answer = (await read(client, thread))["messages"][-1]
    assert (answer["id"], answer["state"]) == ("t2", "streaming")


async def test_an_answer_that_failed_is_asked_for_again(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    thread = await begin(
        client, options={**PLAIN["options"], "fail_after": 1, "error": "unavailable"}, message="?"
    )
    await rested(client, thread)
    url, headers = f"{THREADS}/{thread}/commands", {"Idempotency-Key": "again"}
    answers = [
        await (await client.post(url, json={"type": "retry", "turn": "t1"}, headers=headers)).json()
        for _ in "12"
    ]
    assert answers[0] == answers[1]
    assert answers[0]["event"]["turn"] == "t2"
    await rested(client, thread, answers[0]["cursor"])
    assert [each["state"] for each in (await read(client, thread))["messages"]] == [
        "complete",
        "error",
        "error",
    ]
    headers = {"Idempotency-Key": "never was"}
    response = await client.post(url, json={"type": "retry", "turn": "t9"}, headers=headers)
    assert (await problem(response))[:2] == (409, "unknown_turn")


async def test_a_model_that_failed_for_good_is_asked_again(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    options = {**PLAIN["options"], "fail_after": 0, "error": "auth"}
    thread = await begin(client, options=options, message="One.")
    await rested(client, thread)
    said = await say(client, thread, "Two.")
    await rested(client, thread, said["cursor"])
    answers = [each for each in (await read(client, thread))["messages"] if each["role"] == "assistant"]
    assert [answer["error"]["code"] for answer in answers] == ["auth", "auth"]


async def test_threads_and_tables_are_not_confused(
    aiohttp_client: Connect, tmp_path: Path, store: str
) -> None:
    client = await serve(aiohttp_client, data=tmp_path, redis=store, redis_volatile=True)
    thread, table = await begin(client), await convene(client)
    for url in (
        f"{TABLES}/{thread}",
        f"{TABLES}/{thread}/events",
        f"{THREADS}/{table}",
        f"{THREADS}/{table}/live",
    ):
        assert (await problem(await client.get(url)))[:2] == (404, "not_found"), url
    assert (await problem(await tell(client, thread, "k", type="close")))[0] == 404
    assert [each["id"] for each in (await (await client.get(TABLES)).json())["roundtables"]] == [table]
    assert [each["id"] for each in (await (await client.get(THREADS)).json())["threads"]] == [thread]
    below = await client.get(TABLES, params={"before": "~"})
    assert [each["id"] for each in (await below.json())["roundtables"]] == [table]


async def test_the_list_is_paged_newest_first_and_a_deleted_thread_is_gone(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    made = [await begin(client) for _ in range(3)]
    first = await (await client.get(THREADS, params={"limit": 2})).json()
    rest = await (await client.get(THREADS, params={"before": first["next"]})).json()
    assert [each["id"] for each in first["threads"] + rest["threads"]] == sorted(made, reverse=True)
    assert rest["next"] is None
    assert (await client.delete(f"{THREADS}/{made[0]}")).status == 204
    assert (await problem(await client.get(f"{THREADS}/{made[0]}")))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "scripted"}, "model"),
        ({"model": "nobody:x"}, "model"),
        ({"titel": "x"}, "titel"),
        ({"title": "x" * 201}, "title"),
        ({"system": "x" * 5000}, "system"),
        ({"message": " "}, "message"),
        ({"message": "x", "author": "Assistant"}, "author"),
        ({"panel": TWO}, "model"),
        ({"panel": [], "model": "", "options": {}}, "panel"),
        ({"limits": {"max_tokens": 0}}, "limits.max_tokens"),
    ],
)
async def test_what_cannot_be_is_named(
    aiohttp_client: Connect, tmp_path: Path, body: Message, field: str
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    response = await client.post(THREADS, json={**PLAIN, **body})
    assert await problem(response) == (400, "invalid", field)
    assert (await (await client.get(THREADS)).json())["threads"] == []


async def test_a_table_cannot_be_convened_to_wait_for_a_person(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    response = await client.post(TABLES, json={"topic": "Why?", "policy": "reply"})
    assert await problem(response) == (400, "invalid", "policy")


async def test_a_killed_server_leaves_an_error_and_the_thread_goes_on(tmp_path: Path, store: str) -> None:
    options = ("--redis", store, "--redis-volatile") if store else ()
    body = {**STUCK, "options": {"text": "One two three four", "rate": 0.5, "ttft": 0}, "message": "Go."}

    async def until(server: Any, thread: str, reached: Callable[[list[Message]], object]) -> list[Message]:
        async with asyncio.timeout(PATIENCE):
            while True:
                async with server._session.get(f"{THREADS}/{thread}") as response:
                    messages: list[Message] = (await response.json())["messages"]
                if reached(messages):
                    return messages
                await asyncio.sleep(0.02)

    async with serving(tmp_path, *options) as server:
        async with server._session.post(THREADS, json=body) as response:
            thread = (await response.json())["id"]
        (_, answer) = await until(server, thread, lambda found: found[1]["text"])
        assert answer["state"] == "streaming"
        server.signal(9)
        await server.ended()
    async with serving(tmp_path, *options) as server:
        ended = await until(server, thread, lambda found: found[1]["state"] == "error")
        assert ended[1]["error"]["code"] == "interrupted"
        assert ended[1]["text"].startswith("One")
        async with server._session.post(f"{THREADS}/{thread}/messages", json={"text": "Go on."}) as response:
            assert response.status == 201
        found = await until(server, thread, lambda found: len(found) == 4 and found[3]["text"])
        assert [each["id"] for each in found] == ["m1", "t1", "m2", "t2"]
