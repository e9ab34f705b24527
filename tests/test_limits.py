"""What one caller may take, and what is said beyond it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roundtable.edge import limits
from tests.serving import JSON, SLOW, TABLES, Client, Connect, convene, problem, serve


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_a_form_is_refused(client: Client, kind: str) -> None:
    response = await client.post(TABLES, data=b'{"topic":"Why?"}', headers={"Content-Type": kind})
    assert await problem(response) == (415, "unsupported_media_type", "")


async def test_a_charset_is_no_obstacle(client: Client) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    body = json.dumps({"topic": "Warum?", "panel": [SLOW]}).encode()
    assert (await client.post(TABLES, data=body, headers=headers)).status == 201


async def test_a_body_that_is_not_what_its_headers_say(client: Client) -> None:
    response = await client.post(TABLES, data=b"{}", headers={**JSON, "Content-Encoding": "gzip"})
    assert await problem(response) == (400, "malformed_body", "")


async def test_ten_megabytes_are_refused_and_the_connection_lives(client: Client) -> None:
    body = json.dumps({"topic": "x" * 10_000_000}).encode()
    response = await client.post(TABLES, data=io.BytesIO(body), headers=JSON)
    assert "8,043,178 bytes" in (await response.json())["detail"]
    assert await problem(response) == (413, "too_large", "")
    assert (await client.get("/healthz")).status == 200


async def test_a_body_without_a_length_is_bounded_too(client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(140):
            yield b"x" * 65_536

    response = await client.post(TABLES, data=endless(), headers=JSON)
    assert await problem(response) == (413, "too_large", "")


async def test_a_length_that_is_announced_is_not_waited_for(client: Client) -> None:
    host, port = client.server.host, client.server.port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"POST {TABLES} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {10**12}\r\n\r\n".encode()
    )
    assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_full_house_asks_to_come_again(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(aiohttp_client, data=tmp_path, max_streams=1)
    path = f"{TABLES}/{await convene(client)}/events"
    async with client.get(path) as first:
        await first.content.readline()
        second = await client.get(path)
        assert (second.status, second.content_type) == (200, "text/event-stream")
        assert (await second.read()).startswith(b"retry: ")
    assert "roundtable_streams_limit 1\n" in await (await client.get("/metrics")).text()


async def test_too_many_posts_are_told_when_to_come_again(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(aiohttp_client, data=tmp_path, posts_per_second=0.01)
    assert (await client.post(TABLES, data=b"{}", headers=JSON)).status == 400
    response = await client.post(TABLES, data=b"{}", headers=JSON)
    assert int(response.headers["Retry-After"]) > 90
    assert await problem(response) == (429, "too_many_requests", "")
    assert (await client.get(TABLES)).status == 200


async def test_who_posted_all_he_may_is_let_end_what_he_began(
    tmp_path: Path, aiohttp_client: Connect
) -> None:
    client = await serve(aiohttp_client, data=tmp_path, posts_per_second=0.01)
    begun = await client.post("/invoke", json={"tool": "vector_markov", "detach": True, "stream": False})
    assert (await client.post("/invoke", json={})).status == 429
    own = (await begun.json())["links"]["self"]
    assert (await client.delete(own)).status == 204
    assert (await client.delete(own)).status == 429


CHAT = {"model": "roundtable/default", "messages": [{"role": "user", "content": "Why?"}]}


async def test_too_many_tables(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(aiohttp_client, data=tmp_path, tables_per_minute=0.1)
    await convene(client)
    ask = {"topic": "Why?", "panel": [SLOW]}
    for path, body in [
        (TABLES, ask),
        ("/v1/threads", {"model": "scripted:x"}),
        ("/invoke", {"tool": "convene", "args": ask}),
        ("/invoke", {"tool": "race", "args": {"contestants": [{"address": "tool/convene", "args": ask}]}}),
    ]:
        assert await problem(await client.post(path, json=body)) == (429, "too_many_requests", "")
    response = await client.post("/v1/chat/completions", json=CHAT)
    assert (response.status, (await response.json())["error"]["code"]) == (429, "rate_limit_exceeded")


def test_a_callers_network_is_one_caller() -> None:
    def address(peer: str) -> str:
        return limits.address(type("R", (), {"remote": peer})())

    assert address("10.0.0.1") != address("10.0.0.2")
    assert address("2001:db8::1") == address("2001:db8::ffff:2")
    assert address("2001:db8:0:1::1") != address("2001:db8:0:2::1")
    assert address("fe80::1%eth0") == address("fe80::2")


def test_a_bucket_refills_with_time() -> None:
    now = [0.0]
    bucket = limits.Buckets(rate=2, burst=3, clock=lambda: now[0])
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take("b") == 0
    now[0] = 0.5
    assert bucket.wait("a") == 0
    assert [bucket.take("a") for _ in range(2)] == [0, 0.5]
    now[0] = 1_000.0
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_buckets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ADDRESSES", 2)
    bucket = limits.Buckets(rate=1, burst=1, clock=lambda: 0.0)
    for address in "abca":
        assert bucket.take(address) == 0  # a was forgotten when c came
    assert bucket.take("c") > 0
