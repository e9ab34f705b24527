"""A table over a WebSocket, where it differs from an event stream: commands, answers, closing, and bad clients.

What both carry alike is in `test_sse_edge.py`.
"""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, web

from protocol.asked import AskedSeat
from protocol.commands import Say
from protocol.cursor import Cursor
from roundtable.config import Config
from roundtable.edge import app, keys
from roundtable.edge.limits import MAX_BODY
from roundtable.edge.wires import conversation
from roundtable.fanout.channel import Channel
from roundtable.hosting.convening import Convene
from roundtable.hosting.host import Host, Receipt
from tests.readers import delta
from tests.server_process import serving
from tests.serving import JSON, TABLES, Client, Connect, convene, problem, serve, tell
from tests.tables import until
from tests.wires import CLOSED, PATH, House, RawSocket, WebSocket, housed, masked, told


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with housed(tmp_path) as house:
        yield house


# Commands


async def test_a_command_tells_its_effect_and_has_it_once(client: Client) -> None:
    table = await convene(client)
    async with client.ws_connect(f"{TABLES}/{table}/ws") as socket:
        say = {"type": "say", "text": "But why?", "key": "k1"}
        await socket.send_json(say)
        answer = await told(socket, "outcome")
        assert (answer["key"], answer["outcome"]) == ("k1", "done")
        assert answer["event"]["text"] == "But why?"
        assert Cursor.parse(answer["cursor"]).seq > 2
        await socket.send_json(say)
        assert await told(socket, "outcome") == answer
    posted = await tell(client, table, "k1", type="say", text="But why?")
    assert await posted.json() == {name: answer[name] for name in ("outcome", "cursor", "event")}


async def test_the_key_may_be_called_what_http_calls_it(client: Client) -> None:
    table = await convene(client)
    async with client.ws_connect(f"{TABLES}/{table}/ws") as socket:
        await socket.send_json({"type": "say", "text": "Why?", "idempotency_key": "k1"})
        done = await told(socket, "outcome")
        assert (done["key"], done["event"]["text"]) == ("k1", "Why?")
        await socket.send_json({"type": "say", "text": "Why?", "key": "k1"})
        assert await told(socket, "outcome") == done
        await socket.send_json({"type": "say", "idempotency_key": "k2"})
        assert (await told(socket, "error"))["key"] == "k2"


async def test_the_effect_is_also_an_entry(client: Client) -> None:
    table = await convene(client)
    async with client.ws_connect(f"{TABLES}/{table}/ws?after=now") as socket:
        await socket.send_json({"type": "say", "text": "But why?", "key": "k1"})
        entry = await told(socket, "message.posted")
        assert (entry["text"], entry["command"]) == ("But why?", "k1")


async def test_a_command_not_acted_on_in_time_is_accepted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def submit(*_: object) -> Receipt:
        return Receipt(7, None)

    monkeypatch.setattr(client.server.app[keys.HOST], "submit", submit)  # type: ignore[attr-defined]
    async with client.ws_connect(f"{TABLES}/{await convene(client)}/ws") as socket:
        await socket.send_json({"type": "pause", "key": "k"})
        answer = {"type": "outcome", "key": "k", "outcome": "accepted", "position": 7}
        assert await told(socket, "outcome") == answer


@pytest.mark.parametrize(
    ("command", "field"),
    [
        ({}, "type"),
        ({"type": "fly"}, "type"),
        ({"type": "say"}, "text"),
        ({"type": "say", "text": " "}, "text"),
        ({"type": "say", "text": "Ada?", "to": "Nobody"}, "to"),
        ({"type": "say", "text": 1e300}, "text"),
        ({"type": "pause", "x": 10**40}, "x"),
        ({"type": "resume"}, ""),
        ({"type": "cancel", "turn": "t99"}, ""),
    ],
)
async def test_a_refusal_says_what_it_says_over_http(
    client: Client, command: dict[str, Any], field: str
) -> None:
    table = await convene(client)
    posted = await tell(client, table, "other", **command)
    over_http = await posted.json()
    async with client.ws_connect(f"{TABLES}/{table}/ws") as socket:
        await socket.send_json({**command, "key": "k"})
        error = await told(socket, "error")
    for name in ("status", "code", "detail", "retryable", "field"):
        assert error.get(name) == over_http.get(name)
    assert (error["key"], error.get("field", "")) == ("k", field)


