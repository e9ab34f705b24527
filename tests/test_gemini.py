"""What Gemini's compatible endpoint does differently, on a socket: answers, failures, and the list of models."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from protocol.messages import Usage
from providers.openai import OpenAIProvider
from providers.presets import PRESETS
from tests.misbehaving import DONE, MisbehavingServer, Step, answer, frame, stream
from tests.test_providers import PATIENCE, STOP, Heard, ask, delta, listen


@asynccontextmanager
async def gemini(*steps: Step) -> AsyncIterator[tuple[OpenAIProvider, MisbehavingServer]]:
    async with MisbehavingServer(steps) as server:
        provider = OpenAIProvider(msgspec.structs.replace(PRESETS["gemini"], base_url=server.url), "k")
        try:
            yield provider, server
        finally:
            await provider.close()


def usage(asked: int, answered: int, total: int) -> bytes:
    told = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": total}
    return frame({"choices": [], "usage": told})


def thought(words: str) -> bytes:
    return delta(content=words, extra_content={"google": {"thought": True}})


def signed(call: str, name: str) -> bytes:
    """A whole call, without an index and with what only Gemini wants back."""
    function = {"name": name, "arguments": "{}"}
    signature = {"google": {"thought_signature": "c2ln"}}
    return delta(
        tool_calls=[{"id": call, "type": "function", "function": function, "extra_content": signature}]
    )


@pytest.mark.parametrize(
    ("frames", "heard"),
    [
        pytest.param([delta(role="assistant"), STOP, DONE], Heard(stop="end"), id="nothing, and stop"),
        pytest.param(
            [delta("length", role="assistant"), usage(20, 0, 84), DONE],
            Heard(stop="length", usage=Usage(20, 64, thinking=64)),
            id="all spent on thinking",
        ),
        pytest.param(
            [delta("stop", content="And "), delta("stop", content="then"), DONE],
            Heard(text="And then", stop="end"),
            id="stop on every chunk",
        ),
        pytest.param([STOP, delta(content="And then")], Heard(text="And then", stop="end"), id="stop first, no [DONE]"),
        pytest.param(
            [signed("a", "search"), signed("b", "clock"), delta("stop"), DONE],
            Heard(calls={"a": ("search", "{}"), "b": ("clock", "{}")}, stop="tool_calls"),
            id="signatures, no index",
        ),
        pytest.param(
            [delta(content="Yes.", extra_content={"google": {"thought_signature": "c2ln"}}), STOP, DONE],
            Heard(text="Yes.", stop="end"),
            id="a signature on words",
        ),
        pytest.param(
            [thought("<thought>Let me "), thought("see."), delta(content="</thought>Yes."), STOP, DONE],
            Heard(thinking="Let me see.", text="Yes.", stop="end"),
            id="thoughts",
        ),
        pytest.param(
            [thought("<thought>Let me see.</thought>"), delta(content="A <thought> is a tag.</thought>"), STOP, DONE],
            Heard(thinking="Let me see.", text="A <thought> is a tag.</thought>", stop="end"),
            id="thoughts, closed at once",
        ),
        *(
            pytest.param([delta(reason), DONE], Heard(stop="content_filter"), id=reason)
            for reason in ("content_filter", "content_filter: PROHIBITED_CONTENT", "SAFETY", "RECITATION")
        ),
    ],
)  # fmt: skip
async def test_answers(frames: list[bytes], heard: Heard) -> None:
    async with gemini(*stream(*frames)) as (provider, _):
        assert (await listen(provider, ask()))[0] == heard


def failure(status: int, name: str, message: str, **detail: Any) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": name, "details": [detail]}}


KEY_INVALID = failure(400, "INVALID_ARGUMENT", "Refused.", reason="API_KEY_INVALID", domain="googleapis.com")
EXHAUSTED = failure(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", retryDelay="34.5s")
WRONG = failure(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        (KEY_INVALID, Heard(error="auth")),
        (EXHAUSTED, Heard(error="rate_limited", retryable=True, retry_after=34.5)),
        (WRONG, Heard(error="bad_request")),
    ],
    ids=["key", "exhausted", "wrong"],
)
async def test_failures_come_in_a_list_or_without(body: dict[str, Any], heard: Heard) -> None:
    for said in ([body], body):
        refusal = answer(body["error"]["code"], json.dumps(said).encode())
        for steps in ([refusal], stream(frame(said))):
            async with gemini(*steps) as (provider, _):
                assert (await listen(provider, ask()))[0] == heard


async def test_effort_is_asked_for_by_the_endpoints_name() -> None:
    async with gemini(*stream(delta(content="Yes."), STOP, DONE)) as (provider, server):
        await listen(provider, ask(effort="low", max_tokens=9))
        await listen(provider, ask(reasoning_effort="none"))
    assert [request.body.get("reasoning_effort") for request in server.requests] == ["low", "none"]
    assert server.requests[0].body["max_tokens"] == 9


async def test_models_are_listed_by_the_name_they_are_asked_for() -> None:
    listed = {"data": [{"id": "models/gemini-3.5-flash", "owned_by": "google"}]}
    async with gemini(answer(200, json.dumps(listed).encode())) as (provider, _):
        assert await provider.models(within=PATIENCE) == ["gemini-3.5-flash"]
