"""The scripted provider: exact text, exact pace, failures on request. Time is a fake clock throughout."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Invalid, ProviderError
from protocol.messages import Message, ToolSpec, Usage
from providers.base import Chunk, Provider, Request, Stop, Text, Thinking, ToolCall
from providers.scripted import BURST, DEMO_RATE, LoopClock, ScriptedProvider, read_options
from tests.test_calling import CLOCK, SEARCH, TALK
from tests.test_providers import Heard, listen


class FakeClock:
    """Sleeping is what moves this clock."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)


def request(model: str = "anything", said: int = 0, max_tokens: int | None = None, **options: Any) -> Request:
    messages = [Message("user", "One two three.")]
    for number in range(said):
        messages += [Message("assistant", f"Turn {number}."), Message("user", "Go on.")]
    return Request(model, "Be brief.", tuple(messages), max_tokens=max_tokens, options=options, speaker="Ada")


async def play(asked: Request, clock: FakeClock | None = None) -> list[Chunk]:
    return [chunk async for chunk in ScriptedProvider(clock or FakeClock()).stream(asked)]


async def timed(asked: Request) -> list[tuple[float, Chunk]]:
    clock = FakeClock()
    return [(clock.now() - 100, chunk) async for chunk in ScriptedProvider(clock).stream(asked)]


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text))


def stop(chunks: list[Chunk]) -> Stop:
    assert isinstance(chunks[-1], Stop)
    return chunks[-1]


def test_it_is_a_provider_that_says_it_is_no_model() -> None:
    provider: Provider = ScriptedProvider()
    assert provider.local
    assert "no model" in provider.destination


@given(st.text())
def test_text_joins_again_exactly(script: str) -> None:
    chunks = asyncio.run(play(request(text=script)))
    assert text(chunks) == script
    assert all(chunk.text for chunk in chunks if isinstance(chunk, Text))


async def test_a_token_is_a_word_with_the_space_before_it() -> None:
    chunks = await play(request(text=" One,\n two  three \n"))
    assert chunks[:-1] == [Text(" One,"), Text("\n two"), Text("  three \n")]
    assert stop(chunks) == Stop("end", Usage(input=5, output=3))


async def test_an_empty_script_is_an_empty_answer() -> None:
    assert await play(request(text="")) == [Stop("end", Usage(input=5))]


@pytest.mark.parametrize(("said", "line"), [(0, "a"), (1, "b b"), (2, "a"), (5, "b b")])
async def test_lines_follow_the_speakers_own_turns(said: int, line: str) -> None:
    assert text(await play(request(said=said, lines=["a", "b b"]))) == line


async def test_what_is_asked_may_be_a_cue() -> None:
    cues = {"nothing of the kind": "a", "two": "b"}
    assert text(await play(request(text="c", cues=cues))) == "b"
    assert text(await play(request(text="c", cues={"When": "a"}))) == "c"


async def test_without_a_script_it_says_what_it_is() -> None:
    chunks = await play(request("nobody"))
    assert "scripted:nobody" in text(chunks)
    assert "No model" in text(chunks)


async def test_max_tokens_cuts() -> None:
    chunks = await play(request(text="a b c d", max_tokens=3))
    assert (text(chunks), stop(chunks)) == ("a b c", Stop("length", Usage(input=5, output=3)))
    assert stop(await play(request(text="a b", max_tokens=2))).reason == "end"


async def test_the_smaller_of_two_bounds_cuts() -> None:
    asked = Request(
        "x", "", (Message("user", "Go."),), max_tokens=2, options={"text": "a b c", "max_tokens": 1}
    )
    assert text(await play(asked)) == "a"


async def test_thinking_comes_first_and_is_counted() -> None:
    chunks = await play(request(text="So.", thinking="Hm, well."))
    assert chunks == [
        Thinking("Hm,"),
        Thinking(" well."),
        Text("So."),
        Stop("end", Usage(input=5, output=3, thinking=2)),
    ]


async def test_a_tool_call_streams_its_arguments() -> None:
    chunks = await play(request(tool={"name": "look_up", "arguments": {"query": "the oldest bridge"}}))
    calls = [chunk for chunk in chunks if isinstance(chunk, ToolCall)]
    assert calls[0] == ToolCall("call_1", name="look_up")
    assert "".join(call.arguments for call in calls) == '{"query":"the oldest bridge"}'
    assert len(calls) > 2
    assert stop(chunks).reason == "tool_calls"


async def test_a_tool_of_a_server_may_be_called_as_people_call_it() -> None:
    given = msgspec.structs.replace(
        request(text="So.", calls=[{"name": "files.read"}]), tools=(ToolSpec("files__read"),)
    )
    assert (await play(given))[0] == ToolCall("call_1", name="files__read")


