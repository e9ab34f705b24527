"""Every address with good and with bad requests, through the real server."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from protocol.cursor import Cursor
from protocol.errors import Invalid, LogUnavailable
from roundtable.config import Config
from roundtable.edge import keys, server
from roundtable.hosting.host import Receipt
from roundtable.log.split import SplitLog
from tests.serving import JSON, QUICK, SLOW, TABLES, Client, Connect, convene, frames, problem, serve, tell


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


# -- POST /v1/roundtables ----------------------------------------------------------------------------------------


async def test_a_table_is_convened_and_can_be_found(client: Client) -> None:
    response = await client.post(
        TABLES, json={"topic": "Why?", "panel": [QUICK], "limits": {"max_rounds": 1}}
    )
    opened = await response.json()
    own = f"{TABLES}/{opened['id']}"
    assert response.status == 201
    assert response.headers["Location"] == own
    assert Cursor.parse(opened["cursor"]).seq == 2  # term.began, table.opened
    assert opened["links"] == {
        "self": own, "page": f"/t/{opened['id']}", "events": f"{own}/events", "ws": f"{own}/ws",
        "commands": f"{own}/commands", "replay": f"{own}/replay", "export": f"{own}/export",
        "forks": f"{own}/forks",
    }  # fmt: skip
    said = await frames(client, opened["id"])
    assert said[-1].event == "end"
    transcript = (await (await client.get(own)).json())["transcript"]
    assert transcript["turns"][0]["text"] == "Hello there."
    assert transcript["status"] == "closed"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "invalid", "topic"),
        ({"topic": " "}, "invalid", "topic"),
        ({"topic": 7}, "invalid", "topic"),
        ({"topic": "x" * 100_000}, "invalid", "topic"),
        ({"topic": "Why?", "topics": 1}, "invalid", "topics"),
        ({"topic": "Why?", "policy": "nope"}, "invalid", "policy"),
        ({"topic": "Why?", "then": "explode"}, "invalid", "then"),
        ({"topic": "Why?", "limits": {"max_turns": 0}}, "invalid", "limits.max_turns"),
        ({"topic": "Why?", "limits": {"max_turns": "3"}}, "invalid", "limits.max_turns"),
        ({"topic": "Why?", "panel": []}, "invalid", "panel"),
        ({"topic": "Why?", "panel": [QUICK, QUICK]}, "invalid", "panel[1].name"),
        ({"topic": "Why?", "panel": [{"name": "Ada"}]}, "invalid", "panel[0].model"),
    ],
)
async def test_a_bad_request_names_its_field(
    client: Client, body: dict[str, Any], code: str, field: str
) -> None:
    response = await client.post(TABLES, json={"panel": [QUICK], **body})
    assert await problem(response) == (400, code, field)


@pytest.mark.parametrize("model", ["", "nope", "nope:x", ":", "scripted", "scripted:"])
async def test_an_unknown_model_names_its_seat(client: Client, model: str) -> None:
    response = await client.post(TABLES, json={"topic": "Why?", "panel": [{"name": "Ada", "model": model}]})
    status, _, field = await problem(response)
    assert (status, field) == (400, "panel[0].model")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b'{"topic":"\xff"}',
        b'{"topic":"\\ud800"}',
        b"[" * 100_000,
        b'{"topic":"Why?","panel":[{"name":"Ada","model":"scripted:x","options":{"text":' + b"[" * 100_000,
        b'{"topic":NaN}',
        b"\0",
    ],
)
async def test_what_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    for path in (TABLES, "/v1/session"):
        status, code, _ = await problem(await client.post(path, data=body, headers=JSON))
        assert status == 400
        assert code in ("malformed_json", "invalid")


@pytest.mark.parametrize("depth", [10, 100, 400, 800, 900, 950, 990, 2000])
async def test_nesting_is_taken_or_refused_and_breaks_nothing(client: Client, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    body = b'{"topic":"Why?","panel":[{"name":"Ada","model":"scripted:x","options":{"text":%b}}]}' % nested
    assert (await client.post(TABLES, data=body, headers=JSON)).status == 400


# -- GET /v1/roundtables -----------------------------------------------------------------------------------------


async def test_tables_are_listed_newest_first_page_by_page(client: Client) -> None:
    assert await (await client.get(TABLES)).json() == {
        "roundtables": [],
        "unreadable": [],
        "next": None,
    }
    made = [await convene(client, topic=f"Question {number}") for number in range(3)]
    first = await (await client.get(TABLES, params={"limit": 2})).json()
    assert [table["id"] for table in first["roundtables"]] == made[:0:-1]
    assert first["roundtables"][0]["topic"] == "Question 2"
    assert first["roundtables"][0]["spectators"] == 0
    rest = await (await client.get(TABLES, params={"limit": 2, "before": first["next"]})).json()
    assert [table["id"] for table in rest["roundtables"]] == made[:1]
    assert rest["next"] is None


async def test_a_list_counts_spectators(client: Client) -> None:
    table = await convene(client)
    async with client.get(f"{TABLES}/{table}/events") as response:
        await response.content.readline()
        listed = await (await client.get(TABLES)).json()
        assert listed["roundtables"][0]["spectators"] == 1


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5", "٣", "9" * 5000])
async def test_a_bad_limit_is_named(client: Client, limit: str) -> None:
    assert await problem(await client.get(TABLES, params={"limit": limit})) == (400, "invalid", "limit")


@pytest.mark.parametrize("before", ["x", "zzzzzzzzzzzzzzzz", "%00", "../..", "\u2028"])
async def test_any_before_gives_a_list(client: Client, before: str) -> None:
    response = await client.get(TABLES, params={"before": before})
    assert (await response.json())["next"] is None


# -- GET /v1/roundtables/{id} ------------------------------------------------------------------------------------


async def test_a_transcript_is_read_again_only_when_it_changed(client: Client) -> None:
    table = await convene(client, panel=[QUICK], limits={"max_rounds": 1})
    await frames(client, table)
    response = await client.get(f"{TABLES}/{table}")
    body = await response.json()
    assert response.headers["ETag"] == f'"{body["cursor"]}"'
    assert body["transcript"]["cursor"] == body["cursor"]
    headers = {"If-None-Match": response.headers["ETag"]}
    again = await client.get(f"{TABLES}/{table}", headers=headers)
    assert (again.status, await again.read()) == (304, b"")
    assert (await client.get(f"{TABLES}/{table}", headers={"If-None-Match": '"1-1"'})).status == 200
    head = await client.head(f"{TABLES}/{table}")
    assert (head.status, await head.read()) == (200, b"")


@pytest.mark.parametrize(
    "table", ["0000000000000000", "x", "..", "%2e%2e", "%00", "%ff", "a" * 4000, "table%2f1"]
)
async def test_a_table_that_is_not_there(client: Client, table: str) -> None:
    for path in ("", "/events"):
        response = await client.get(f"{TABLES}/{table}{path}")
        assert (await problem(response))[:2] == (404, "not_found"), path
    assert (await problem(await tell(client, table, "k", type="pause")))[:2] == (404, "not_found")


# -- events ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["x", "1", "1-1-1", "-1-1", "99999999999999999999-1", "1-1.x"])
async def test_a_malformed_cursor_is_refused(client: Client, after: str) -> None:
    table = await convene(client)
    response = await client.get(f"{TABLES}/{table}/events", params={"after": after})
    assert (await problem(response))[:2] == (400, "invalid")


# -- commands ----------------------------------------------------------------------------------------------------


async def test_a_command_tells_its_effect_and_has_it_once(client: Client) -> None:
    table = await convene(client)
    first = await tell(client, table, "k1", type="say", text="But why?")
    answer = await first.json()
    assert (first.status, answer["outcome"]) == (200, "done")
    assert answer["event"]["type"] == "message.posted"
    assert answer["event"]["text"] == "But why?"
    assert Cursor.parse(answer["cursor"]).seq > 2
    again = await tell(client, table, "k1", type="say", text="But why?")
    assert await again.json() == answer
    transcript = (await (await client.get(f"{TABLES}/{table}")).json())["transcript"]
    assert len(transcript["messages"]) == 1


async def test_a_command_not_acted_on_in_time_is_accepted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def submit(*_: object) -> Receipt:
        return Receipt(7, None)

    monkeypatch.setattr(client.server.app[keys.HOST], "submit", submit)  # type: ignore[attr-defined]
    response = await tell(client, "0000000000000000", "k", type="pause")
    assert (response.status, await response.json()) == (202, {"outcome": "accepted", "position": 7})


async def test_a_key_used_for_something_else(client: Client) -> None:
    table = await convene(client)
    await tell(client, table, "k1", type="pause")
    assert await problem(await tell(client, table, "k1", type="resume")) == (422, "key_reused", "")


async def test_a_command_in_the_wrong_state(client: Client) -> None:
    table = await convene(client)
    assert await problem(await tell(client, table, "k1", type="resume")) == (409, "wrong_state", "")
    assert (await problem(await tell(client, table, "k2", type="cancel", turn="t99")))[0] == 409
    assert (await tell(client, table, "k3", type="close")).status == 200
    assert await problem(await tell(client, table, "k4", type="say", text="x")) == (409, "wrong_state", "")


@pytest.mark.parametrize("key", [None, "", "x" * 201, "a\tb", "Ä"])
async def test_a_command_needs_a_key(client: Client, key: str | None) -> None:
    table = await convene(client)
    headers = {} if key is None else {"Idempotency-Key": key}
    response = await client.post(f"{TABLES}/{table}/commands", json={"type": "pause"}, headers=headers)
    assert await problem(response) == (400, "invalid", "Idempotency-Key")


@pytest.mark.parametrize(
    "command", [{}, {"type": "fly"}, {"type": "say"}, {"type": "pause", "x": 1}, {"type": "say", "text": " "}]
)
async def test_a_command_that_is_none(client: Client, command: dict[str, Any]) -> None:
    table = await convene(client)
    response = await client.post(f"{TABLES}/{table}/commands", json=command, headers={"Idempotency-Key": "k"})
    assert (await problem(response))[:2] == (400, "invalid")


# -- what is here ------------------------------------------------------------------------------------------------


async def test_providers_and_what_an_empty_form_would_get(client: Client) -> None:
    here = await (await client.get("/v1/providers")).json()
    assert "scripted" in [status["name"] for status in here["providers"]]
    assert here["default_panel"]
    assert here["demo"] == all(seat["model"].startswith("scripted:") for seat in here["default_panel"])
    assert {"name", "title", "summary", "verdict", "until", "least"} == set(here["policies"][0])
    assert set(here["limits"]) == {"max_turns", "max_rounds", "max_tokens", "max_seconds", "max_dollars"}


async def test_the_ways_to_share_the_floor(client: Client) -> None:
    listed = (await (await client.get("/v1/policies")).json())["policies"]
    assert [policy["name"] for policy in listed][:3] == ["round_robin", "parallel", "floor_time"]
    assert all(policy["title"] and policy["summary"].endswith(".") for policy in listed)
    assert listed == (await (await client.get("/v1/providers")).json())["policies"]
    for policy in listed:
        table = await convene(client, policy=policy["name"], panel=[SLOW, SLOW | {"name": "Ada"}])
        opened = await (await client.get(f"{TABLES}/{table}")).json()
        assert opened["transcript"]["policy"] == policy["name"]


async def test_models_as_programs_know_them(client: Client) -> None:
    listed = await (await client.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert all(model["id"].startswith((f"{model['owned_by']}:", "roundtable/")) for model in listed["data"])
    here = await (await client.get("/v1/providers")).json()
    offered = {seat["model"] for seat in here["default_panel"]}
    assert offered <= {model["id"] for model in listed["data"]}


async def test_alive_and_ready(client: Client) -> None:
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/readyz")).status == 200


async def test_not_ready_when_the_log_takes_no_writes(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = client.server.app[keys.LOG]  # type: ignore[attr-defined]
    assert isinstance(log, SplitLog)
    never = asyncio.Event()

    async def stuck(*_: object) -> None:
        await never.wait()

    monkeypatch.setattr("roundtable.edge.health.WRITE_WITHIN", 0.0)
    monkeypatch.setattr(log.durable, "append", stuck)
    assert await problem(await client.get("/readyz")) == (503, "log_unavailable", "")
    assert (await client.get("/healthz")).status == 200


async def test_while_the_store_is_away_callers_are_told_when_to_come_back(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = client.server.app[keys.LOG]  # type: ignore[attr-defined]

    async def away(*_: object, **__: object) -> None:
        raise LogUnavailable("The store is away.")

    for method in ("append", "last", "read"):
        monkeypatch.setattr(log.durable, method, away)
    response = await client.post(TABLES, json={"topic": "Why?", "panel": [QUICK]})
    assert await problem(response) == (503, "log_unavailable", "")
    assert response.headers["Retry-After"] == "2"
    watching = await client.get(f"{TABLES}/any/events")  # any other status would end an EventSource for good
    assert (watching.status, watching.content_type) == (200, "text/event-stream")
    assert (await watching.read()).startswith(b"retry:")


# -- problems ----------------------------------------------------------------------------------------------------


async def test_an_address_that_is_not_there(client: Client) -> None:
    assert await problem(await client.get("/nowhere")) == (404, "not_found", "")


async def test_a_method_that_is_not_there(client: Client) -> None:
    response = await client.delete(TABLES)
    assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}
    assert await problem(response) == (405, "method_not_allowed", "")


async def test_a_bug_of_ours_shows_an_incident_and_nothing_else(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret insides")

    monkeypatch.setattr(client.server.app[keys.HOST], "summaries", broken)  # type: ignore[attr-defined]
    response = await client.get(TABLES)
    incident = (await response.json())["incident"]
    assert "insides" not in await response.text()
    assert await problem(response) == (500, "internal", "")
    assert incident in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_a_taken_port_is_told_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = Config(data=tmp_path, port=taken.getsockname()[1])
        with pytest.raises(Invalid, match="Address already in use") as caught:
            await server.serve(config, lambda _: None)
    assert caught.value.field == "port"