@pytest.mark.parametrize(
    ("message", "code", "field", "key"),
    [
        ("", "malformed_json", "", None),
        ("{", "malformed_json", "", None),
        ("[]", "invalid", "", None),
        ("7", "invalid", "", None),
        ('{"x":' + "[" * 100_000, "malformed_json", "", None),
        ('{"type":"pause"}', "invalid", "key", None),
        ('{"type":"pause","key":7}', "invalid", "key", None),
        ('{"type":"pause","key":"a","idempotency_key":"a"}', "invalid", "key", "a"),
        ('{"type":"pause","key":""}', "invalid", "key", ""),
        ('{"type":"pause","key":"\\u00c4"}', "invalid", "key", "Ä"),
        ('{"type":"pause","key":"%s"}' % ("x" * 201), "invalid", "key", None),
        (b'{"type":"pause","key":"k"}', "not_text", "", "k"),
        (b"\xff" * 9, "not_text", "", None),
        ("x" * MAX_BODY, "malformed_json", "", None),
    ],
)
async def test_what_is_no_message_is_answered_and_the_connection_stays(
    client: Client, message: str | bytes, code: str, field: str, key: str | None
) -> None:
    async with client.ws_connect(f"{TABLES}/{await convene(client)}/ws") as socket:
        await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
        error = await told(socket, "error")
        assert (error["code"], error.get("field", ""), error["key"]) == (code, field, key)
        await socket.send_json({"type": "pause", "key": "good"})
        assert (await told(socket, "outcome"))["key"] == "good"


