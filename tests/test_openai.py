"""The Chat Completions dialect on a socket: what is sent, how it ends, and that the official SDK reads the same."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import openai
import pytest

from protocol.errors import Invalid, ProviderError
from protocol.messages import Message, Usage
from providers.base import Request, Stop, Text
from providers.openai import OpenAIProvider
from providers.presets import PRESETS
from tests.misbehaving import (
    DONE,
    END,
    HEAD,
    Act,
    MisbehavingServer,
    Step,
    answer,
    chunk,
    error,
    frame,
    stream,
)
from tests.test_calling import SEARCH, WITH_TOOLS
from tests.test_providers import PATIENCE, STOP, USAGE, WIRE, Heard, ask, delta, listen

KEY = "sk-proj-a1B2c3D4e5F6g7H8i9J0"


@asynccontextmanager
async def serve(
    *steps: Step, preset: str = "vllm", key: str = ""
) -> AsyncIterator[tuple[OpenAIProvider, MisbehavingServer]]:
    async with MisbehavingServer(steps) as server:
        provider = OpenAIProvider(
            msgspec.structs.replace(PRESETS[preset], base_url=server.url), key, now=lambda: 0.0
        )
        try:
            yield provider, server
        finally:
            await provider.close()


# -- What is sent -------------------------------------------------------------------------------------------------


async def sent(preset: str, request: Request, key: str = KEY) -> tuple[dict[str, str], dict[str, Any]]:
    async with serve(*WIRE["text"], preset=preset, key=key) as (provider, server):
        await listen(provider, request)
    return server.requests[0].headers, server.requests[0].body


async def test_the_request_holds_the_conversation_and_the_options() -> None:
    request = Request(
        "gpt", "Be brief.", (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "Well?")), 50,
        {"temperature": 0.5, "max_tokens": 70, "seed": 7, "extra_body": {"top_k": 3}},
    )  # fmt: skip
    headers, body = await sent("openai", request)
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": "gpt",
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Well?"},
        ],
        "max_completion_tokens": 50,
        "temperature": 0.5,
        "seed": 7,
        "top_k": 3,
    }


CALLS = [
    {"id": "a", "type": "function", "function": {"name": "search", "arguments": '{"q":"tea"}'}},
    {"id": "b", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
]


async def test_a_conversation_with_tools_is_sent_as_it_is() -> None:
    _, body = await sent("openai", msgspec.structs.replace(WITH_TOOLS, tool_choice="clock"))
    assert body["messages"][1:] == [
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "a", "content": "Green."},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "user", "content": "And?"},
        {"role": "assistant", "content": None, "tool_calls": [{**CALLS[1], "id": "c"}]},
        {"role": "tool", "tool_call_id": "c", "content": "Noon."},
    ]
    search = {"name": "search", "description": "Look it up.", "parameters": SEARCH.parameters, "strict": True}
    assert body["tools"] == [
        {"type": "function", "function": search},
        {"type": "function", "function": {"name": "clock"}},
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "clock"}}
    _, body = await sent("vllm", WITH_TOOLS)
    assert "tool_choice" not in body


async def test_gemini_is_told_again_of_calls_without_their_signatures() -> None:
    _, body = await sent("gemini", WITH_TOOLS)
    made = [call for message in body["messages"] for call in message.get("tool_calls", ())]
    assert {call["extra_content"]["google"]["thought_signature"] for call in made} == {
        "skip_thought_signature_validator"
    }


async def test_options_by_the_names_of_openais_clients() -> None:
    options: dict[str, Any] = {
        "max_completion_tokens": 9, "logprobs": True, "top_logprobs": 3, "logit_bias": {"17": -100}, "user": "u1",
        "n": 1, "frequency_penalty": 1, "presence_penalty": -1, "parallel_tool_calls": False, "stop": ["END"],
        "response_format": {"type": "json_object"}, "reasoning_effort": "low",
    }  # fmt: skip
    _, body = await sent("openai", ask(**options))
    del options["n"]  # one is what there is
    assert {name: body[name] for name in options} == options


async def test_mistral_is_sent_nothing_it_refuses() -> None:
    _, body = await sent("mistral", ask(seed=7, max_tokens=5))
    assert "stream_options" not in body
    assert (body["random_seed"], body["max_tokens"]) == (7, 5)
    assert body.keys() == {"model", "messages", "stream", "random_seed", "max_tokens"}


async def test_what_the_environment_says_of_openai_goes_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: gate-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    ours, _ = await sent("openai", ask())
    assert (ours["openai-organization"], ours["x-gateway"]) == ("org-secret", "gate-secret")
    theirs, _ = await sent("groq", ask(), key="")
    assert "secret" not in json.dumps(theirs)


async def test_a_panelist_cannot_take_the_stream_apart() -> None:
    provider = OpenAIProvider(PRESETS["ollama"])
    with pytest.raises(Invalid) as refused:
        provider.check({"extra_body": {"stream": False}})
    assert refused.value.field == "options.extra_body.stream"
    await provider.close()


@pytest.mark.parametrize(
    ("options", "field", "hint"),
    [
        ({"temprature": 1}, "options.temprature", "did you mean 'temperature'"),
        ({"frobnicate": 1}, "options.frobnicate", "known are temperature"),
        ({"temperature": "hot"}, "options.temperature", "Expected `float`"),
        ({"temperature": 9}, "options.temperature", "<= 2"),
        ({"top_logprobs": 3}, "options.top_logprobs", "needs 'logprobs'"),
        ({"logprobs": True, "top_logprobs": 21}, "options.top_logprobs", "<= 20"),
        ({"logit_bias": {"x": 1}}, "options.logit_bias", "regex"),
        ({"max_tokens": 3, "max_completion_tokens": 3}, "options.max_completion_tokens", "one option"),
        ({"n": 2}, "options.n", "2"),
        ({"max_tokens": 0}, "options.max_tokens", ">= 1"),
    ],
)
async def test_options_are_checked_without_a_network(options: dict[str, Any], field: str, hint: str) -> None:
    provider = OpenAIProvider(PRESETS["ollama"])
    with pytest.raises(Invalid, match=hint) as refused:
        provider.check(options)
    assert refused.value.field == field
    await provider.close()


# -- How a stream ends --------------------------------------------------------------------------------------------


async def test_closing_returns_when_the_connection_is_closed() -> None:
    async with serve(*WIRE["stall"]) as (provider, server):
        chunks = provider.stream(ask())
        await anext(chunks)
        assert not server.hung_up()
        await chunks.aclose()
        assert server.hung_up()


async def test_after_closing_the_server_can_send_no_more() -> None:
    async with serve(HEAD, Act.FLOOD) as (provider, server), asyncio.timeout(PATIENCE):
        chunks = provider.stream(ask())
        assert [await anext(chunks) for _ in range(3)] == [Text("word ")] * 3
        await chunks.aclose()
        sent = server.sent
        await server.gone.wait()
        assert server.sent <= sent + 1  # the one that it was writing


async def test_a_finished_stream_leaves_its_connection_for_the_next() -> None:
    async with serve(*WIRE["text"]) as (provider, server):
        for _ in range(3):
            await listen(provider, ask())
        assert server.connections == 1


async def test_done_ends_the_answer_though_the_connection_stays_open() -> None:
    after = chunk(delta(content="and after the end"))
    async with serve(HEAD, chunk(delta(content="Yes.")), chunk(STOP), chunk(DONE), after, Act.STALL) as (
        provider,
        _,
    ):
        async with asyncio.timeout(PATIENCE):
            heard, _ = await listen(provider, ask())
    assert heard == Heard(text="Yes.", stop="end")


async def test_a_refused_connection_names_what_to_start() -> None:
    async with MisbehavingServer([]) as server:
        url = server.url
    provider = OpenAIProvider(msgspec.structs.replace(PRESETS["ollama"], base_url=url))
    with pytest.raises(ProviderError) as failure:
        await anext(provider.stream(ask()))
    assert failure.value.detail == f"Nothing answers at {url.removesuffix('/v1')}: is Ollama running?"
    assert (failure.value.code, failure.value.retryable) == ("connection", True)
    await provider.close()


async def test_a_server_that_hangs_up_without_an_answer() -> None:
    async with serve(Act.CUT) as (provider, _):
        heard, _ = await listen(provider, ask())
    assert heard == Heard(error="connection", retryable=True)


async def test_no_proxy_stands_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(*WIRE["text"]) as (_, proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with serve(*WIRE["text"]) as (provider, _):
            await listen(provider, ask())
        assert not proxy.requests


async def test_no_redirect_is_followed() -> None:
    async with serve(*WIRE["text"]) as (_, elsewhere):
        async with serve(answer(307, b"", location=elsewhere.url + "/chat/completions")) as (provider, _):
            heard, _ = await listen(provider, ask())
        assert heard.error == "bad_request"
        assert not elsewhere.requests


# -- Failures -----------------------------------------------------------------------------------------------------


async def test_nothing_is_retried_here() -> None:
    async with serve(*WIRE["unavailable"]) as (provider, server):
        await listen(provider, ask())
        assert len(server.requests) == 1


async def test_a_rate_limit_may_name_a_date() -> None:
    limited = error(429, "Slow down.", headers={"retry_after": "Thu, 01 Jan 1970 00:01:30 GMT"})
    async with serve(limited) as (provider, _):
        heard, _ = await listen(provider, ask())
    assert heard.retry_after == 90.0


ECHOES = [
    [error(401, f"Incorrect API key provided: {KEY}.")],
    [error(400, f"Header 'Bearer {KEY}' is odd.")],
    [error(500, f"Trace: auth={KEY[:14]}***")],
    stream(frame({"error": {"message": f"key={KEY}", "code": 502}})),
]


@pytest.mark.parametrize("steps", ECHOES, ids=["401", "400", "part", "stream"])
async def test_a_key_that_the_server_echoes_goes_no_further(steps: list[Step]) -> None:
    async with serve(*steps, key=KEY, preset="groq") as (provider, _):
        with pytest.raises(ProviderError) as failure:
            await anext(provider.stream(ask()))
    printed = "".join(traceback.format_exception(failure.value))
    assert failure.value.detail in printed
    assert KEY[:9] not in printed


async def test_a_refused_key_is_named_by_its_variable() -> None:
    async with serve(*WIRE["auth"], key=KEY, preset="groq") as (provider, _):
        with pytest.raises(ProviderError, match="check GROQ_API_KEY"):
            await anext(provider.stream(ask()))


@pytest.mark.parametrize("key", ["sk-\nnewline", "sk-umlaut-ü"])
async def test_a_key_that_is_none_fails_the_turn_and_no_more(key: str) -> None:
    async with serve(*WIRE["text"], key=key) as (provider, _):
        with pytest.raises(ProviderError) as failure:
            await anext(provider.stream(ask()))
    assert key not in failure.value.detail


# -- The SDK's own reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["text", "thinking", "tools", "usage", "length", "refusal"])
async def test_the_sdk_reads_the_same(scenario: str) -> None:
    async with serve(*WIRE[scenario]) as (provider, server):
        heard, _ = await listen(provider, ask())
        client = openai.AsyncOpenAI(api_key="none", base_url=server.url, max_retries=0)
        theirs = await _fold(await client.chat.completions.create(model="m", messages=[], stream=True))
        await client.close()
    assert theirs == (heard.text, heard.thinking, list(heard.calls.values()), heard.usage)


async def _fold(chunks: openai.AsyncStream[Any]) -> tuple[str, str, list[tuple[str, str]], Usage | None]:
    text, thinking, usage = "", "", None
    calls: dict[int, tuple[str, str]] = {}
    async for piece in chunks:
        if piece.usage:
            asked, answered = piece.usage.prompt_tokens_details, piece.usage.completion_tokens_details
            usage = Usage(
                piece.usage.prompt_tokens, piece.usage.completion_tokens,
                answered.reasoning_tokens, asked.cached_tokens, asked.cache_write_tokens,
            )  # fmt: skip
        for choice in piece.choices:
            text += (choice.delta.content or "") + (choice.delta.refusal or "")
            extra = choice.delta.model_extra or {}
            thinking += extra.get("reasoning_content", "") + extra.get("reasoning", "")
            for part in choice.delta.tool_calls or ():
                name, arguments = calls.get(part.index, ("", ""))
                calls[part.index] = name + (part.function.name or ""), arguments + part.function.arguments
    return text, thinking, list(calls.values()), usage


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_the_socket_may_cut_anywhere(size: int) -> None:
    body = b"".join([delta(content="Hello, "), delta(content="wörld 🌍"), STOP, USAGE, DONE])
    pieces = [chunk(body[at : at + size]) for at in range(0, len(body), size)]
    async with serve(HEAD, *pieces, END) as (provider, _):
        heard, chunks = await listen(provider, ask())
    assert heard.text == "Hello, wörld 🌍"
    assert chunks[-1] == Stop("end", Usage(20, 9, 4, 8, 5))


# -- Models -------------------------------------------------------------------------------------------------------


async def test_models_are_listed() -> None:
    listed = {"data": [{"id": "llama3.2:3b"}, {"id": "table", "owned_by": "roundtable"}, {"id": "qwen3"}]}
    async with serve(answer(200, json.dumps(listed).encode())) as (provider, server):
        assert await provider.models(within=PATIENCE) == ["llama3.2:3b", "qwen3"]
        assert server.requests[0].line == "GET /v1/models HTTP/1.1"


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([answer(200, b"<html>", kind="text/html")], "malformed"),
        ([answer(200, b'["a"]')], "malformed"),
        ([answer(404, b"")], "model_not_found"),
        ([Act.STALL], "timeout"),
    ],
    ids=["page", "list", "missing", "stall"],
)
async def test_a_list_of_models_may_fail_too(steps: list[Step], code: str) -> None:
    async with serve(*steps) as (provider, _):
        with pytest.raises(ProviderError) as failure:
            await provider.models(within=0.05 if steps == [Act.STALL] else PATIENCE)
    assert failure.value.code == code
