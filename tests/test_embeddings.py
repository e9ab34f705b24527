"""Embeddings, of every provider that has them: the contract of `providers.base.Embeds`, and how they are configured."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from protocol.errors import Invalid, ProviderError
from providers.base import Chunk, Embeds, Request
from providers.catalog import Catalog
from providers.openai import OpenAIProvider
from providers.openai_client import EMBEDDINGS_LIMIT, OpenAIServer
from providers.presets import PRESETS
from providers.responses import ResponsesProvider
from providers.scripted import ScriptedProvider
from roundtable.deliberation.dispersion import by_embeddings
from tests.misbehaving import Act, MisbehavingServer, Step, answer, chunk, error
from tests.serving import QUICK, TABLES, Client, frames, serve

KEY = "sk-proj-a1B2c3D4e5F6g7H8i9J0"
TEXTS = ["one", "two"]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
dialects = pytest.mark.parametrize("dialect", [OpenAIProvider, ResponsesProvider])


def embeddings(*vectors: Any, tokens: int | None = 7) -> bytes:
    listed = [
        {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
    ]
    usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return answer(200, json.dumps({"object": "list", "data": listed[::-1], "model": "m", **usage}).encode())


@asynccontextmanager
async def behind(
    *steps: Step, dialect: type[OpenAIServer] = OpenAIProvider
) -> AsyncIterator[tuple[OpenAIServer, MisbehavingServer]]:
    async with MisbehavingServer(steps) as server:
        provider = dialect(
            msgspec.structs.replace(PRESETS["vllm"], base_url=server.url), KEY, now=lambda: 0.0
        )
        try:
            yield provider, server
        finally:
            await provider.close()


@dialects
async def test_vectors_come_in_the_order_of_the_texts(dialect: type[OpenAIServer]) -> None:
    async with behind(embeddings([1, 0.5], [0.25, 2]), dialect=dialect) as (provider, server):
        assert isinstance(provider, Embeds)
        found = await provider.embed("m", TEXTS)
    assert (found.vectors, found.tokens) == ([[1.0, 0.5], [0.25, 2.0]], 7)
    (request,) = server.requests
    assert request.line.startswith("POST /v1/embeddings")
    assert request.body == {"model": "m", "input": TEXTS, "encoding_format": "float"}


async def test_a_server_may_tell_no_usage() -> None:
    async with behind(embeddings([1], [2], tokens=None)) as (provider, _):
        assert (await provider.embed("m", TEXTS)).tokens is None


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([error(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key")], "auth"),
        ([error(404, "No such model.", code="model_not_found")], "model_not_found"),
        ([error(429, "Slow down.")], "rate_limited"),
        ([embeddings([1])], "malformed"),
        ([embeddings([1], [2], [3])], "malformed"),
        ([embeddings("AAAA", "BBBB")], "malformed"),
        ([answer(200, b"<html>")], "malformed"),
        ([answer(200, b'{"data": [{"index": 0, "embedding": [NaN]}]}')], "malformed"),
        ([HEAD, chunk(b'{"data": ['), Act.CUT], "connection"),
        ([Act.CUT], "connection"),
    ],
    ids=["key", "model", "busy", "few", "many", "base64", "page", "nan", "cut within", "cut"],
)
async def test_what_goes_wrong_is_typed_and_tells_no_secret(steps: list[Step], code: str) -> None:
    async with behind(*steps) as (provider, _):
        with pytest.raises(ProviderError) as caught:
            await provider.embed("m", TEXTS)
    assert caught.value.code == code
    assert KEY not in str(caught.value)


async def test_an_answer_without_end_is_read_to_its_bound() -> None:
    async with behind(HEAD, Act.FLOOD) as (provider, server):
        server.flood = b" " * 65_536
        with pytest.raises(ProviderError, match="more embeddings than it was asked for"):
            await provider.embed("m", TEXTS)
    assert server.sent < 2 * EMBEDDINGS_LIMIT / 65_536


async def test_a_provider_that_was_closed_says_so() -> None:
    async with behind() as (provider, _):
        await provider.close()
        with pytest.raises(ProviderError):
            await provider.embed("m", TEXTS)


@pytest.mark.parametrize(
    "steps", [[Act.STALL], [HEAD, chunk(b"{"), Act.STALL]], ids=["silent", "in the middle"]
)
async def test_who_stops_waiting_closes_the_connection(steps: list[Step]) -> None:
    async with behind(*steps) as (provider, server):
        asking = asyncio.create_task(provider.embed("m", TEXTS))
        await server.asked.wait()
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.wait_for(server.gone.wait(), 5)


async def test_scripted_embeddings_are_near_where_words_are_the_same() -> None:
    async def apart(*texts: str) -> float:
        return by_embeddings((await ScriptedProvider().embed("x", texts)).vectors)

    assert await apart("to flag letters", "Letters to FLAG") == pytest.approx(0)
    assert await apart("to flag letters", "never at all") == pytest.approx(1)
    assert await apart("", "") == 0
    assert (await ScriptedProvider().embed("x", ["to flag letters", "never"])).tokens == 4


# -- configured --------------------------------------------------------------------------------------------------


class Mute:
    """As `Provider`, and no more."""

    name, local, destination = "mute", True, "nobody"

    def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("model", "why", "code"),
    [
        ("nonsense", "is no model", "invalid"),
        ("opneai:x", "did you mean 'openai'", "invalid"),
        ("openai:text-embedding-3-small", "set OPENAI_API_KEY", "not_configured"),
        ("mute:x", "mute has none", "invalid"),
        ("llama:none", "No folder of models", "not_configured"),
    ],
)
async def test_a_model_that_cannot_be_is_told_at_the_start(model: str, why: str, code: str) -> None:
    with pytest.raises(Invalid, match=why) as caught:
        Catalog({}, own={"mute": Mute()}, embeddings=model)
    assert caught.value.field == "embeddings"
    assert caught.value.code == code


async def test_a_server_with_embeddings_measures_by_them(aiohttp_client: Any) -> None:
    client: Client = await serve(aiohttp_client, embeddings="scripted:words")
    panel = [QUICK, {**QUICK, "name": "Ben", "options": {"text": "There, hello.", "rate": 0}}]
    body = {"topic": "Why?", "panel": panel, "limits": {"max_rounds": 1}}
    table = (await (await client.post(TABLES, json=body)).json())["id"]
    said = [json.loads(frame.data) for frame in await frames(client, table) if frame.data]
    (entropy,) = [one for one in said if one["type"] == "entropy"]
    assert (entropy["method"], entropy["model"], entropy["voices"]) == ("embedding", "scripted:words", 2)
    assert entropy["cost"] == {"dollars": 0.0}