async def test_a_bug_of_ours_shows_an_incident_and_nothing_else(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def submit(*_: object) -> Receipt:
        raise ZeroDivisionError("secret insides")

    monkeypatch.setattr(client.server.app[keys.HOST], "submit", submit)  # type: ignore[attr-defined]
    async with client.ws_connect(f"{TABLES}/{await convene(client)}/ws") as socket:
        await socket.send_json({"type": "pause", "key": "k"})
        error = await told(socket, "error")
    assert (error["code"], error["status"]) == ("internal", 500)
    assert "insides" not in json.dumps(error)
    assert error["incident"] in caplog.text


async def test_so_many_commands_are_under_way_and_no_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = asyncio.Event()

    async def submit(*_: object) -> Receipt:
        await go.wait()
        return Receipt(1, None)

    monkeypatch.setattr(client.server.app[keys.HOST], "submit", submit)  # type: ignore[attr-defined]
    async with client.ws_connect(f"{TABLES}/{await convene(client)}/ws") as socket:
        for number in range(conversation.MAX_UNDER_WAY + 1):
            await socket.send_json({"type": "pause", "key": f"k{number}"})
        error = await told(socket, "error")
        assert (error["key"], error["code"]) == (f"k{conversation.MAX_UNDER_WAY}", "too_many_requests")
        assert error["retryable"]
        assert error["retry_after"] > 0
        go.set()
        done = {(await told(socket, "outcome"))["key"] for _ in range(conversation.MAX_UNDER_WAY)}
        assert done == {f"k{number}" for number in range(conversation.MAX_UNDER_WAY)}


async def test_so_many_bytes_are_under_way_and_no_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def submit(*_: object) -> Receipt:
        await asyncio.sleep(3600)
        raise AssertionError

    monkeypatch.setattr(client.server.app[keys.HOST], "submit", submit)  # type: ignore[attr-defined]
    monkeypatch.setattr(conversation, "MAX_HELD", 1000)
    async with client.ws_connect(f"{TABLES}/{await convene(client)}/ws") as socket:
        for key, size in (("large", 2000), ("small", 1)):
            await socket.send_json({"type": "say", "text": "x" * size, "key": key})
        error = await told(socket, "error")
        assert (error["key"], error["code"]) == ("small", "too_many_requests")


@asynccontextmanager
async def production(data: Path) -> AsyncIterator[tuple[Host, RawSocket, str]]:
    """The whole server as it runs - aiohttp's own for tests ends a handler when its client leaves - with a table and a
    client."""
    built = app.build(Config(data=data))
    runner = web.AppRunner(built)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port, host = runner.addresses[0][1], built[keys.HOST]
        table, _ = await host.convene(Convene("Why?", [AskedSeat("Ben", "scripted:ben")]))
        yield host, await RawSocket.open(port, f"{TABLES}/{table}/ws?after=now"), table
    finally:
        await runner.cleanup()


async def test_a_command_goes_on_when_its_client_has_hung_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def submit(*_: object) -> Receipt:
        began.set()
        await go.wait()
        done.set()
        return Receipt(1, None)

    async with production(tmp_path) as (host, raw, _):
        monkeypatch.setattr(host, "submit", submit)
        await raw.send(masked(0x81, b'{"type":"pause","key":"k"}') + masked(0x88))
        await began.wait()
        assert await raw.closed() == 1000
        go.set()
        await asyncio.wait_for(done.wait(), 20)


async def test_a_command_of_a_client_that_vanished_is_done_once(tmp_path: Path) -> None:
    say = {"type": "say", "text": "Last words.", "key": "k"}
    async with production(tmp_path) as (host, raw, table):
        await raw.send(masked(0x81, json.dumps(say).encode()))
        raw.close()
        await until(host._log, f"table/{table}", lambda transcript: transcript.messages)
        again = await host.submit(table, "k", Say(text="Last words."))
        assert again.entry
        assert [message.text for message in (await host.transcript(table)).messages] == ["Last words."]


# Too much


async def test_messages_count_as_posts(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(
        aiohttp_client, data=tmp_path, posts_per_second=0.1
    )  # one at once, then one in ten seconds
    table = await convene(client)
    async with client.ws_connect(f"{TABLES}/{table}/ws") as socket:
        await socket.send_json({"type": "pause", "key": "k"})
        error = await told(socket, "error")
        assert (error["code"], error["status"], error["key"]) == ("too_many_requests", 429, "k")
        assert 1 < error["retry_after"] <= 10
    response = await client.post(TABLES, data=b"{}", headers=JSON)
    assert (await problem(response))[0] == 429


async def test_who_goes_on_when_refused_is_closed(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(aiohttp_client, data=tmp_path, posts_per_second=0.1)
    async with client.ws_connect(f"{TABLES}/{await convene(client)}/ws") as socket:
        for _ in range(2 * conversation.REFUSALS_AT_ONCE):
            await socket.send_str("{}")
        refused = [json.loads(message.data)["type"] async for message in socket].count("error")
        assert socket.close_code == 1008
        assert refused >= conversation.REFUSALS_AT_ONCE


async def test_a_flood_of_pings_is_closed_and_the_others_see_nothing_of_it(house: House) -> None:
    other = asyncio.create_task(WebSocket().read(f"{house.url}/ws"))
    raw = await RawSocket.open(house.port)
    await raw.send(masked(0x89, b"ping") * 2000)
    assert await raw.closed() == 1008
    await house.say(5)
    await house.write(CLOSED)
    assert (await other).ids() == house.ids()


# Before it begins


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 426, "upgrade_required"),
        ({"Upgrade": "h2c", "Connection": "Upgrade"}, 426, "upgrade_required"),
        ({"Upgrade": "websocket"}, 426, "upgrade_required"),
        (
            {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "8"},
            426,
            "upgrade_required",
        ),
        ({"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}, 400, "bad_handshake"),
        (
            {
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "short",
            },
            400,
            "bad_handshake",
        ),
    ],
)
async def test_what_is_no_handshake_is_told_so(
    client: Client, headers: Mapping[str, str], status: int, code: str
) -> None:
    response = await client.get(f"{TABLES}/{await convene(client)}/ws", headers=headers)
    if status == 426:
        assert (response.headers["Upgrade"], response.headers["Sec-WebSocket-Version"]) == ("websocket", "13")
    assert await problem(response) == (status, code, "")


async def test_what_is_wrong_with_the_address_is_told_before_what_is_wrong_with_the_handshake(
    client: Client,
) -> None:
    table = await convene(client)
    assert await problem(await client.get(f"{TABLES}/nope/ws")) == (404, "not_found", "")
    assert await problem(await client.get(f"{TABLES}/{table}/ws?after=x")) == (400, "invalid", "after")


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def test_a_handshake_is_refused_with_a_problem(client: Client) -> None:
    table = await convene(client)
    for path, headers, expected in [
        ("0000000000000000/ws", {}, (404, "not_found", "")),
        (f"{table}/ws?after=x", {}, (400, "invalid", "after")),
        (f"{table}/ws", {"Last-Event-ID": "x"}, (400, "invalid", "Last-Event-ID")),
        (f"{table}/ws", {"Origin": "http://evil.example"}, (403, "foreign_origin", "")),
        (f"{table}/replay", {"Origin": "http://evil.example"}, (403, "foreign_origin", "")),
    ]:
        response = await client.get(f"{TABLES}/{path}", headers={**HANDSHAKE, **headers})
        assert await problem(response) == expected


async def test_a_full_house_is_told_before_the_handshake(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(aiohttp_client, data=tmp_path, max_streams=1)
    path = f"{TABLES}/{await convene(client)}/ws"
    async with client.ws_connect(path):
        response = await client.get(path, headers=HANDSHAKE)
        assert 5 <= int(response.headers["Retry-After"]) <= 15
        assert await problem(response) == (503, "too_many_streams", "")


async def test_nothing_is_compressed(house: House) -> None:
    async with ClientSession() as session, session.ws_connect(f"{house.url}/ws", compress=15) as socket:
        assert not socket.compress


# Closing


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_a_clients_close_is_answered_with_its_code(house: House, code: int) -> None:
    raw = await RawSocket.open(house.port)
    await raw.send(masked(0x88, code.to_bytes(2) + "Schluß".encode()))
    assert await raw.closed() == code
    await house.until(spectators=0)


@pytest.mark.parametrize("code", [b"", (1006).to_bytes(2)])
async def test_a_close_without_a_code_we_may_send_is_answered_plainly(house: House, code: bytes) -> None:
    raw = await RawSocket.open(house.port)
    await raw.send(masked(0x88, code))
    assert await raw.closed() == 1000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(0x81, b"\xff\xfe"), 1007),
        (masked(0x81, b"\xed\xa0\x80"), 1007),
        (masked(0x88, b"\x03\xe8\xff"), 1007),
        (masked(0xC1, b"{}"), 1002),
        (masked(0xA1, b"{}"), 1002),
        (masked(0x83, b""), 1002),
        (masked(0x8B, b""), 1002),
        (masked(0x80, b"{}"), 1002),
        (masked(0x01, b"{") + masked(0x81, b"}"), 1002),
        (masked(0x09, b""), 1002),
        (masked(0x89, b"x" * 126), 1002),
        (masked(0x88, b"x" * 126), 1002),
        (masked(0x88, b"\x03"), 1002),
        (masked(0x88, (999).to_bytes(2)), 1002),
        (masked(0x81, b"x" * (MAX_BODY + 1)), 1009),
        (masked(0x81, size=MAX_BODY + 1), 1009),
        (masked(0x81, size=1 << 62), 1009),
        (masked(0x81, size=(1 << 64) - 1), 1009),
        (masked(0x01, b"x" * 65_536) + masked(0x00, b"x" * 65_536) * 17, 1009),
    ],
)
async def test_who_breaks_the_protocol_is_told_the_code_and_nobody_else_is_touched(
    house: House, data: bytes, code: int
) -> None:
    other = asyncio.create_task(WebSocket().read(f"{house.url}/ws"))
    raw = await RawSocket.open(house.port)
    await raw.send(data)
    assert await raw.closed() == code
    await house.until(spectators=1)
    await house.write(CLOSED)
    assert (await other).ids() == house.ids()


