"""A whole server for tests - log, host and scripted models behind it - and short ways to talk to it."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from protocol import sse
from roundtable.config import Config
from roundtable.edge import app

Client = TestClient[web.Request, web.Application]

TABLES = "/v1/roundtables"
JSON = {"Content-Type": "application/json"}
# Speaks at once, and never in a test's lifetime.
QUICK = {"name": "Ada", "model": "scripted:ada", "options": {"text": "Hello there.", "rate": 0, "ttft": 0}}
SLOW = {"name": "Ben", "model": "scripted:ben", "options": {"text": "Hello there.", "ttft": 3600}}


Connect = Callable[[TestServer], Awaitable[Client]]


async def serve(connect: Connect, **settings: Any) -> Client:
    """A client of a whole server with these settings; `connect` is pytest-aiohttp's `aiohttp_client`."""
    return await connect(TestServer(app.build(Config(**settings))))


async def problem(response: ClientResponse) -> tuple[int, str, str]:
    """Status, code and field of a problem document, whose form is checked on the way."""
    assert response.content_type == "application/problem+json"
    document = await response.json()
    assert document["status"] == response.status
    assert document["type"] == f"urn:roundtable:problem:{document['code']}"
    assert document["title"]
    assert document["detail"].endswith((".", "?"))
    assert isinstance(document["retryable"], bool)
    return response.status, document["code"], document.get("field", "")


async def convene(client: Client, **body: Any) -> str:
    """A table where somebody has the floor and keeps it."""
    response = await client.post(TABLES, json={"topic": "Why?", "panel": [SLOW], **body})
    assert response.status == 201, await response.text()
    return str((await response.json())["id"])


async def tell(client: Client, table: str, key: str, **command: Any) -> ClientResponse:
    return await client.post(f"{TABLES}/{table}/commands", json=command, headers={"Idempotency-Key": key})


async def frames(client: Client, table: str) -> list[sse.Frame]:
    """Everything said at a table, to its end."""
    async with client.get(f"{TABLES}/{table}/events") as response:
        assert response.status == 200
        decoder = sse.Decoder()
        return [frame async for chunk in response.content.iter_any() for frame in decoder.feed(chunk)]
