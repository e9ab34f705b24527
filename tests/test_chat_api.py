"""The reader of Chat Completions streams: cut at every byte, and tolerant exactly where servers differ."""

from typing import Any

import pytest

from protocol.errors import ProviderError
from protocol.messages import Usage
from providers.base import Chunk, Stop, Text, Thinking, ToolCall
from providers.chat_api import ChatAnswer
from providers.failures import Failures
from tests.misbehaving import DONE, frame
from tests.test_providers import AND_THEN, STOP, USAGE, delta, tool

FAILURES = Failures("Server", "http://host", local=False, key_env="KEY", secret="")


def read(*pieces: bytes) -> list[Chunk]:
    completion = ChatAnswer(FAILURES, "m")
    return [*(chunk for piece in pieces for chunk in completion.feed(piece)), completion.end()]


def failure(*pieces: bytes) -> str:
    with pytest.raises(ProviderError) as failed:
        read(*pieces)
    return failed.value.code


WHOLE = b"".join(
    [
        b": OPENROUTER PROCESSING\n\n",
        delta(role="assistant", content=None),
        delta(reasoning="Hm "),
        delta(content="wörld 🌍\u2028".encode().decode()),
        tool(0, "a", "search", '{"q"'),
        tool(0, None, None, ":1}"),
        STOP,
        USAGE,
        DONE,
    ]
)
CHUNKS = [
    Thinking("Hm "),
    Text("wörld 🌍\u2028"),
    ToolCall("a", "search", '{"q"'),
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


@pytest.mark.parametrize(
    ("frames", "chunks"),
    [
        pytest.param([frame({"choices": []}), STOP, DONE], [Stop("end")], id="no choices, early"),
        pytest.param([frame({"id": "x"}), frame({"choices": None}), STOP], [Stop("end")], id="choices null"),
        pytest.param([AND_THEN, STOP], [Text("And then"), Stop("end")], id="no [DONE]"),
        pytest.param([AND_THEN, DONE], [Text("And then"), Stop("end")], id="no finish reason"),
        pytest.param([AND_THEN, DONE, AND_THEN], [Text("And then"), Stop("end")], id="more after [DONE]"),
        pytest.param(
            [delta("stop", content="a"), delta("stop", content="b"), delta("length"), DONE],
            [Text("a"), Text("b"), Stop("length")],
            id="finish reason on every chunk",
        ),
        pytest.param([STOP, AND_THEN, DONE], [Text("And then"), Stop("end")], id="finish reason early"),
        pytest.param([delta("", content="a"), delta("eos"), DONE], [Text("a"), Stop("end")], id="its own reason"),
        pytest.param(
            [delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]),
             delta(content=[{"type": "text", "text": "a"}]), STOP],
            [Thinking("Hm"), Text("a"), Stop("end")],
            id="content in parts",
        ),
        pytest.param(
            [frame({"choices": [{"index": 1, "delta": {"content": "other"}}]}), AND_THEN, STOP],
            [Text("And then"), Stop("end")],
            id="only the first choice",
        ),
        pytest.param(
            [tool(0, "a", "f", "{}"), tool(0, "b", "f", "{}"), STOP],
            [ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"), Stop("tool_calls")],
            id="two calls of one index",
        ),
        pytest.param(
            [tool(0, "a", "f", "{"), tool(0, "a", "f", "}"), STOP],
            [ToolCall("a", "f", "{"), ToolCall("a", "", "}"), Stop("tool_calls")],
            id="name repeated",
        ),
        pytest.param(
            [tool(0, None, "f", "{"), tool(0, "", None, "}"), STOP],
            [ToolCall("call_0", "f", "{"), ToolCall("call_0", "", "}"), Stop("tool_calls")],
            id="no id",
        ),
    ],
)  # fmt: skip
def test_what_servers_vary(frames: list[bytes], chunks: list[Chunk]) -> None:
    assert read(*frames) == chunks


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, Usage(5, 2)),
        # xAI and Gemini: the thinking is in the total alone.
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 10}, Usage(5, 5, thinking=3)),
        (
            {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 10,
             "completion_tokens_details": {"reasoning_tokens": 3}},
            Usage(5, 5, thinking=3),
        ),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}, Usage(5, 2, cached=4)),
        ({"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": None}, Usage(5)),
    ],
    ids=["plain", "thinking unnamed", "thinking apart", "DeepSeek's cache", "nulls"],
)  # fmt: skip
def test_usage(usage: dict[str, Any], expected: Usage) -> None:
    assert read(STOP, frame({"choices": [], "usage": usage}))[-1] == Stop("end", expected)


def test_usage_on_every_chunk_is_cumulative() -> None:
    frames = [frame({"usage": {"prompt_tokens": 5, "completion_tokens": count}}) for count in (1, 2, 3)]
    assert read(*frames, frame({"usage": None}), STOP)[-1] == Stop("end", Usage(5, 3))


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        pytest.param([], "connection", id="nothing"),
        pytest.param([AND_THEN], "connection", id="cut between frames"),
        pytest.param([AND_THEN[:-20]], "connection", id="cut in a frame"),
        pytest.param([b"<html></html>"], "malformed", id="a page"),
        pytest.param([b'{"choices":[]}'], "malformed", id="not streamed"),
        pytest.param([b"data: {oops\n\n"], "malformed", id="broken JSON"),
        pytest.param([b"data: 42\n\n"], "malformed", id="another JSON"),
        pytest.param([b'data: {"choices":[{"delta":{"content":7}}]}\n\n'], "malformed", id="a wrong type"),
        pytest.param([b'data: {"error":' + b"[" * 100_000 + b"\n\n"], "malformed", id="nested without end"),
        pytest.param([frame({"error": "Overloaded"})], "unavailable", id="error as text"),
        pytest.param(
            [frame({"error": {"message": "No", "code": 429}})], "rate_limited", id="error with status"
        ),
        pytest.param(
            [frame({"error": {"code": "context_length_exceeded"}})], "context_overflow", id="error code"
        ),
        pytest.param([b'event: error\ndata: {"message":"No"}\n\n'], "unavailable", id="event: error"),
        pytest.param(
            [frame({"object": "error", "message": "No", "code": 400})], "bad_request", id="object error"
        ),
        pytest.param([AND_THEN, delta("error"), DONE], "unavailable", id="finish reason error"),
    ],
)
def test_what_is_no_answer(pieces: list[bytes], code: str) -> None:
    assert failure(*pieces) == code


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        -0.003,
        {},
        {"content": None},
        {"tokens": ["Yes."], "token_logprobs": [-0.5]},
        {"content": [{}]},
    ],
)
def test_logprobs_in_another_form_are_passed_over(told: Any) -> None:
    words = frame({"choices": [{"delta": {"content": "Yes."}, "logprobs": told}]})
    assert read(words, STOP, DONE) == [Text("Yes."), Stop("end")]
