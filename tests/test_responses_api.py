"""The reader of Responses streams: cut at every byte, and deaf to what it does not know."""

from typing import Any

import pytest

from protocol.errors import ProviderError
from protocol.messages import Usage
from providers.base import Chunk, Stop, Text, Thinking, ToolCall
from providers.failures import Failures
from providers.responses_api import ResponsesAnswer
from tests.misbehaving import DONE as DONE_MARK
from tests.misbehaving import frame
from tests.misbehaving_responses import (
    AND_THEN,
    COUNTED,
    DONE,
    START,
    SUMMARY,
    broken,
    call,
    cut_short,
    delta,
    event,
    failed,
    item,
    response,
    text,
)

FAILURES = Failures("Server", "http://host", local=False, key_env="KEY", secret="")


def read(*pieces: bytes) -> list[Chunk]:
    answer = ResponsesAnswer(FAILURES, "m")
    return [*(chunk for piece in pieces for chunk in answer.feed(piece)), answer.end()]


def failure(*pieces: bytes) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        read(*pieces)
    return failed.value


WHOLE = b"".join(
    [
        START,
        delta(SUMMARY, "Hm ", summary_index=0),
        text("wörld 🌍\u2028", output=1),
        call(2, "search", '{"q"', ":1}", id="a"),
        COUNTED,
    ]
)
CHUNKS = [
    Thinking("Hm "),
    Text("wörld 🌍\u2028"),
    ToolCall("a", "search"),
    ToolCall("a", "", '{"q"'),
    ToolCall("a", "", ":1}"),
    Stop("tool_calls", Usage(20, 9, 4, 8, 5)),
]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_every_cut_reads_the_same(line_end: bytes) -> None:
    whole = WHOLE.replace(b"\n", line_end)
    assert read(whole) == CHUNKS
    assert read(*(whole[at : at + 1] for at in range(len(whole)))) == CHUNKS
    for at in range(len(whole)):
        assert read(whole[:at], whole[at:]) == CHUNKS


def test_events_without_a_name_say_what_they_are_inside() -> None:
    bare = b"\n".join(line for line in WHOLE.split(b"\n") if not line.startswith(b"event:"))
    assert read(bare) == CHUNKS


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("max_output_tokens", "length"),
        ("content_filter", "content_filter"),
        ("a_reason_of_tomorrow", "length"),
        (None, "length"),
    ],
)
def test_why_it_is_incomplete(reason: Any, stop: Any) -> None:
    assert read(START, AND_THEN, cut_short(reason)) == [Text("And then"), Stop(stop)]
    assert read(response("completed", incomplete_details={"reason": reason})) == [Stop(stop)]


SEARCHED = b"".join(
    [
        item("added", type="web_search_call", status="in_progress"),
        event("response.web_search_call.searching", item_id="i", output_index=0),
        event("response.mcp_call_arguments.delta", item_id="i", output_index=0, delta='{"q":1}'),
        event("response.function_call_arguments.delta", item_id="i", output_index=0, delta='{"q":1}'),
        item("done", type="web_search_call", status="completed"),
    ]
)


@pytest.mark.parametrize(
    ("frames", "chunks"),
    [
        pytest.param([event("response.news", delta={"odd": 1}), text("a"), DONE], [Text("a"), Stop("end")], id="event"),
        pytest.param([item("added", type="hologram", name="x"), DONE], [Stop("end")], id="item"),
        pytest.param([SEARCHED, DONE], [Stop("end")], id="a tool on its side"),
        pytest.param([delta("output_text", ""), DONE], [Stop("end")], id="no words"),
        pytest.param([text("a"), DONE, text("b")], [Text("a"), Stop("end")], id="more after the end"),
        pytest.param([text("a"), DONE, DONE_MARK], [Text("a"), Stop("end")], id="[DONE]"),
        pytest.param([text("a"), text("b", "c", output=1), DONE], [Text("a"), Text("\n\nb"), Text("c"), Stop("end")],
                     id="two messages"),
        pytest.param([delta(SUMMARY, "a", summary_index=0), delta(SUMMARY, "b", summary_index=1), text("c"), DONE],
                     [Thinking("a"), Thinking("\n\nb"), Text("c"), Stop("end")], id="two thoughts"),
        pytest.param([delta("reasoning_text", "a"), DONE], [Thinking("a"), Stop("end")], id="thoughts themselves"),
        pytest.param([call(0, "now", id="a"), DONE],
                     [ToolCall("a", "now"), ToolCall("a", "", "{}"), Stop("tool_calls")], id="no arguments"),
        pytest.param([item("done", type="function_call", call_id="a", name="f", arguments='{"q":1}'), DONE],
                     [ToolCall("a", "f"), ToolCall("a", "", '{"q":1}'), Stop("tool_calls")], id="a call at once"),
        pytest.param([item("added", type="function_call", name="f"), delta("function_call_arguments", "{}"), DONE],
                     [ToolCall("call_0", "f"), ToolCall("call_0", "", "{}"), Stop("tool_calls")], id="no id"),
    ],
)  # fmt: skip
def test_what_is_tolerated(frames: list[bytes], chunks: list[Chunk]) -> None:
    assert read(START, *frames) == chunks


@pytest.mark.parametrize(
    "usage", [{}, {"input_tokens": None, "input_tokens_details": None, "output_tokens_details": {}}]
)
def test_usage_may_say_nothing(usage: dict[str, Any]) -> None:
    assert read(response("completed", usage=usage)) == [Stop("end", Usage())]


@pytest.mark.parametrize(
    ("reason", "code", "retryable"),
    [
        ("server_error", "unavailable", True),
        ("rate_limit_exceeded", "rate_limited", True),
        ("insufficient_quota", "quota", False),
        ("invalid_prompt", "content_filter", False),
        ("misalignment_policy_violation", "content_filter", False),
        ("context_length_exceeded", "context_overflow", False),
        ("a_code_of_tomorrow", "unavailable", True),
    ],
)
def test_a_failure_means_what_its_code_says(reason: str, code: str, retryable: bool) -> None:
    for frames in ([failed(reason)], [AND_THEN, broken(reason)], [frame({"error": {"code": reason}})]):
        found = failure(START, *frames)
        assert (found.code, found.retryable) == (code, retryable)


def test_an_error_may_hold_another() -> None:
    nested = event("error", error={"type": "invalid_request_error", "code": None, "message": "No such tool."})
    assert failure(START, nested).code == "bad_request"
    assert "No such tool" in failure(START, nested).detail


@pytest.mark.parametrize(
    ("piece", "code"),
    [
        (b"", "connection"),
        (START, "connection"),
        (START + text("a"), "connection"),
        (START + text("a") + DONE_MARK, "connection"),
        (b'{"object":"response","output":[]}', "malformed"),
        (b"<html>", "malformed"),
        (b"data: oops\n\n", "malformed"),
        (b"event: response.completed\ndata: [1]\n\n", "malformed"),
        (b'event: response.output_text.delta\ndata: {"delta":5}\n\n', "malformed"),
        (b"event: response.completed\ndata: " + b'{"response":' * 5000 + b"\n\n", "malformed"),
        (event("response.failed", response={}), "unavailable"),
    ],
    ids=[
        "nothing",
        "start",
        "words",
        "[DONE]",
        "whole",
        "page",
        "no JSON",
        "list",
        "number",
        "deep",
        "failed",
    ],
)
def test_what_is_no_answer(piece: bytes, code: str) -> None:
    assert failure(piece).code == code
