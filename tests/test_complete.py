"""`complete` against a provider that does what the test says, in fake time."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from protocol.errors import Invalid, ProviderError
from protocol.messages import Cost, Panelist, Usage
from providers.base import Chunk, Request, Stop, Text, Thinking, ToolCall
from providers.catalog import Catalog
from roundtable.table.asking import MOST, Deadlines
from roundtable.tools.base import Final, Told
from roundtable.tools.complete import WAITING, Complete
from tests.fake_time import run as in_fake_time
from tests.tools import ALONE, heard, run, steps

Act = Chunk | Exception | float


class Playing(Catalog):
    """Every model is this one: each question plays the next script, in which a number is slept."""

    name, local, destination = "test", False, "nobody"

    def __init__(self, *scripts: Sequence[Act]) -> None:
        self.scripts, self.asked = list(scripts), list[Request]()
        self.closed = self.told = 0

    def resolve(self, model: str) -> tuple[Any, str]:
        return self, model

    def check(self, panelist: Panelist) -> None:
        if "wrong" in panelist.options:
            raise Invalid("No such option.", field="options.wrong")

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        self.asked.append(request)
        try:
            for act in self.scripts.pop(0):
                if isinstance(act, Exception):
                    raise act
                if isinstance(act, float):
                    await asyncio.sleep(act)
                else:
                    self.told += 1
                    yield act
        finally:
            self.closed += 1


def told(*scripts: Sequence[Act], **args: Any) -> list[Told]:
    """Everything an answer tells; every stream that was opened is closed."""
    playing = Playing(*scripts)
    answer = {"model": "gpt-5", "prompt": "Why?", **args}

    async def scenario() -> list[Told]:
        return await heard(run("tool/complete", answer, Complete(playing)))

    try:
        return in_fake_time(scenario())
    finally:
        assert playing.closed == len(playing.asked)


def test_an_answer_is_its_chunks_and_then_the_whole() -> None:
    call = [ToolCall("c1", "look"), ToolCall("c1", arguments='{"a"'), ToolCall("c1", arguments=":1}")]
    *chunks, final = told(
        [Thinking("Hm."), Text("Be"), Text("cause."), *call, Stop("tool_calls", Usage(3, 5))]
    )
    assert [next(iter(step)) for step in steps(chunks)] == [
        "thinking",
        "text",
        "text",
        "call",
        "call",
        "call",
    ]
    assert isinstance(final, Final)
    assert final.reason == "tool_calls"
    assert final.value["text"] == "Because."
    assert [(call.name, call.arguments) for call in final.value["calls"]] == [("look", '{"a":1}')]
    assert final.value["usage"] == Usage(3, 5)


def test_what_it_cost_is_priced_by_its_model_and_estimated_where_nothing_is_told() -> None:
    final = told([Text("12345678"), Stop("end")], model="openai:gpt-4o", prompt="x" * 4_000)[-1]
    assert isinstance(final, Final)
    assert final.value["usage"] == Usage(input=1000, output=2, estimated=True)
    assert isinstance(final.value["cost"], Cost)
    assert final.value["cost"].dollars > 0


def test_it_is_asked_again_before_the_first_chunk_and_says_so() -> None:
    busy = ProviderError("Busy.", code="rate_limited", retryable=True, retry_after=7.0)
    retry, text, final = told([busy], [Text("Well."), Stop("end")])
    assert isinstance(final, Final)
    again, said = steps([retry, text])
    assert again["retry"]["attempt"] == 2
    assert again["retry"]["error"]["code"] == "rate_limited"
    assert 7.0 <= again["retry"]["wait"] < 8.0
    assert said == {"text": "Well."}


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([Text("Half"), ProviderError("Gone.", code="unavailable", retryable=True)], "unavailable"),
        ([Text("Half")], "connection"),
        ([Text("Half"), 1e6], "timeout"),
        ([1e6], "timeout"),
        ([KeyError("sk-secret")], "internal"),
        ([Stop("content_filter")], "content_filter"),
    ],
)
def test_an_answer_that_fails_says_how(script: list[Act], code: str) -> None:
    with pytest.raises(ProviderError) as failed:
        told(script)
    assert failed.value.code == code
    assert "sk-secret" not in failed.value.detail


def test_who_takes_his_time_holds_the_model_back_and_costs_it_no_deadline() -> None:
    playing = Playing([*[Text("x")] * 1000, Stop("end")])

    async def scenario() -> list[Told]:
        answer = run("tool/complete", {"model": "m", "prompt": "Why?"}, Complete(playing))
        first = await anext(answer)
        await asyncio.sleep(Deadlines().idle * 2)
        assert playing.told <= WAITING + 2
        return [first, *await heard(answer)]

    assert len(in_fake_time(scenario())) == 1001


@pytest.mark.parametrize("call", [ToolCall("c" * 500), ToolCall("", "x" * 500)])
def test_a_server_that_makes_calls_without_end_is_cut(call: Chunk) -> None:
    final = told([call] * (MOST + 1))[-1]
    assert isinstance(final, Final)
    assert final.reason == "length"


@pytest.mark.parametrize("script", [[1e6], [Text("One"), 1e6], [Text("x")] * 1000])
def test_closed_means_the_model_stops_now(script: list[Act]) -> None:
    playing = Playing(script)

    async def scenario() -> float:
        answer = run("tool/complete", {"model": "m", "prompt": "Why?"}, Complete(playing))
        pulling = asyncio.create_task(heard(answer) if script == [1e6] else anext(answer))
        await asyncio.sleep(1.0)
        pulling.cancel()
        await asyncio.wait([pulling])
        await answer.aclose()
        assert len(asyncio.all_tasks()) == 1
        return asyncio.get_running_loop().time()

    assert in_fake_time(scenario()) == pytest.approx(1.0)
    assert playing.closed == 1


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({}, "args.prompt"),
        ({"prompt": "Why?", "max_tokens": 0}, "args.max_tokens"),
        ({"prompt": "Why?", "options": {"wrong": 1}}, "args.options.wrong"),
        ({"prompt": "Why?", "tool_choice": "required"}, "args.tool_choice"),
        ({"prompt": "Why?", "tools": [{"name": "look"}], "tool_choice": "lok"}, "args.tool_choice"),
        ({"messages": [{"role": "system", "text": "x"}]}, "args.messages[0].role"),
        ({"messages": [{"role": "assistant", "text": "x"}]}, "args.messages[0].role"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_it_begins(args: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        run("panelist/m", args, Complete(Playing()))
    assert refused.value.field == field


def test_a_tool_that_is_chosen_by_its_name_is_asked_for() -> None:
    playing = Playing([Text("x"), Stop("end")])
    args = {
        "prompt": "Why?",
        "tools": [{"name": "look"}],
        "tool_choice": "look",
        "options": {"max_tokens": 5},
    }
    in_fake_time(heard(run("panelist/m:x", args, Complete(playing))))
    (request,) = playing.asked
    assert (request.tool_choice, request.max_tokens, request.options) == ("look", 5, {})
    assert request.model == "m:x"
    assert ALONE.depth == 0
