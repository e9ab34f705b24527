"""The SDK against the real server, over its death and return; and against servers that are none."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from protocol import commands
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.errors import (
    CallerError,
    Invalid,
    KeyReused,
    LogUnavailable,
    NotFound,
    RoundtableError,
    WrongState,
)
from protocol.messages import Limits, Panelist
from protocol.transcript import fold
from roundtable.client import Client, Reset, Unreachable
from roundtable.config import Config
from roundtable.edge import app
from roundtable.sdk import client as sdk
from roundtable.sdk import connection
from tests.server_process import serving

QUICK = Panelist("Ada", "scripted:ada", options={"text": "Hello there.", "rate": 0, "ttft": 0})
SLOW = Panelist("Ben", "scripted:ben", options={"text": "Hello there.", "ttft": 3600})
ONCE = Limits(max_rounds=1)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with (
        TestServer(app.build(Config(data=tmp_path))) as server,
        Client(str(server.make_url(""))) as client,
    ):
        yield client


@asynccontextmanager
async def answering(handler: Handler, **options: Any) -> AsyncIterator[Client]:
    """A client of a server that is not ours."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(application) as server, Client(str(server.make_url("")), **options) as client:
        yield client


async def at_once(_: float) -> None:
    """A wait that is none."""


# -- what can be asked ---------------------------------------------------------------------------------------------


async def test_a_table_from_its_opening_to_its_end(client: Client) -> None:
    table, cursor = await client.convene("Why?", [QUICK], limits=ONCE, seed=7)
    entries = [entry async for entry in client.events(table)]
    assert entries[cursor.seq - 1].cursor == cursor
    transcript = await client.transcript(table)
    assert fold(entries) == transcript
    assert (transcript.status, transcript.seed, transcript.turns[0].text) == ("closed", 7, "Hello there.")
    assert [entry async for entry in client.events(table, entries[-2].cursor)] == entries[-1:]
    assert [entry async for entry in client.events(table, entries[-1].cursor)] == []
    assert await client.head(table) == entries[-1].cursor


async def test_after_now(client: Client) -> None:
    table, _ = await client.convene("Why?", [SLOW])
    async with aclosing(client.events(table, None)) as events:
        first = asyncio.ensure_future(anext(events))  # noqa: TID251 - an awaitable, not a task of ours
        said = await client.command(table, commands.Say("Hear, hear."))
        assert said.entry is not None
        got = [await first]
        while got[-1].cursor < said.entry.cursor:
            got.append(await anext(events))
    assert got[-1] == said.entry
    assert got[0].cursor.seq > 2


async def test_a_command_and_its_effect(client: Client) -> None:
    table, _ = await client.convene("Why?", [SLOW])
    said = await client.command(table, commands.Say("Hear, hear."), key="k")
    assert said.entry is not None
    assert isinstance(said.entry.event, e.MessagePosted)
    assert await client.command(table, commands.Say("Hear, hear."), key="k") == said
    with pytest.raises(KeyReused):
        await client.command(table, commands.Pause(), key="k")
    await client.command(table, commands.Close())
    with pytest.raises(WrongState):
        await client.command(table, commands.Pause())


async def test_a_table_off_the_record(client: Client) -> None:
    table, _ = await client.convene("Why?", [QUICK], limits=ONCE, record=False)
    assert [entry async for entry in client.events(table)]
    assert (await client.transcript(table)).record is False


async def test_all_tables_over_several_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "_PAGE", 2)
    made = [(await client.convene(f"Why {number}?", [SLOW])).id for number in range(5)]
    assert [summary.id async for summary in client.tables()] == made[::-1]


async def test_refusals_are_the_errors_they_were(client: Client) -> None:
    with pytest.raises(NotFound):
        await client.transcript("nope")
    with pytest.raises(NotFound):
        await client.head("nope")
    with pytest.raises(NotFound):
        await anext(client.events("nope"))
    with pytest.raises(Invalid) as caught:
        await client.convene("Why?", [Panelist("Ada", "nope:x")])
    assert caught.value.field == "panel[0].model"


@pytest.mark.parametrize("table", ["", ".", "..", "a/../..", "x?y#z", "%2e%2e"])
async def test_an_id_stays_one_segment(client: Client, table: str) -> None:
    with pytest.raises((NotFound, Invalid)):
        await client.transcript(table)


async def test_the_secret_opens_the_door(tmp_path: Path) -> None:
    application = app.build(Config(data=tmp_path, secret="hunter2"))
    async with TestServer(application) as server:
        url = str(server.make_url(""))
        async with Client(url, secret="hunter2") as client:
            assert [each async for each in client.tables()] == []
        async with Client(url) as client:
            with pytest.raises(CallerError) as caught:
                await client.transcript("x")
    assert caught.value.code == "unauthorized"


# -- servers that fail ---------------------------------------------------------------------------------------------


