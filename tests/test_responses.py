"""The Responses dialect on a socket: what is sent, and that the official SDK reads the same."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import openai
import pytest

from protocol.errors import Invalid, ProviderError
from protocol.messages import Message, Usage
from providers.base import Request
from providers.presets import PRESETS
from providers.responses import LEAST_TOKENS, ResponsesProvider
from tests.misbehaving import END, HEAD, Act, MisbehavingServer, Step, chunk, stream
from tests.misbehaving_responses import COUNTED, DONE, START, WIRE, failed, text
from tests.test_calling import SEARCH, WITH_TOOLS
from tests.test_providers import PATIENCE, Heard, ask, listen

KEY = "sk-proj-a1B2c3D4e5F6g7H8i9J0"


@asynccontextmanager
async def serve(
    *steps: Step, key: str = KEY, name: str = "openai"
) -> AsyncIterator[tuple[ResponsesProvider, MisbehavingServer]]:
    async with MisbehavingServer(steps) as server:
        preset = msgspec.structs.replace(PRESETS["openai"], name=name, base_url=server.url)
        provider = ResponsesProvider(preset, key, now=lambda: 0.0)
        try:
            yield provider, server
        finally:
            await provider.close()


# -- What is sent -------------------------------------------------------------------------------------------------


async def sent(
    request: Request, name: str = "openai", key: str = KEY
) -> tuple[dict[str, str], dict[str, Any]]:
    async with serve(*WIRE["text"], name=name, key=key) as (provider, server):
        await listen(provider, request)
    assert server.requests[0].line == "POST /v1/responses HTTP/1.1"
    return server.requests[0].headers, server.requests[0].body


async def test_the_request_holds_the_conversation_and_the_options() -> None:
    tool = {"type": "function", "function": {"name": "search", "parameters": {}}}
    shape = {"type": "json_schema", "json_schema": {"name": "vote", "schema": {}}}
    request = Request(
        "gpt", "Be brief.", (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "Well?")), 50,
        {"effort": "high", "summary": "auto", "verbosity": "low", "max_tokens": 70, "tools": [tool],
         "tool_choice": {"type": "function", "name": "search"}, "response_format": shape,
         "extra_body": {"truncation": "auto"}},
    )  # fmt: skip
    headers, body = await sent(request)
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": "gpt",
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "store": False,
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Well?"},
        ],
        "max_output_tokens": 50,
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "vote", "schema": {}}},
        "tools": [{"type": "function", "name": "search", "parameters": {}}],
        "tool_choice": {"type": "function", "name": "search"},
        "truncation": "auto",
    }


async def test_a_conversation_with_tools_is_items() -> None:
    _, body = await sent(msgspec.structs.replace(WITH_TOOLS, tool_choice="clock"))
    assert body["input"] == [
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "a", "name": "search", "arguments": '{"q":"tea"}'},
        {"type": "function_call", "call_id": "b", "name": "clock", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "Green."},
        {"type": "function_call_output", "call_id": "b", "output": ""},
        {"role": "user", "content": "And?"},
        {"type": "function_call", "call_id": "c", "name": "clock", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "Noon."},
    ]
    search = {"name": "search", "description": "Look it up.", "parameters": SEARCH.parameters, "strict": True}
    nothing = {"type": "object", "properties": {}}
    assert body["tools"] == [
        {"type": "function", **search},
        {"type": "function", "name": "clock", "parameters": nothing, "strict": False},
    ]
    assert body["tool_choice"] == {"type": "function", "name": "clock"}


async def test_logprobs_are_asked_for_as_the_api_has_them() -> None:
    _, body = await sent(ask(logprobs=True, top_logprobs=3))
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 3)
    assert "logprobs" not in body


async def test_a_short_request_holds_only_what_is_needed() -> None:
    _, body = await sent(msgspec.structs.replace(ask(), system=""))
    assert body == {
        "model": "m", "stream": True, "stream_options": {"include_obfuscation": False}, "store": False,
        "input": [{"role": "user", "content": "Well?"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "room", "limit"), [(70, None, 70), (70, 50, 50), (None, 50, 50), (None, 3, LEAST_TOKENS)]
)
async def test_limits(own: int | None, room: int | None, limit: int) -> None:
    options: dict[str, Any] = {} if own is None else {"max_tokens": own}
    _, body = await sent(msgspec.structs.replace(ask(**options), max_tokens=room))
    assert body["max_output_tokens"] == limit


async def test_what_the_environment_says_of_openai_goes_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    ours, _ = await sent(ask())
    assert ours["openai-organization"] == "org-secret"
    theirs, _ = await sent(ask(), "house", key="")
    assert "secret" not in json.dumps(theirs)


@pytest.mark.parametrize(
    ("options", "field", "hint"),
    [
        ({"efort": "low"}, "options.efort", "did you mean 'effort'"),
        ({"effort": "huge"}, "options.effort", "Invalid enum value 'huge'"),
        ({"reasoning_effort": "huge"}, "options.effort", "Invalid enum value 'huge'"),
        ({"effort": "low", "reasoning_effort": "high"}, "options.effort", "one option"),
        ({"summary": True}, "options.summary", "Expected `str`"),
        ({"temperature": 9}, "options.temperature", "<= 2"),
        ({"max_tokens": 0}, "options.max_tokens", ">= 1"),
        ({"stop": "END"}, "options.stop", "no 'stop'"),
        ({"extra_body": {"store": True}}, "options.extra_body.store", "not the panelist's"),
        ({"extra_body": {"conversation": "c"}}, "options.extra_body.conversation", "not the panelist's"),
    ],
)
async def test_options_are_checked_without_a_network(options: dict[str, Any], field: str, hint: str) -> None:
    provider = ResponsesProvider(PRESETS["openai"])
    with pytest.raises(Invalid, match=hint) as refused:
        provider.check(options)
    assert refused.value.field == field
    await provider.close()


# -- What comes back ----------------------------------------------------------------------------------------------


async def test_the_last_event_ends_the_answer_though_the_connection_stays_open() -> None:
    async with serve(HEAD, chunk(START + text("Yes.") + DONE), chunk(text("No.")), Act.STALL) as (
        provider,
        _,
    ):
        heard, _ = await listen(provider, ask())
    assert heard == Heard(text="Yes.", stop="end")


async def test_a_finished_stream_leaves_its_connection_for_the_next() -> None:
    async with serve(*WIRE["text"]) as (provider, server):
        for _ in range(3):
            await listen(provider, ask())
        assert server.connections == 1


async def test_a_key_that_the_server_echoes_goes_no_further() -> None:
    pieces = [chunk(text(f"It is {KEY[:9]}", f"{KEY[9:]}.")), chunk(failed("server_error", f"key={KEY}"))]
    async with serve(HEAD, *pieces, END) as (provider, _):
        heard, _ = await listen(provider, ask())
        with pytest.raises(ProviderError) as failure:
            _ = [piece async for piece in provider.stream(ask())]
    assert heard.text == f"It is {KEY[:7]}[key]."
    assert KEY[:9] not in failure.value.detail


async def test_what_was_held_back_is_said_before_a_failure() -> None:
    async with serve(*stream(START, text(KEY[:20]))) as (provider, _):
        heard, _ = await listen(provider, ask())
    assert heard == Heard(text=KEY[:20], error="connection", retryable=True)


@pytest.mark.parametrize("scenario", ["text", "thinking", "tool", "tools", "usage", "length", "refusal"])
async def test_the_sdk_reads_the_same(scenario: str) -> None:
    async with serve(*WIRE[scenario]) as (provider, server):
        heard, _ = await listen(provider, ask())
        client = openai.AsyncOpenAI(api_key="none", base_url=server.url, max_retries=0)
        theirs = await _fold(await client.responses.create(model="m", input="", stream=True))
        await client.close()
    assert theirs == (heard.text, heard.thinking, heard.calls, heard.stop, heard.usage)


async def _fold(
    events: openai.AsyncStream[Any],
) -> tuple[str, str, dict[str, tuple[str, str]], str, Usage | None]:
    words = {"output_text": "", "refusal": "", "reasoning_summary_text": ""}
    calls: dict[str, tuple[str, str]] = {}
    last = None
    async for event in events:
        kind = event.type.removeprefix("response.")
        if kind.removesuffix(".delta") in words:
            words[kind.removesuffix(".delta")] += event.delta
        elif kind == "output_item.done" and event.item.type == "function_call":
            calls[event.item.call_id] = event.item.name, event.item.arguments
        elif kind in ("completed", "incomplete"):
            last = event.response
    assert last is not None
    stop = (
        "length"
        if last.incomplete_details
        else "refusal"
        if words["refusal"]
        else "tool_calls"
        if calls
        else "end"
    )
    told = last.usage
    usage = told and Usage(
        told.input_tokens, told.output_tokens, told.output_tokens_details.reasoning_tokens,
        told.input_tokens_details.cached_tokens, told.input_tokens_details.cache_write_tokens,
    )  # fmt: skip
    return words["output_text"] + words["refusal"], words["reasoning_summary_text"], calls, stop, usage


@pytest.mark.parametrize("size", [1, 7])
async def test_the_socket_may_cut_anywhere(size: int) -> None:
    body = START + text("Hello, ", "wörld 🌍") + COUNTED
    pieces = [chunk(body[at : at + size]) for at in range(0, len(body), size)]
    async with serve(HEAD, *pieces, END) as (provider, _):
        heard, _ = await listen(provider, ask())
    assert heard == Heard(text="Hello, wörld 🌍", stop="end", usage=Usage(20, 9, 4, 8, 5))


async def test_models_are_listed_as_in_the_other_dialect() -> None:
    listed = json.dumps({"data": [{"id": "gpt"}]}).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(listed)}\r\n\r\n".encode()
    )
    async with serve(head + listed) as (provider, _):
        assert await provider.models(within=PATIENCE) == ["gpt"]
