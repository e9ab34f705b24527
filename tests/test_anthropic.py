"""The Messages dialect on a socket: what is sent, how it ends, and that the official SDK reads the same."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import msgspec
import pytest

from protocol.errors import Invalid, ProviderError
from protocol.messages import Call, Message, Usage
from providers.anthropic import AnthropicProvider
from providers.base import Request, Stop, Text
from providers.messages_options import MOST_TOKENS
from providers.presets import PRESETS
from tests.misbehaving import END, HEAD, Act, MisbehavingServer, Step, answer, chunk, stream
from tests.misbehaving_messages import COUNTED, START, WIRE, delta, failed, over, refusal, text
from tests.test_calling import SEARCH, WITH_TOOLS
from tests.test_providers import PATIENCE, Heard, ask, listen

KEY = "sk-ant-api03-a1B2c3D4e5F6g7H8i9J0"
MARK = {"type": "ephemeral"}


@asynccontextmanager
async def serve(
    *steps: Step, name: str = "anthropic", key: str = ""
) -> AsyncIterator[tuple[AnthropicProvider, MisbehavingServer]]:
    async with MisbehavingServer(steps, flood=delta("text", text="word ")) as server:
        preset = msgspec.structs.replace(PRESETS["anthropic"], name=name, base_url=server.url)
        provider = AnthropicProvider(preset, key, now=lambda: 0.0)
        try:
            yield provider, server
        finally:
            await provider.close()


# -- What is sent -------------------------------------------------------------------------------------------------


async def sent(
    request: Request, name: str = "anthropic", key: str = KEY
) -> tuple[dict[str, str], dict[str, Any]]:
    async with serve(*WIRE["text"], name=name, key=key) as (provider, server):
        await listen(provider, request)
    assert server.requests[0].line == "POST /v1/messages HTTP/1.1"
    return server.requests[0].headers, server.requests[0].body


async def test_the_request_holds_the_conversation_the_options_and_the_cache_marks() -> None:
    request = Request(
        "claude", "Be brief.", (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "Well?")), 50,
        {"effort": "high", "thinking": "adaptive", "max_tokens": 70, "stop_sequences": ["END"]},
    )  # fmt: skip
    headers, body = await sent(request)
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["anthropic-version"]
    assert body == {
        "model": "claude",
        "stream": True,
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "text", "text": "Yes?", "cache_control": MARK}]},
            {"role": "user", "content": "Well?"},
        ],
        "output_config": {"effort": "high"},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "stop_sequences": ["END"],
    }


async def test_results_of_calls_are_one_message_with_what_the_user_says_then() -> None:
    _, body = await sent(WITH_TOOLS)
    assert body["messages"] == [
        {"role": "user", "content": "Well?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "a", "name": "search", "input": {"q": "tea"}},
                {"type": "tool_use", "id": "b", "name": "clock", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "Green."},
                {"type": "tool_result", "tool_use_id": "b"},
                {"type": "text", "text": "And?"},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c", "name": "clock", "input": {}, "cache_control": MARK}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "Noon."}]},
    ]
    nothing = {"type": "object", "properties": {}}
    search = {
        "name": "search",
        "description": "Look it up.",
        "input_schema": SEARCH.parameters,
        "strict": True,
    }
    assert body["tools"] == [search, {"name": "clock", "input_schema": nothing}]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("required", True, {"type": "any"}),
        ("clock", False, {"type": "tool", "name": "clock", "disable_parallel_tool_use": True}),
    ],
)
async def test_who_chooses_the_tool(choice: str, parallel: bool, expected: dict[str, Any]) -> None:
    options = {"parallel_tool_calls": parallel}
    _, body = await sent(msgspec.structs.replace(WITH_TOOLS, tool_choice=choice, options=options))
    assert body["tool_choice"] == expected


async def test_arguments_that_are_no_object_are_refused_and_not_sent() -> None:
    messages = (
        Message("user", "x"),
        Message("assistant", "", (Call("a", "clock", "{oops"),)),
        Message("tool", "", call="a"),
    )
    async with serve(*WIRE["text"]) as (provider, server):
        heard, _ = await listen(provider, Request("m", "", messages))
    assert (heard.error, server.requests) == ("bad_request", [])


async def test_options_by_the_names_of_openais_clients() -> None:
    shape = {
        "type": "json_schema",
        "json_schema": {"name": "vote", "schema": {"type": "object"}, "strict": True},
    }
    options: dict[str, Any] = {
        "stop": "END",
        "max_completion_tokens": 9,
        "user": "u1",
        "reasoning_effort": "low",
        "n": 1,
    }
    _, body = await sent(ask(**options, response_format=shape))
    assert (body["stop_sequences"], body["max_tokens"], body["metadata"]) == (["END"], 9, {"user_id": "u1"})
    assert body["output_config"] == {
        "effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}},
    }  # fmt: skip


async def test_a_short_request_holds_only_what_the_api_demands() -> None:
    _, body = await sent(msgspec.structs.replace(ask(), system=""))
    assert body == {
        "model": "m", "stream": True, "max_tokens": 4096, "messages": [{"role": "user", "content": "Well?"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "room", "limit", "thinking"),
    [
        ({}, 300, 300, None),
        ({}, 9000, 9000, None),
        ({}, 10**6, MOST_TOKENS, None),
        ({"max_tokens": 70}, None, 70, None),
        ({"thinking": {"budget_tokens": 2000}}, None, 4096, {"type": "enabled", "budget_tokens": 2000}),
        ({"thinking": {"budget_tokens": 8000}}, 9000, 9000, {"type": "enabled", "budget_tokens": 8000}),
        ({"thinking": {"budget_tokens": 2000}}, 2000, 2000, None),
        ({"thinking": "disabled"}, None, 4096, {"type": "disabled"}),
    ],
    ids=[
        "table",
        "table, more",
        "table, too much",
        "own",
        "budget",
        "large budget",
        "no room to think",
        "disabled",
    ],
)
async def test_limits(options: dict[str, Any], room: int | None, limit: int, thinking: Any) -> None:
    _, body = await sent(msgspec.structs.replace(ask(**options), max_tokens=room))
    assert (body["max_tokens"], body.get("thinking")) == (limit, thinking)


async def test_what_the_environment_says_of_anthropic_goes_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Gateway: gate-secret")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-secret")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-secret")
    ours, _ = await sent(ask())
    assert (ours["x-gateway"], ours["authorization"]) == ("gate-secret", f"Bearer {KEY}")
    theirs, _ = await sent(ask(), "house", key="")
    assert "secret" not in json.dumps(theirs)


@pytest.mark.parametrize(
    ("options", "field", "hint"),
    [
        ({"temperature": 1}, "options.temperature", "no 'temperature' any more"),
        ({"top_k": 3}, "options.top_k", "no 'top_k' any more"),
        ({"logprobs": True}, "options.logprobs", "has no 'logprobs'"),
        ({"seed": 3}, "options.seed", "has no 'seed'"),
        ({"response_format": {"type": "json_object"}}, "options.response_format.type", "json_object"),
        ({"efort": "low"}, "options.efort", "did you mean 'effort'"),
        ({"effort": "huge"}, "options.effort", "Invalid enum value 'huge'"),
        ({"max_tokens": 0}, "options.max_tokens", ">= 1"),
        ({"stop_sequences": 3}, "options.stop_sequences", "Expected `str | array`"),
        ({"thinking": "sometimes"}, "options.thinking", "Invalid enum value 'sometimes'"),
        ({"thinking": {"budget_tokens": 9}}, "options.thinking.budget_tokens", ">= 1024"),
        ({"thinking": {"budget_tokens": 4096}}, "options.thinking.budget_tokens", "below 4096"),
        (
            {"thinking": {"budget_tokens": 2048}, "max_tokens": 2048},
            "options.thinking.budget_tokens",
            "below 2048",
        ),
    ],
)
async def test_options_are_checked_without_a_network(options: dict[str, Any], field: str, hint: str) -> None:
    provider = AnthropicProvider(PRESETS["anthropic"])
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


async def test_message_stop_ends_the_answer_though_the_connection_stays_open() -> None:
    async with serve(HEAD, chunk(START + text("Yes.") + over("end_turn")), chunk(text("No.")), Act.STALL) as (
        provider,
        _,
    ):
        async with asyncio.timeout(PATIENCE):
            heard, _ = await listen(provider, ask())
    assert heard == Heard(text="Yes.", stop="end")


async def test_a_refused_connection_is_named() -> None:
    async with MisbehavingServer([]) as server:
        url = server.url
    provider = AnthropicProvider(msgspec.structs.replace(PRESETS["anthropic"], base_url=url))
    with pytest.raises(ProviderError, match="Nothing answers at") as failure:
        await anext(provider.stream(ask()))
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
            heard, _ = await listen(provider, ask())
        assert heard.stop == "end"
        assert not proxy.requests


async def test_no_redirect_is_followed() -> None:
    async with serve(*WIRE["text"]) as (_, elsewhere):
        async with serve(answer(307, b"", location=elsewhere.url + "/messages")) as (provider, _):
            heard, _ = await listen(provider, ask())
        assert heard.error == "bad_request"
        assert not elsewhere.requests


# -- Failures -----------------------------------------------------------------------------------------------------


async def test_nothing_is_retried_here() -> None:
    async with serve(*WIRE["unavailable"]) as (provider, server):
        await listen(provider, ask())
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (refusal(403, "permission_error", "Not yours."), "auth"),
        (refusal(402, "billing_error", "Pay first."), "quota"),
        (refusal(413, "request_too_large", "Request exceeds the maximum size"), "context_overflow"),
        (
            refusal(
                400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 9 + 9 > 10"
            ),
            "context_overflow",
        ),
        (refusal(500, "api_error", "Internal server error"), "unavailable"),
        (refusal(504, "timeout_error", "Took too long"), "timeout"),
    ],
)
async def test_what_a_refusal_means(step: bytes, code: str) -> None:
    async with serve(step) as (provider, _):
        heard, _ = await listen(provider, ask())
    assert heard.error == code


ECHOES = [
    [refusal(401, "authentication_error", f"invalid x-api-key: {KEY}")],
    [refusal(400, "invalid_request_error", f"Header 'x-api-key: {KEY}' is odd.")],
    [refusal(500, "api_error", f"Trace: auth={KEY[:14]}***")],
    stream(failed("api_error", f"key={KEY}")),
]


@pytest.mark.parametrize("steps", ECHOES, ids=["401", "400", "part", "stream"])
async def test_a_key_that_the_server_echoes_goes_no_further(steps: list[Step]) -> None:
    async with serve(*steps, key=KEY) as (provider, _):
        with pytest.raises(ProviderError) as failure:
            await anext(provider.stream(ask()))
    printed = "".join(traceback.format_exception(failure.value))
    assert failure.value.detail in printed
    assert KEY[:9] not in printed


async def test_a_refused_key_is_named_by_its_variable() -> None:
    async with serve(*WIRE["auth"], key=KEY) as (provider, _):
        with pytest.raises(ProviderError, match="check ANTHROPIC_API_KEY"):
            await anext(provider.stream(ask()))


async def test_a_key_that_is_none_fails_the_turn_and_no_more() -> None:
    key = "sk-\nnewline"
    async with serve(*WIRE["text"], key=key) as (provider, _):
        with pytest.raises(ProviderError) as failure:
            await anext(provider.stream(ask()))
    assert key not in failure.value.detail


# -- The SDK's own reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["text", "thinking", "tool", "usage", "length", "refusal"])
async def test_the_sdk_reads_the_same(scenario: str) -> None:
    async with serve(*WIRE[scenario]) as (provider, server):
        heard, _ = await listen(provider, ask())
        client = anthropic.AsyncAnthropic(
            api_key="none", base_url=server.url.removesuffix("/v1"), max_retries=0
        )
        theirs = await _fold(await client.messages.create(model="m", max_tokens=9, messages=[], stream=True))
        await client.close()
    ours = heard.text, heard.thinking, "".join(arguments for _, arguments in heard.calls.values()), heard.stop
    assert ours == theirs


async def _fold(events: anthropic.AsyncStream[Any]) -> tuple[str, str, str, str]:
    said = {"text": "", "thinking": "", "partial_json": "", "stop_reason": ""}
    async for event in events:
        for name in said:
            said[name] += getattr(getattr(event, "delta", None), name, None) or ""
    reason = said["stop_reason"]
    ours = {"end_turn": "end", "max_tokens": "length", "tool_use": "tool_calls"}
    return said["text"], said["thinking"], said["partial_json"], ours.get(reason, reason)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_the_socket_may_cut_anywhere(size: int) -> None:
    body = COUNTED + text("Hello, ", "wörld 🌍") + over("end_turn", output_tokens=9)
    pieces = [chunk(body[at : at + size]) for at in range(0, len(body), size)]
    async with serve(HEAD, *pieces, END) as (provider, _):
        heard, chunks = await listen(provider, ask())
    assert heard.text == "Hello, wörld 🌍"
    assert chunks[-1] == Stop("end", Usage(input=20, output=9, cached=8, cache_write=5))