async def test_a_reader_outlives_the_server(tmp_path: Path) -> None:
    options = {"text": " ".join(map(str, range(40))), "rate": 40}
    panel = [Panelist(name, "scripted:x", options=options) for name in ("Ada", "Ben")]
    got: list[e.Entry] = []
    links: list[str] = []
    async with serving(tmp_path) as first:
        port = str(urlsplit(first.url).port)
        async with Client(first.url, link=links.append) as client:
            table, _ = await client.convene("Why?", panel, limits=Limits(max_turns=3))
            async with aclosing(client.events(table)) as events:
                async for entry in events:
                    got.append(entry)
                    if isinstance(entry.event, e.TurnDelta):
                        break
                first.signal(signal.SIGKILL)
                await first.ended()
                async with serving(tmp_path, "--port", port):
                    got += [entry async for entry in events]
                    transcript = await client.transcript(table)
    assert fold(got) == transcript  # which it would refuse with a gap or a repetition
    assert transcript.status == "closed"
    assert links[0]
    assert links[1] == ""


async def test_a_stream_cut_in_the_middle_of_a_chunk(client: Client) -> None:
    table, _ = await client.convene("Why?", [QUICK], limits=ONCE)
    whole = [record async for record in client.records(table)]
    cut = iter(range(20, 100_000, 97))

    async def relay(request: web.Request) -> web.StreamResponse:
        assert client._connection.session
        headers = {"Last-Event-ID": request.headers["Last-Event-ID"]}
        async with client._connection.session.get(
            f"{client.base_url}{request.path}", headers=headers
        ) as response:
            wire = await response.read()
        answer = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Content-Length": "1000000"}
        )
        await answer.prepare(request)
        await answer.write(wire[: next(cut)])
        assert request.transport
        request.transport.abort()
        return answer

    async with answering(relay, sleep=at_once) as relayed:
        stream = relayed.records(table)
        assert [await anext(stream) for _ in whole] == whole
        await stream.aclose()


async def test_silence_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE", 0.05)
    asked: list[str] = []

    async def mute(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers["Last-Event-ID"])
        if len(asked) == 3:
            return web.Response(status=204)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await asyncio.Event().wait()
        return answer

    links: list[str] = []
    async with answering(mute, link=links.append, sleep=at_once) as client:
        assert [record async for record in client.records("x", Cursor(7, 3))] == []
    assert asked == ["7-3"] * 3
    assert "nothing was heard in time" in links[0]


async def test_a_command_is_sent_again_under_the_same_key() -> None:
    keys: list[str] = []

    async def busy(request: web.Request) -> web.StreamResponse:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            assert request.transport
            request.transport.abort()
        if len(keys) == 2:
            document = {"code": "log_unavailable", "detail": "Full.", "retryable": True}
            return web.json_response(document, status=503)
        return web.json_response({"outcome": "accepted", "position": 1}, status=202)

    async with answering(busy, sleep=at_once) as client:
        assert (await client.command("x", commands.Pause())).entry is None
    assert len(keys) == 3
    assert len(set(keys)) == 1


PROBLEM = '{"code":"x","detail":"y."}'


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (200, "<h1>Welcome to our hotel</h1>", Unreachable),
        (302, "", Unreachable),
        (404, "No", Unreachable),
        (400, "[1, 2]", Unreachable),
        (502, "Bad gateway", Unreachable),
        (503, PROBLEM, LogUnavailable),
        (418, PROBLEM, CallerError),
        (500, PROBLEM, RoundtableError),
    ],
)
async def test_a_stranger_answers(status: int, text: str, kind: type[RoundtableError]) -> None:
    async def stranger(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers={"Location": "http://elsewhere.example/"})

    async with answering(stranger) as client:
        for ask in (client.transcript("x"), anext(client.records("x", ZERO)), client.convene("Why?")):
            with pytest.raises(RoundtableError) as caught:
                await ask
            assert type(caught.value) is kind


async def test_the_secret_is_told_to_no_other_address() -> None:
    told: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        told.append(request.path)
        return web.Response(status=307, headers={"Location": "/other"})

    async with answering(elsewhere, secret="hunter2") as client:
        with pytest.raises(Unreachable) as caught:
            await client.transcript("x")
    assert told == ["/v1/roundtables/x"]
    assert "hunter2" not in caught.value.detail


async def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_ANSWER", 1000)

    async def endless(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b" " * 2000)

    async with answering(endless) as client:
        with pytest.raises(Unreachable):
            await client.transcript("x")


async def test_nobody_answers(unused_tcp_port: int) -> None:
    async with Client(f"http://127.0.0.1:{unused_tcp_port}") as client:
        with pytest.raises(Unreachable) as caught:
            await client.transcript("x")
    assert "refused" in caught.value.detail.lower()


async def test_a_reset_reaches_the_caller(client: Client) -> None:
    table, _ = await client.convene("Why?", [SLOW])
    with pytest.raises(Reset) as caught:
        await anext(client.events(table, Cursor(7, 3)))
    transcript = await client.transcript(table)
    assert caught.value.cursor <= Cursor.parse(transcript.cursor)