async def test_stop_reason_and_usage_can_be_told() -> None:
    told = await play(request(text="No.", stop_reason="refusal", usage={"input": 7, "output": 1}))
    assert stop(told) == Stop("refusal", Usage(input=7, output=1))
    assert stop(await play(request(text="No.", usage="none"))).usage is None


# -- Pace --------------------------------------------------------------------------------------------------------


async def test_each_token_comes_at_its_own_deadline() -> None:
    times = [
        at for at, chunk in await timed(request(text="a b c d", rate=10, ttft=2)) if isinstance(chunk, Text)
    ]
    assert times == pytest.approx([2.0, 2.1, 2.2, 2.3])


async def test_a_slow_reader_shifts_no_later_token() -> None:
    clock = FakeClock()
    times = []
    async for _ in ScriptedProvider(clock).stream(request(text="a b c d", rate=1)):
        times.append(clock.now() - 100)
        clock.time += 2.5 if len(times) == 1 else 0
    assert times == pytest.approx([0, 2.5, 2.5, 3, 3])


async def test_a_high_rate_is_paced_in_groups() -> None:
    clock = FakeClock()
    await play(request(text="a " * 10_000, rate=5000), clock)
    assert clock.now() - 100 == pytest.approx(2, abs=0.01)
    assert len(clock.slept) < 2000


async def test_rate_zero_takes_no_time_but_lets_others_run() -> None:
    clock = FakeClock()
    await play(request(text="a " * 10_000, rate=0), clock)
    assert clock.now() == 100
    assert len(clock.slept) >= 10_000 // BURST


async def test_a_seed_repeats_the_same_uneven_pace() -> None:
    once, again, other, even = [
        await timed(request(text="a b c d e f", rate=10, seed=seed)) for seed in (1, 1, 2, None)
    ]
    assert once == again
    assert once != other
    assert once != even


async def test_a_demo_voice_reads_like_a_person_unless_told_a_rate() -> None:
    spoken = await timed(request("sceptic"))
    words, seconds = len(spoken) - 1, spoken[-1][0] - spoken[0][0]
    assert spoken[0][0] > 0
    assert 0.6 * DEMO_RATE < words / seconds < DEMO_RATE
    assert (await timed(request("sceptic", rate=0)))[-1][0] == 0


async def test_a_demo_voices_name_with_a_script_plays_the_script() -> None:
    assert text(await play(request("sceptic", text="Mine."))) == "Mine."


async def test_the_loops_clock_is_the_default() -> None:
    clock = LoopClock()
    before = clock.now()
    await clock.sleep(0)
    assert clock.now() >= before
    assert text([chunk async for chunk in ScriptedProvider().stream(request(text="a b", rate=0))]) == "a b"


# -- Failure -----------------------------------------------------------------------------------------------------


async def until_failure(asked: Request) -> tuple[list[Chunk], ProviderError]:
    chunks: list[Chunk] = []
    try:
        async for chunk in ScriptedProvider(FakeClock()).stream(asked):
            chunks.append(chunk)  # noqa: PERF401
    except ProviderError as error:
        return chunks, error
    pytest.fail("It did not fail.")


@pytest.mark.parametrize(
    ("options", "said", "code", "retryable"),
    [
        ({"fail_after": 2}, "a b", "unavailable", True),
        ({"fail_after": 3}, "a b c", "unavailable", True),
        ({"fail_after": 0}, "", "unavailable", True),
        ({"error": "auth"}, "", "auth", False),
        ({"error": "rate_limited", "fail_after": 1}, "a", "rate_limited", True),
        ({"error": "timeout", "retryable": False}, "", "timeout", False),
        ({"error": "auth", "retryable": True}, "", "auth", True),
    ],
    ids=str,
)
async def test_it_fails_where_it_is_told_to(
    options: dict[str, Any], said: str, code: str, retryable: bool
) -> None:
    chunks, error = await until_failure(request(text="a b c", **options))
    assert (text(chunks), error.code, error.retryable) == (said, code, retryable)
    assert not any(isinstance(chunk, Stop) for chunk in chunks)


async def test_it_names_when_to_retry() -> None:
    assert (await until_failure(request(error="rate_limited", retry_after=7)))[1].retry_after == 7


async def test_a_script_shorter_than_fail_after_does_not_fail() -> None:
    assert stop(await play(request(text="a b", fail_after=3))).reason == "end"


async def hung(provider: ScriptedProvider) -> tuple[AsyncGenerator[Chunk], asyncio.Task[Chunk]]:
    stream = provider.stream(request(text="a b c", hang_after=1))
    assert await anext(stream) == Text("a")

    async def following() -> Chunk:
        return await anext(stream)

    task = asyncio.create_task(following())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return stream, task