async def test_who_is_refused_while_still_sending_gets_to_read_why(house: House) -> None:
    raw = await RawSocket.open(house.port)
    await raw.send(masked(0x81, size=64 * MAX_BODY))
    while (frame := await raw.frame()) and frame[0] != 0x88:
        pass
    assert frame
    assert int.from_bytes(frame[1][:2]) == 1009
    for _ in range(20):  # a connection that was closed on us would be reset by the first of these
        await raw.send(b"x" * 65_536)
        await asyncio.sleep(0)
    raw.close()


async def test_random_bytes_end_one_connection_at_the_most(house: House) -> None:
    dice = random.Random(7)
    other = asyncio.create_task(WebSocket().read(f"{house.url}/ws"))
    for _ in range(60):
        raw = await RawSocket.open(house.port)
        data = dice.randbytes(dice.randrange(1, 300))
        if dice.random() < 0.5:  # frames with a good header reach deeper
            data = masked(
                dice.choice([0x01, 0x00, 0x81, 0x80, 0x89, 0x8A, 0x88]), data[: dice.randrange(126)]
            )
        await raw.send(data)
        raw.shut()
        await raw.closed()  # every frame that comes is whole
    await house.until(spectators=1)
    await house.say(3)
    await house.write(CLOSED)
    assert (await other).ids() == house.ids()


async def test_a_message_in_many_fragments_with_a_ping_between_is_one(house: House) -> None:
    raw = await RawSocket.open(house.port, f"{PATH}/ws?after=now")
    text = '{"type":"päuse"'.encode()  # and no more: an answer shows that it was read as one
    pieces = [masked(0x01, text[:1])] + [masked(0x00, text[at : at + 1]) for at in range(1, len(text))]
    await raw.send(b"".join(pieces) + masked(0x89, b"here?") + masked(0x80))
    kinds = list[tuple[int, bytes]]()
    while len(kinds) < 2:
        frame = await raw.frame()
        assert frame
        if frame[0] == 0x8A or b'"error"' in frame[1]:
            kinds.append(frame)
    raw.close()
    assert kinds[0] == (0x8A, b"here?")
    assert json.loads(kinds[1][1])["code"] == "malformed_json"


