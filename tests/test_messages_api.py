"""The reader of Messages streams: cut at every byte, and deaf to what it does not know."""

import pytest

from protocol.errors import ProviderError
from protocol.messages import Usage
from providers.base import Chunk, Stop, Text, Thinking, ToolCall
from providers.failures import Failures
from providers.messages_api import MessagesAnswer
from tests.misbehaving_messages import (
    AND_THEN,
    COUNTED,
    PING,
    START,
    STOP,
    begin,
    delta,
    end,
    event,
    failed,
    over,
    text,
)

FAILURES = Failures("Server", "http://host", local=False, key_env="KEY", secret="")


def read(*pieces: bytes) -> list[Chunk]:
    reply = MessagesAnswer(FAILURES, "m")
    return [*(chunk for piece in pieces for chunk in reply.feed(piece)), reply.end()]


def failure(*pieces: bytes) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        read(*pieces)
    return failed.value


WHOLE = b"".join(
    [
        COUNTED,
        PING,
        begin(type="thinking", thinking="", signature=""),
        delta("thinking", thinking="Hm "),
        delta("signature", signature="c2ln"),
        end(),
        text("wörld 🌍\u2028"),
        begin(2, type="tool_use", id="a", name="search", input={}),
        delta("input_json", 2, partial_json='{"q"'),
        delta("input_json", 2, partial_json=":1}"),
        end(2),
        over("tool_use", output_tokens=9),
    ]
)
CHUNKS = [
    Thinking("Hm "),
    Text("wörld 🌍\u2028"),
    ToolCall("a", "search"),
    ToolCall("a", "", '{"q"'),
    ToolCall("a", "", ":1}"),
    Stop("tool_calls", Usage(input=20, output=9, cached=8, cache_write=5)),
]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_every_cut_reads_the_same(line_end: bytes) -> None:
    whole = WHOLE.replace(b"\n", line_end)
    assert read(whole) == CHUNKS
    assert read(*(whole[at : at + 1] for at in range(len(whole)))) == CHUNKS
    for at in range(len(whole)):
        assert read(whole[:at], whole[at:]) == CHUNKS


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_calls"),
        ("refusal", "refusal"),
        ("pause_turn", "end"),
        ("a_reason_of_tomorrow", "end"),
        (None, "end"),
    ],
)
def test_why_it_stopped(reason: str | None, stop: str) -> None:
    assert read(START, over(reason)) == [Stop(stop)]  # type: ignore[arg-type]


SEARCHED = b"".join(
    [
        begin(type="server_tool_use", id="s", name="web_search", input={}),
        delta("input_json", partial_json='{"query":"tea"}'),
        end(),
        begin(1, type="web_search_tool_result", tool_use_id="s", content=[{"type": "web_search_result"}]),
        end(1),
    ]
)


@pytest.mark.parametrize(
    ("frames", "chunks"),
    [
        pytest.param([event("news", delta="odd"), text("a"), over("end_turn")], [Text("a"), Stop("end")], id="event"),
        pytest.param([begin(type="hologram", data={"x": 1}), end(), over("end_turn")], [Stop("end")], id="block"),
        pytest.param(
            [begin(type="text"), delta("citations", citation={"cited_text": "x"}), delta("odd", odd=[1]),
             over("end_turn")],
            [Stop("end")],
            id="deltas",
        ),
        pytest.param([SEARCHED, over("end_turn")], [Stop("end")], id="a server's own tool"),
        pytest.param([begin(type="text", text="a"), over("end_turn")], [Text("a"), Stop("end")], id="text at once"),
        pytest.param(
            [begin(type="thinking", thinking="Hm"), over("end_turn")], [Thinking("Hm"), Stop("end")],
            id="thoughts at once",
        ),
        pytest.param(
            [text("a"), over("end_turn").removesuffix(STOP)], [Text("a"), Stop("end")], id="no message_stop"
        ),
        pytest.param([text("a"), STOP], [Text("a"), Stop("end")], id="no reason"),
        pytest.param([over("end_turn"), text("a")], [Stop("end")], id="more after message_stop"),
    ],
)  # fmt: skip
def test_what_is_tolerated(frames: list[bytes], chunks: list[Chunk]) -> None:
    assert read(START, *frames) == chunks


def test_counts_are_overwritten_and_never_added() -> None:
    interim = event("message_delta", delta={}, usage={"output_tokens": 4})
    last = over("end_turn", output_tokens=6, input_tokens=9, cache_read_input_tokens=None)
    assert read(COUNTED, interim, last) == [
        Stop("end", Usage(input=9 + 5 + 8, output=6, cached=8, cache_write=5))
    ]


@pytest.mark.parametrize(
    ("kind", "code", "retryable"),
    [
        ("overloaded_error", "unavailable", True),
        ("api_error", "unavailable", True),
        ("rate_limit_error", "rate_limited", True),
        ("timeout_error", "timeout", True),
        ("invalid_request_error", "bad_request", False),
        ("authentication_error", "auth", False),
        ("permission_error", "auth", False),
        ("billing_error", "quota", False),
        ("not_found_error", "model_not_found", False),
        ("an_error_of_tomorrow", "unavailable", True),
    ],
)
def test_an_error_inside_the_stream_means_what_its_type_says(kind: str, code: str, retryable: bool) -> None:
    failure_ = failure(START, AND_THEN, failed(kind))
    assert (failure_.code, failure_.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("piece", "code"),
    [
        (b"", "connection"),
        (START, "connection"),
        (b'{"type":"message","content":[]}', "malformed"),
        (b"<html>", "malformed"),
        (b"event: error\ndata: oops\n\n", "malformed"),
        (b"event: message_delta\ndata: [1]\n\n", "malformed"),
        (b'event: content_block_delta\ndata: {"delta":{"text":5}}\n\n', "malformed"),
        (b"event: content_block_delta\ndata: " + b'{"delta":' * 5000 + b"\n\n", "malformed"),
    ],
    ids=["nothing", "start", "no stream", "page", "error", "list", "number", "deep"],
)
def test_what_is_no_answer(piece: bytes, code: str) -> None:
    assert failure(piece).code == code
