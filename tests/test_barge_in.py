"""Taking the floor from a model on a wire: its connection is closed, and nothing behind the sentence's end is kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from providers.placement import Custom
from tests.serving import TABLES, Client, Connect, convene, serve, tell

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
FRAME = 'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n'


class Upstream:
    """A server of OpenAI's dialect that says what it is given, when it is; `gone` when its client has hung up."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._waiting = ""

    def say(self, words: str) -> None:
        self._waiting += FRAME % words
        if self._writer is not None and not self.gone.is_set():
            self._writer.write(self._waiting.encode())
            self._waiting = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        self._writer = writer
        self.say("I say so")
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass
        self.gone.set()
        writer.close()


@asynccontextmanager
async def upstream() -> AsyncIterator[tuple[Upstream, str]]:
    model = Upstream()
    server = await asyncio.start_server(model.answer, "127.0.0.1", 0)
    try:
        yield model, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


@asynccontextmanager
async def speaking(tmp_path: Path, connect: Connect) -> AsyncIterator[tuple[Upstream, Client, str]]:
    """Ada has said `I say so` and goes on."""
    async with upstream() as (model, url):
        client = await serve(connect, data=tmp_path, providers={"house": Custom("openai", url)})
        table = await convene(client, panel=[{"name": "Ada", "model": "house:x"}], then="rest")
        await said(client, table, "I say so")
        yield model, client, table


async def said(client: Client, table: str, text: str) -> None:
    """Wait until the log has that."""
    async with client.get(f"{TABLES}/{table}/events") as events, asyncio.timeout(10):
        heard = b""
        async for line in events.content:
            heard += line
            if text.encode() in heard:
                return


async def ended(client: Client, table: str) -> dict[str, Any]:
    await said(client, table, '"type":"turn.cancelled"')
    snapshot = await (await client.get(f"{TABLES}/{table}")).json()
    turn: dict[str, Any] = snapshot["transcript"]["turns"][0]
    return turn


async def test_the_stream_is_closed_at_the_end_of_the_sentence(
    tmp_path: Path, aiohttp_client: Connect
) -> None:
    async with speaking(tmp_path, aiohttp_client) as (model, client, table):
        answer = await (await tell(client, table, "k", type="barge_in", text="Stop!")).json()
        assert (answer["event"]["type"], answer["event"]["within"]) == ("turn.yielding", 2.0)
        assert not model.gone.is_set(), "she may end her sentence"
        model.say(" and so. And")
        turn = await ended(client, table)
        assert (turn["status"], turn["reason"], turn["text"]) == ("cancelled", "barge_in", "I say so and so.")
        async with asyncio.timeout(10):
            await model.gone.wait()
        told = await (await client.get(f"{TABLES}/{table}/export?format=jsonl")).text()
        assert "And" not in told


@pytest.mark.parametrize(
    "command",
    [
        {"type": "skip"},
        {"type": "swap", "panelist": "Ada", "seat": {"name": "Ada", "model": "scripted:ada"}},
        {"type": "cancel", "turn": "t1"},
        {"type": "close"},
    ],
)
async def test_what_cuts_her_closes_the_stream_without_a_further_word(
    tmp_path: Path, aiohttp_client: Connect, command: dict[str, Any]
) -> None:
    async with speaking(tmp_path, aiohttp_client) as (model, client, table):
        answer = await tell(client, table, "k", **command)
        assert answer.status == 200
        assert (await ended(client, table))["text"] == "I say so"
        async with asyncio.timeout(10):
            await model.gone.wait()  # though nothing is written to it


async def test_muting_and_removing_her_do_too(tmp_path: Path, aiohttp_client: Connect) -> None:
    for kind in ("mute", "remove"):
        async with speaking(tmp_path / kind, aiohttp_client) as (model, client, table):
            seat = {"name": "Ben", "model": "scripted:ben", "options": {"ttft": 3600}}
            await tell(client, table, "k1", type="add", seat=seat)
            assert (await tell(client, table, "k2", type=kind, panelist="Ada")).status == 200
            assert (await ended(client, table))["reason"] == {"mute": "muted", "remove": "removed"}[kind]
            async with asyncio.timeout(10):
                await model.gone.wait()
