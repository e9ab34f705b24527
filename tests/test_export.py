"""The files a server gives away, and their names."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.cursor import Cursor
from protocol.errors import LogUnavailable
from protocol.transcript import Transcript
from roundtable import exporting
from roundtable.edge import keys
from roundtable.edge.tables import export
from roundtable.log.base import Record
from tests.serving import QUICK, TABLES, Client, Connect, convene, frames, problem, serve

ONCE = {"max_rounds": 1}


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


@pytest.mark.parametrize(
    ("format", "kind", "begins"),
    [
        ("md", "text/markdown", "# Why?\n"),
        ("html", "text/html", "<!doctype html>\n"),
        ("json", "application/json", '{"cursor":"'),
        ("jsonl", "application/x-ndjson", '{"id":"'),
    ],
)
async def test_each_form(client: Client, format: str, kind: str, begins: str) -> None:
    table = await convene(client, panel=[QUICK], limits=ONCE)
    said = [frame for frame in await frames(client, table) if frame.id]
    response = await client.get(f"{TABLES}/{table}/export?format={format}")
    text = await response.text()
    assert (response.status, response.content_type) == (200, kind)
    assert response.headers["Content-Disposition"].startswith(f'attachment; filename="Why.{format}";')
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'"
    )
    assert text.startswith(begins)
    assert "Hello there." in text
    if format == "json":
        assert json.loads(text) == await (await client.get(f"{TABLES}/{table}")).json()
    if format == "jsonl":
        entries = [json.loads(line) for line in text.split("\n")[:-1]]
        assert [entry.pop("id") for entry in entries] == [frame.id for frame in said]
        assert entries == [json.loads(frame.data) for frame in said]


async def test_markdown_unless_asked(client: Client) -> None:
    response = await client.get(f"{TABLES}/{await convene(client)}/export")
    assert response.content_type == "text/markdown"


async def test_what_cannot_be_exported(client: Client) -> None:
    table = await convene(client)
    response = await client.get(f"{TABLES}/{table}/export?format=pdf")
    assert await problem(response) == (400, "invalid", "format")
    assert "md, html, json, jsonl" in (await response.json())["detail"]
    response = await client.get(f"{TABLES}/nope/export?format=jsonl")
    assert await problem(response) == (404, "not_found", "")


async def test_a_log_that_fails_midway_leaves_no_whole_file(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pages(_: object, __: str) -> AsyncGenerator[list[Record]]:
        yield [Record(Cursor(7, 1), b'{"type":"x","at":1}')]
        raise LogUnavailable("The disk is gone.")

    monkeypatch.setattr(exporting, "pages", pages)
    wire = await raw(client, f"{TABLES}/{await convene(client)}/export?format=jsonl")
    assert b'{"id":"7-1","type":"x","at":1}' in wire
    assert wire.count(b"HTTP/1.1") == 1
    assert not wire.endswith(b"0\r\n\r\n")


async def test_who_does_not_read_is_cut_off(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    left = asyncio.Event()

    async def pages(_: object, __: str) -> AsyncGenerator[list[Record]]:
        try:
            while True:
                yield [Record(Cursor(7, 1), b"{" + b" " * 1_000_000)]
        finally:
            left.set()

    monkeypatch.setattr(export, "PAGE_WITHIN", 0.1)
    monkeypatch.setattr(exporting, "pages", pages)
    wire = await raw(client, f"{TABLES}/{await convene(client)}/export?format=jsonl", when=left)
    assert not wire.endswith(b"0\r\n\r\n")


async def raw(client: Client, path: str, when: asyncio.Event | None = None) -> bytes:
    """Everything on the wire, read from the moment `when`, as far as it came."""
    address = urlsplit(str(client.make_url("")))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    wire = b""
    try:
        if when:
            await when.wait()
        while piece := await reader.read(1 << 20):
            wire += piece
    except ConnectionError:  # aborted, not ended
        pass
    finally:
        writer.close()
    return wire


@given(st.text(max_size=200))
def test_a_name_from_any_topic_is_one_header_and_one_file(topic: str) -> None:
    header = exporting.disposition(Transcript(topic=topic), "md")
    match = re.fullmatch(
        r"""attachment; filename="([A-Za-z0-9-]+\.md)"; filename\*=UTF-8''([A-Za-z0-9%._~-]+)""", header
    )
    assert match
    assert re.fullmatch(r"[\w-]+\.md", unquote(match[2]))
    assert not match[2].startswith(".")


async def test_what_is_written_meanwhile_is_left_out(client: Client) -> None:
    table = await convene(client, panel=[QUICK], limits=ONCE)
    await frames(client, table)
    log = client.app[keys.LOG]
    first = await log.read(f"table/{table}", 0, limit=3)

    class Cut:
        """The log as it was after three entries."""

        async def last(self, _: str) -> Record:
            return first[-1]

        read = log.read

    pages = [page async for page in exporting.pages(Cut(), f"table/{table}")]  # type: ignore[arg-type]
    assert pages == [first]