@pytest.mark.parametrize(
    ("left", "code", "names"),
    [
        ("broken", 1013, ["retry"]),
        ("draining", 1001, ["retry"]),
        ("ended", 1000, ["end"]),
        ("deleted", 4404, ["end"]),
    ],
)
async def test_the_close_code_says_why_and_whether_to_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch, left: str, code: int, names: list[str]
) -> None:
    async def follow(*_: object) -> str:
        return left

    monkeypatch.setattr(Channel, "follow", follow)
    raw = await RawSocket.open(house.port)
    assert [json.loads((await raw.frame() or (0, b""))[1])["type"] for _ in names] == names
    assert await raw.closed() == code


async def test_a_bug_ends_one_connection_and_shows_an_incident(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def follow(*_: object) -> str:
        raise ZeroDivisionError("secret insides")

    monkeypatch.setattr(Channel, "follow", follow)
    raw = await RawSocket.open(house.port)
    frame = await raw.frame()
    assert frame
    assert (frame[0], int.from_bytes(frame[1][:2])) == (0x88, 1011)
    assert b"insides" not in frame[1]
    assert frame[1][-9:-1].decode() in caplog.text
    raw.close()


async def test_who_says_nothing_is_let_go(tmp_path: Path) -> None:
    async with housed(tmp_path, silence=0.2) as house:
        raw = await RawSocket.open(house.port)
        assert await raw.closed() == 4408
        await house.until(spectators=0)


# Slow clients


async def test_pongs_and_answers_never_fall_into_an_entry(house: House) -> None:
    raw = await RawSocket.open(house.port, receive_buffer=4096)
    await house.until(spectators=1)
    for number in range(100):
        await raw.send(masked(0x89, b"%d" % number) + masked(0x82, b"%d" % number))
        if number % 10 == 0:
            await house.write(
                delta("x" * 700_000)
            )  # sent in pieces: an entry larger than what we write at once
            await house.say(20)
    await house.write(CLOSED)
    seen = list[tuple[int, bytes]]()
    while frame := await raw.frame():
        seen.append(frame)
        if frame[0] == 0x88:
            raw.shut()
    messages = [json.loads(data) for first, data in seen if first == 0x81]
    assert [data for first, data in seen if first == 0x8A] == [b"%d" % number for number in range(100)]
    assert sum(message["type"] == "error" for message in messages) == 100
    assert [message["id"] for message in messages if "id" in message] == house.ids()
    assert (messages[-1]["type"], seen[-1][0]) == ("end", 0x88)


# A real server stops


async def test_a_server_that_stops_sends_clients_away_to_come_back(tmp_path: Path) -> None:
    speaks = {"name": "Ada", "model": "scripted:x", "options": {"text": "word " * 30, "rate": 60}}
    say = {"type": "say", "text": "Last words.", "key": "k"}
    seen = list[dict[str, Any]]()
    async with ClientSession() as session:
        async with serving(tmp_path) as server:
            table = await server.convene(panel=[speaks], limits={"max_turns": 2})
            async with session.ws_connect(f"{server.url}{TABLES}/{table}/ws") as socket:
                async for message in socket:
                    seen.append(json.loads(message.data))
                    if sum(message["type"] == "turn.delta" for message in seen) == 5 and "text" in seen[-1]:
                        await socket.send_json(say)  # whether or not it is heard
                        server.signal(signal.SIGTERM)
                assert socket.close_code == 1001
            assert 1 <= seen[-1]["wait"] <= 5
            assert await server.ended() == 0
        entries = [message for message in seen if "id" in message]
        async with serving(tmp_path) as server:
            url = f"{server.url}{TABLES}/{table}/ws?after={entries[-1]['id']}"
            async with session.ws_connect(url) as socket:
                await socket.send_json(say)
                entries += [message async for message in received(socket) if "id" in message]
                assert socket.close_code == 1000
    assert [Cursor.parse(entry["id"]).seq for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[-1]["type"] == "table.closed"
    assert [entry["text"] for entry in entries if entry["type"] == "message.posted"] == ["Last words."]


async def received(socket: ClientWebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    async for message in socket:
        yield json.loads(message.data)
