"""The contract of `providers.base.Provider`, run on every provider. A new one adds a `Subject` to `SUBJECTS`.

A subject says which scenarios it can play; what a scenario must look like from outside is the same for all.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from protocol.errors import ProviderError
from protocol.messages import Logprob, Message, ToolSpec, Usage
from providers.anthropic import AnthropicProvider
from providers.base import Chunk, Provider, Request, Stop, Text, Thinking, ToolCall
from providers.llama.provider import LlamaProvider, installed
from providers.openai import OpenAIProvider
from providers.presets import PRESETS, Preset
from providers.responses import ResponsesProvider
from providers.scripted import ScriptedProvider
from providers.server import ModelServer
from tests import chain_gguf, test_calling
from tests.misbehaving import (
    DONE,
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
from tests.misbehaving_messages import WIRE as MESSAGES
from tests.misbehaving_responses import WIRE as RESPONSES

# How long a test waits for what must happen at once; only a failure takes so long. Seconds.
PATIENCE = 5.0


class Heard(msgspec.Struct):
    """What a stream amounts to, its chunks joined."""

    text: str = ""
    thinking: str = ""
    logprobs: tuple[Logprob, ...] = ()
    calls: dict[str, tuple[str, str]] = {}
    stop: str = ""
    usage: Usage | None = None
    error: str = ""
    retryable: bool = False
    retry_after: float | None = None


SCENARIOS = {
    "text": Heard(text="Hello, wörld 🌍", stop="end"),
    "thinking": Heard(thinking="Let me see.", text="Yes.", stop="end"),
    "tool": Heard(calls={"call_1": ("search", '{"q":"tea"}')}, stop="tool_calls"),
    "tools": Heard(
        calls={"a": ("search", '{"q":"tea"}'), "b": ("clock", "{}")}, stop="tool_calls"
    ),
    "interleaved": Heard(
        calls={"a": ("search", '{"q":"tea"}'), "b": ("search", '{"q":"cake"}')}, stop="tool_calls"
    ),
    "usage": Heard(text="Yes.", stop="end", usage=Usage(20, 9, thinking=4, cached=8, cache_write=5)),
    "length": Heard(text="And then", stop="length"),
    "content_filter": Heard(text="And then", stop="content_filter"),
    "refusal": Heard(text="I will not.", stop="refusal"),
    "empty": Heard(stop="end"),
    "auth": Heard(error="auth"),
    "model_not_found": Heard(error="model_not_found"),
    "rate_limited": Heard(error="rate_limited", retryable=True, retry_after=2.5),
    "quota": Heard(error="quota"),
    "context_overflow": Heard(error="context_overflow"),
    "bad_request": Heard(error="bad_request"),
    "unavailable": Heard(error="unavailable", retryable=True),
    "fails_midway": Heard(text="And then", error="unavailable", retryable=True),
    "cut": Heard(text="And then", error="connection", retryable=True),
    "cut_mid_frame": Heard(text="And then", error="connection", retryable=True),
    "reset": Heard(text="And then", error="connection", retryable=True),
    "garbage": Heard(text="And then", error="malformed"),
    "page": Heard(error="malformed"),
}  # fmt: skip


class Stage(msgspec.Struct):
    """A provider about to play a scenario.

    `asked` returns once the request has arrived, `ended` once the server has noticed that nobody listens.
    """

    provider: Provider
    request: Request
    asked: Callable[[], Awaitable[object]]
    ended: Callable[[], Awaitable[object]]


class Subject(msgspec.Struct, frozen=True):
    """A provider under the contract. It can also play "stall" (one word, then silence) and "silent" (not even that).

    One that `counts` always tells usage, of real tokens; the others tell what their server does.
    """

    name: str
    scenarios: frozenset[str]
    play: Callable[[str], AbstractAsyncContextManager[Stage]]
    counts: bool = False

    def told(self, heard: Heard) -> Heard:
        """What was heard, without the usage that only this subject tells."""
        if not self.counts or heard.error:
            return heard
        assert heard.usage is not None
        assert heard.usage.input > 0
        return msgspec.structs.replace(heard, usage=None)


def ask(model: str = "m", **options: Any) -> Request:
    return Request(model, "Be brief.", (Message("user", "Well?"),), options=options)


# -- The Chat Completions dialect ---------------------------------------------------------------------------------


def delta(finish: str | None = None, /, **members: Any) -> bytes:
    return frame({"choices": [{"index": 0, "delta": members, "finish_reason": finish}]})


def tool(index: int, call: str | None, name: str | None, arguments: str) -> bytes:
    function = {"name": name, "arguments": arguments}
    return delta(tool_calls=[{"index": index, "id": call, "function": function}])


def weighed(content: str, token: str, **told: Any) -> bytes:
    """Words with the logarithms of their tokens, and null where there is nothing to tell."""
    likely = [{"token": token, "logprob": -0.5, **told}, {"token": "Hi", "logprob": -1.5, "bytes": None}]
    logprob = {"token": token, "logprob": -0.5, "bytes": None, **told, "top_logprobs": likely}
    logprobs = {"content": [logprob], "refusal": None}
    return frame({"choices": [{"index": 0, "delta": {"content": content}, "logprobs": logprobs}]})


USAGE = frame(
    {
        "choices": [],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }
)
AND_THEN = delta(content="And then")
STOP = delta("stop")

WIRE: dict[str, list[Step]] = {
    "text": stream(
        delta(role="assistant", content=None), delta(content="Hello, "), delta(content="wörld 🌍"), STOP, DONE
    ),
    "thinking": stream(delta(reasoning_content="Let me "), delta(reasoning="see."), delta(content="Yes."), STOP, DONE),
    "tool": stream(tool(0, "call_1", "search", '{"q":'), tool(0, None, None, '"tea"}'), delta("tool_calls"), DONE),
    "tools": stream(
        tool(0, "a", "search", ""), tool(0, None, None, '{"q":'), tool(0, None, None, '"tea"}'),
        tool(1, "b", "clock", "{}"), delta("tool_calls"), DONE,
    ),
    "interleaved": stream(
        tool(0, "a", "search", ""), tool(1, "b", "search", '{"q":'), tool(0, None, None, '{"q":'),
        tool(1, None, None, '"cake"}'), tool(0, None, None, '"tea"}'), delta("tool_calls"), DONE,
    ),
    "logprobs": stream(
        weighed("Hello", "Hello"), weighed("", "\\xf0", bytes=[0xF0, 0x9F]),
        weighed(" 🌍", "\\x8c", bytes=[0x8C, 0x8D]), STOP, DONE,
    ),
    "usage": stream(delta(content="Yes."), STOP, USAGE, DONE),
    "length": stream(AND_THEN, delta("length"), DONE),
    "content_filter": stream(AND_THEN, delta("content_filter"), DONE),
    "refusal": stream(delta(refusal="I will "), delta(refusal="not."), STOP, DONE),
    "empty": stream(delta(role="assistant", content=""), STOP, DONE),
    "auth": [error(401, "Incorrect API key provided.", code="invalid_api_key")],
    "model_not_found": [error(404, "No such thing.", code="model_not_found")],
    "rate_limited": [error(429, "Slow down.", headers={"retry_after": "2.5"})],
    "quota": [error(429, "You exceeded your current quota.", code="insufficient_quota")],
    "context_overflow": [error(400, "Too long.", code="context_length_exceeded")],
    "bad_request": [error(400, "Temperature is wrong.", type="invalid_request_error")],
    "unavailable": [answer(529, b"")],
    "fails_midway": stream(AND_THEN, frame({"error": {"message": "Overloaded", "code": 503}})),
    "cut": stream(AND_THEN),
    "cut_mid_frame": [HEAD, chunk(AND_THEN), chunk(AND_THEN[:30]), Act.CUT],
    "reset": [HEAD, chunk(AND_THEN), Act.CUT],
    "garbage": stream(AND_THEN, b"data: {oops\n\n"),
    "page": [answer(200, b"<html><body>Welcome to the hotel</body></html>", kind="text/html")],
    "stall": [HEAD, chunk(AND_THEN), Act.STALL],
    "silent": [Act.STALL],
}  # fmt: skip


Play = Callable[[str], AbstractAsyncContextManager["Stage"]]


def at_server(speaks: Callable[[Preset], ModelServer[Any]], preset: str, wire: dict[str, list[Step]]) -> Play:
    """A provider that asks a server on this machine, which plays the scenario as `wire` has it."""

    @asynccontextmanager
    async def play(scenario: str) -> AsyncIterator[Stage]:
        async with MisbehavingServer(wire[scenario]) as server:
            provider = speaks(msgspec.structs.replace(PRESETS[preset], base_url=server.url))
            try:
                yield Stage(provider, ask(), server.asked.wait, server.gone.wait)
            finally:
                await provider.close()

    return play


# -- Scripts ------------------------------------------------------------------------------------------------------

SCRIPTS: dict[str, dict[str, Any]] = {
    "text": {"text": "Hello, wörld 🌍"},
    "thinking": {"thinking": "Let me see.", "text": "Yes."},
    "tool": {"tool": {"name": "search", "arguments": {"q": "tea"}}},
    "logprobs": {"text": "Hello 🌍"},
    "usage": {
        "text": "Yes.",
        "usage": {"input": 20, "output": 9, "thinking": 4, "cached": 8, "cache_write": 5},
    },
    "length": {"text": "And then what", "max_tokens": 2},
    "content_filter": {"text": "And then", "stop_reason": "content_filter"},
    "refusal": {"text": "I will not.", "stop_reason": "refusal"},
    "empty": {"text": ""},
    "auth": {"error": "auth"},
    "model_not_found": {"error": "model_not_found"},
    "rate_limited": {"error": "rate_limited", "retry_after": 2.5},
    "context_overflow": {"error": "context_overflow"},
    "bad_request": {"error": "bad_request"},
    "unavailable": {"error": "unavailable"},
    "fails_midway": {"text": "And then", "fail_after": 2},
    "cut": {"text": "And then", "fail_after": 2, "error": "connection"},
    "garbage": {"text": "And then", "fail_after": 2, "error": "malformed"},
    "stall": {"text": "And then", "hang_after": 1},
    "silent": {"text": "And then", "hang_after": 0},
}


@asynccontextmanager
async def play_scripted(scenario: str) -> AsyncIterator[Stage]:
    async def at_once() -> None:
        """A script has no server."""

    provider = ScriptedProvider()
    yield Stage(provider, ask(**{"rate": 0, "usage": "none", **SCRIPTS[scenario]}), at_once, at_once)
    await provider.close()


# -- Models on this machine ---------------------------------------------------------------------------------------

SPOKEN: dict[str, tuple[list[str | int], dict[str, Any]]] = {
    "text": (["Hello", ",", " w", 0xC3, 0xB6, "rld", " ", 0xF0, 0x9F, 0x8C, 0x8D], {}),
    "length": (["And", " then", " what"], {"max_tokens": 2}),
    "logprobs": (["Hello", " ", 0xF0, 0x9F, 0x8C, 0x8D], {"temperature": 0}),
    "empty": ([], {}),
    "model_not_found": ([], {"model": "nobody"}),
    "context_overflow": ([], {"context": 128, "text": "word " * 128}),
    "bad_request": ([], {"temperature": 99}),
    "stall": (["And then"], {"context": 100_000}),
    "silent": ([], {"context": 100_000}),
}


@asynccontextmanager
async def play_llama(scenario: str) -> AsyncIterator[Stage]:
    pieces, options = SPOKEN[scenario]
    model, text = options.get("model", "chain"), options.get("text", "Well?")
    options = {name: value for name, value in options.items() if name not in ("model", "text")}
    with TemporaryDirectory() as folder:
        chain_gguf.write(Path(folder, "chain.gguf"), pieces, ends=scenario not in ("stall", "silent"))
        provider = LlamaProvider([Path(folder)], os.environ)

        async def open_requests(wanted: bool) -> None:
            while bool(sum(child.open for child in provider.children.all)) is not wanted:  # noqa: ASYNC110
                await asyncio.sleep(0)

        request = Request(model, "Be brief.", (Message("user", text),), options=options)
        try:
            yield Stage(provider, request, lambda: open_requests(True), lambda: open_requests(False))
        finally:
            await provider.close()


SUBJECTS = [
    Subject("openai", frozenset(WIRE), at_server(OpenAIProvider, "vllm", WIRE)),
    Subject("anthropic", frozenset(MESSAGES), at_server(AnthropicProvider, "anthropic", MESSAGES)),
    Subject("responses", frozenset(RESPONSES), at_server(ResponsesProvider, "openai", RESPONSES)),
    Subject("scripted", frozenset(SCRIPTS), play_scripted),
]
if installed():  # llama-cpp-python is compiled, and so the optional extra `local`
    SUBJECTS.append(Subject("llama", frozenset(SPOKEN), play_llama, counts=True))


# -- The contract -------------------------------------------------------------------------------------------------


async def listen(provider: Provider, request: Request) -> tuple[Heard, list[Chunk]]:
    """A stream to its end: what it amounts to, and its chunks."""
    heard, chunks = Heard(), []
    try:
        async for piece in provider.stream(request):
            chunks.append(piece)
            match piece:
                case Text(text, logprobs):
                    heard.text += text
                    heard.logprobs += logprobs
                case Thinking(text):
                    heard.thinking += text
                case ToolCall(call, name, arguments):
                    named, before = heard.calls.get(call, ("", ""))
                    heard.calls[call] = (named + name, before + arguments)
                case Stop(reason, usage):
                    heard.stop, heard.usage = reason, usage
    except ProviderError as failure:
        heard.error, heard.retryable, heard.retry_after = failure.code, failure.retryable, failure.retry_after
    return heard, chunks


subjects = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


@pytest.mark.parametrize(
    ("subject", "scenario"),
    [
        pytest.param(subject, name, id=f"{subject.name}-{name}")
        for subject in SUBJECTS
        for name in SCENARIOS
        if name in subject.scenarios
    ],
)
async def test_scenario(subject: Subject, scenario: str) -> None:
    async with subject.play(scenario) as stage:
        heard, chunks = await listen(stage.provider, stage.request)
    assert subject.told(heard) == SCENARIOS[scenario]
    assert sum(isinstance(piece, Stop) for piece in chunks) == (not heard.error)
    assert heard.error or isinstance(chunks[-1], Stop)
    assert all(piece.text for piece in chunks if isinstance(piece, Text | Thinking))


@subjects
async def test_closing_a_stream_ends_it_upstream(subject: Subject) -> None:
    async with subject.play("stall") as stage, asyncio.timeout(PATIENCE):
        chunks = stage.provider.stream(stage.request)
        assert isinstance(await anext(chunks), Text)
        await chunks.aclose()
        await stage.ended()


@subjects
async def test_cancelling_a_reader_ends_the_stream_upstream(subject: Subject) -> None:
    async with subject.play("stall") as stage, asyncio.timeout(PATIENCE):
        heard = asyncio.Event()

        async def read() -> None:
            async with aclosing(stage.provider.stream(stage.request)) as chunks:
                async for _ in chunks:
                    heard.set()

        reader = asyncio.create_task(read())
        await heard.wait()
        await _cancelled(reader)
        await stage.ended()


@subjects
async def test_cancelling_before_the_first_word_ends_the_request(subject: Subject) -> None:
    async with subject.play("silent") as stage, asyncio.timeout(PATIENCE):
        reader = asyncio.create_task(listen(stage.provider, stage.request))
        await stage.asked()
        await _cancelled(reader)
        await stage.ended()


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@subjects
async def test_closing_the_provider_ends_open_streams(subject: Subject) -> None:
    async with subject.play("stall") as stage, asyncio.timeout(PATIENCE):
        chunks = stage.provider.stream(stage.request)
        await anext(chunks)
        waiting = asyncio.create_task(listen_on(chunks))
        await asyncio.sleep(0)  # the reader is in `__anext__` now
        await stage.provider.close()
        assert await waiting == "connection"
        await stage.ended()
        with pytest.raises(ProviderError):
            await anext(stage.provider.stream(stage.request))


async def listen_on(chunks: AsyncIterator[Chunk]) -> str:
    """The code with which a stream fails."""
    with pytest.raises(ProviderError) as failure:
        await anext(chunks)
    return failure.value.code


@subjects
async def test_streams_of_one_provider_do_not_mix(subject: Subject) -> None:
    async with subject.play("text") as stage:
        heard = await asyncio.gather(*(listen(stage.provider, stage.request) for _ in range(5)))
    assert [subject.told(one) for one, _ in heard] == [SCENARIOS["text"]] * 5


@subjects
async def test_an_unknown_option_is_refused_by_name(subject: Subject) -> None:
    async with subject.play("text") as stage:
        request = msgspec.structs.replace(stage.request, options={**stage.request.options, "frobnicate": 1})
        with pytest.raises(ProviderError, match="frobnicate") as refused:
            await anext(stage.provider.stream(request))
    assert (refused.value.code, refused.value.retryable) == ("bad_request", False)


@subjects
async def test_a_provider_says_who_it_is(subject: Subject) -> None:
    async with subject.play("text") as stage:
        assert stage.provider.name
        assert stage.provider.destination
        assert stage.provider.local


@pytest.mark.parametrize(
    "subject",
    [subject for subject in SUBJECTS if "logprobs" in subject.scenarios],
    ids=lambda subject: subject.name,
)
async def test_logprobs_are_of_the_tokens_that_were_said(subject: Subject) -> None:
    async with subject.play("logprobs") as stage:
        options = {**stage.request.options, "logprobs": True, "top_logprobs": 2}
        heard, _ = await listen(stage.provider, msgspec.structs.replace(stage.request, options=options))
    assert heard.text == "Hello 🌍"
    said = [one.token.encode() if one.bytes is None else bytes(one.bytes) for one in heard.logprobs]
    assert b"".join(said).decode().replace(" ", "") == "Hello🌍"
    assert all(one.logprob <= 0 and 0 < len(one.top_logprobs) <= 2 for one in heard.logprobs)


@subjects
async def test_a_conversation_that_cannot_be_is_refused_before_it_is_sent(subject: Subject) -> None:
    async with subject.play("text") as stage:
        for messages, place in test_calling.BAD.values():
            with pytest.raises(ProviderError, match=place.replace("[", r"\[")) as refused:
                await anext(stage.provider.stream(msgspec.structs.replace(stage.request, messages=messages)))
            assert (refused.value.code, refused.value.retryable) == ("bad_request", False)


COMMON = {"max_completion_tokens": 5, "n": 1, "user": "u1", "parallel_tool_calls": True}
"""What OpenAI's clients send to any model, whatever its dialect."""


@subjects
async def test_what_any_client_sends_is_taken_and_several_answers_are_not(subject: Subject) -> None:
    async with subject.play("text") as stage:
        request = msgspec.structs.replace(stage.request, options={**stage.request.options, **COMMON})
        heard, _ = await listen(stage.provider, request)
        assert not heard.error
        request = msgspec.structs.replace(stage.request, options={**stage.request.options, "n": 2})
        with pytest.raises(ProviderError, match=r"options\.n") as refused:
            await anext(stage.provider.stream(request))
    assert refused.value.code == "bad_request"


@subjects
async def test_tools_that_cannot_be_written_down_are_a_refusal_and_no_crash(subject: Subject) -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    async with subject.play("text") as stage:
        tools = (ToolSpec("x", "", deep), ToolSpec("y", "\ud800"))
        for tool in tools:
            heard, _ = await listen(stage.provider, msgspec.structs.replace(stage.request, tools=(tool,)))
            assert heard.error in {"", "bad_request"}  # what is not written (a script does not) is no matter
        heard, _ = await listen(stage.provider, stage.request)
    assert subject.told(heard) == SCENARIOS["text"]
