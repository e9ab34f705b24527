"""`/v1/responses`, asked by OpenAI's own package over a real connection."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, RateLimitError

from roundtable.config import Panel
from tests.serving import Client, Connect, serve
from tests.test_openai_api import SEAT, script, seated


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    half = Panel(panel=(seated("Ada", text="One two."), seated("Ben", error="quota")))
    return await serve(aiohttp_client, data=tmp_path, panels={"half": half})


@pytest.fixture
async def openai(client: Client) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=str(client.make_url("/v1")), api_key="none", max_retries=0) as package:
        yield package


async def stream(openai: AsyncOpenAI, **asked: Any) -> list[Any]:
    asked = {"model": SEAT, "input": "Why?", **asked}
    events: Any = await openai.responses.create(stream=True, **asked)
    return [each async for each in events]


TOLD = script(text="Let me see.", thinking="hm", tool={"name": "look", "arguments": {"for": "x" * 20}})


async def test_a_stream_is_numbered_and_says_of_every_item_when_it_begins_and_ends(
    openai: AsyncOpenAI,
) -> None:
    events = await stream(openai, extra_body=TOLD)
    assert [each.sequence_number for each in events] == list(range(len(events)))
    kinds = [each.type.removeprefix("response.") for each in events]
    assert list(dict.fromkeys(kinds)) == [
        "created", "in_progress", "output_item.added", "content_part.added", "reasoning_text.delta",
        "reasoning_text.done", "content_part.done", "output_item.done", "output_text.delta", "output_text.done",
        "function_call_arguments.delta", "function_call_arguments.done", "completed",
    ]  # fmt: skip
    assert kinds.count("output_item.added") == kinds.count("output_item.done") == 3
    final = events[-1].response
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert final.output_text == "Let me see."
    assert (
        "".join(each.delta for each in events if each.type == "response.output_text.delta") == "Let me see."
    )
    assert (final.status, final.usage.output_tokens, final.usage.output_tokens_details.reasoning_tokens) == (
        "completed", 4, 1,
    )  # fmt: skip
    assert events[0].response.status == "in_progress"
    assert events[0].response.output == []


async def test_the_whole_is_what_the_stream_ends_with(openai: AsyncOpenAI) -> None:
    whole = (await openai.responses.create(model=SEAT, input="Why?", extra_body=TOLD)).model_dump()
    streamed = (await stream(openai, extra_body=TOLD))[-1].response.model_dump()
    for each in (whole, streamed):
        assert each.pop("id").startswith("resp_")
        assert each.pop("created_at")
        for item in each["output"]:
            assert item.pop("id")
    assert whole == streamed


async def test_an_answer_may_be_sent_back_with_what_the_call_gave(openai: AsyncOpenAI) -> None:
    first = await openai.responses.create(model=SEAT, input="Why?", extra_body=TOLD)
    back: Any = [
        {"role": "user", "content": "Why?"},
        *(item.model_dump(exclude_none=True) for item in first.output),
        {"type": "function_call_output", "call_id": "call_1", "output": "42"},
    ]
    found = await openai.responses.create(
        model=SEAT, input=back, instructions="Be brief.", extra_body=script(text="It is 42.")
    )
    assert found.output_text == "It is 42."
    assert found.instructions == "Be brief."


async def test_what_was_cut_off_is_incomplete(openai: AsyncOpenAI) -> None:
    events = await stream(openai, max_output_tokens=1, extra_body=script(text="One two."))
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"
    assert events[-1].response.output_text == "One"


async def test_what_fails_before_a_word_fails_with_a_status_and_later_with_an_event(
    openai: AsyncOpenAI,
) -> None:
    with pytest.raises(RateLimitError):
        await stream(openai, extra_body=script(error="rate_limited", retryable=False))
    events = await stream(openai, extra_body=script(text="One two.", fail_after=1))
    assert events[-1].type == "response.failed"
    assert (events[-1].response.status, events[-1].response.error.code) == ("failed", "server_error")
    assert events[-1].response.output[0].content[0].text == "One"


async def test_a_panel_answers_in_this_form_too(openai: AsyncOpenAI) -> None:
    events = await stream(openai, model="roundtable/half")
    response = events[-1].response
    assert response.output_text.startswith("**Ada:** One two.\n\n**Ben:** *(failed:")
    assert response.model_extra["roundtable"]["url"] == f"/t/{response.id.removeprefix('resp_')}"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"store": True}, "store"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": ""}]}, "input[0].call_id"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"extra_body": {"foo": 1}}, "foo"),
    ],
)
async def test_a_bad_request_names_its_parameter(openai: AsyncOpenAI, asked: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        await openai.responses.create(**{"model": SEAT, "input": "Why?", **asked})
    assert refused.value.param == param