async def test_cancelling_ends_a_hung_stream_at_once() -> None:
    stream, task = await hung(ScriptedProvider(FakeClock()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_closing_the_provider_ends_a_hung_stream() -> None:
    provider = ScriptedProvider(FakeClock())
    _, task = await hung(provider)
    await provider.close()
    with pytest.raises(ProviderError, match="closed"):
        await task
    with pytest.raises(ProviderError, match="closed"):
        await anext(provider.stream(request(text="a")))


async def test_aclose_waits_for_nothing() -> None:
    clock = FakeClock()
    stream = ScriptedProvider(clock).stream(request(text="a b c", rate=0.001))
    await anext(stream)
    await stream.aclose()
    assert clock.now() == 100
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


# -- Options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"speed": 3}, "options.speed"),
        ({"rate": "fast"}, "options.rate"),
        ({"rate": -1}, "options.rate"),
        ({"rate": True}, "options.rate"),
        ({"ttft": float("inf")}, "options.ttft"),
        ({"ttft": float("nan")}, "options.ttft"),
        ({"lines": []}, "options.lines"),
        ({"lines": ["a", 1]}, "options.lines[1]"),
        ({"lines": "a"}, "options.lines"),
        ({"text": None, "lines": ["a"], "fail_after": 1.5}, "options.fail_after"),
        ({"error": "on fire"}, "options.error"),
        ({"tool": {"arguments": {}}}, "options.tool"),
        ({"text": "a", "lines": ["a"]}, "options.lines"),
    ],
    ids=str,
)
async def test_a_wrong_option_is_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_options(options)
    assert caught.value.field == field
    _, error = await until_failure(request(**options))
    assert (error.code, error.retryable) == ("bad_request", False)
    assert error.detail.startswith(field)


def test_right_options_pass() -> None:
    read_options({})
    read_options({"text": "a", "rate": 0, "ttft": 0.5, "fail_after": 3, "error": "auth", "seed": -1})


# -- tools and common options -------------------------------------------------------------------------------------

SCRIPT: dict[str, Any] = {
    "text": "It is green.", "rate": 0, "calls": [{"name": "search", "arguments": {"q": "tea"}}, {"name": "clock"}],
}  # fmt: skip


async def amounts_to(request: Request) -> Heard:
    return (await listen(ScriptedProvider(), request))[0]


async def test_calls_are_made_first_and_the_text_is_said_with_their_results() -> None:
    asked = Request("x", "", TALK[:1], options=SCRIPT)
    first = await amounts_to(asked)
    assert (first.text, first.stop) == ("", "tool_calls")
    assert first.calls == {"call_1": ("search", '{"q":"tea"}'), "call_2": ("clock", "{}")}
    second = await amounts_to(msgspec.structs.replace(asked, messages=TALK))
    assert (second.text, second.stop, second.calls) == ("It is green.", "end", {})
    third = await amounts_to(msgspec.structs.replace(asked, messages=(*TALK, Message("user", "And?"))))
    assert list(third.calls) == ["call_4", "call_5"]  # no id twice in a conversation
    alone = {**SCRIPT, "parallel_tool_calls": False}
    assert list((await amounts_to(msgspec.structs.replace(asked, options=alone))).calls) == ["call_1"]


async def test_a_script_heeds_the_choice_of_tools() -> None:
    asked = Request("x", "", TALK[:1], options={"text": "So.", "rate": 0}, tools=(SEARCH, CLOCK))
    assert (await amounts_to(asked)).text == "So."
    for choice, name in (("required", "search"), ("clock", "clock")):
        heard = await amounts_to(msgspec.structs.replace(asked, tool_choice=choice))
        assert (heard.calls, heard.stop) == ({"call_1": (name, "{}")}, "tool_calls")
    quiet = msgspec.structs.replace(asked, tool_choice="none", options=SCRIPT)
    assert (await amounts_to(quiet)).text == "It is green."


async def test_a_stop_sequence_ends_a_script() -> None:
    options = {"text": "One two three", "rate": 0, "stop": ["three", "two"]}
    heard = await amounts_to(Request("x", "", TALK[:1], options=options))
    assert (heard.text, heard.stop) == ("One ", "stop_sequence")


async def test_what_any_client_sends_is_taken_and_must_be_right() -> None:
    options = {
        "temperature": 0.7, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {"1": 5},
        "response_format": {"type": "json_object"}, "reasoning_effort": "low", "user": "u1", "n": 1,
    }  # fmt: skip
    ScriptedProvider().check(options)
    for name, wrong in (
        ("temperature", 3),
        ("top_p", -1),
        ("n", 2),
        ("logit_bias", {"x": 1}),
        ("stop", [""]),
    ):
        with pytest.raises(Invalid) as refused:
            ScriptedProvider().check({**options, name: wrong})
        assert refused.value.field.startswith(f"options.{name}")
