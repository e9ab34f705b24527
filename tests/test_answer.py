"""Every dialect's reader: whatever a server sends, chunks come out or a `ProviderError` does."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ProviderError
from providers.answer import Answer
from providers.base import Stop, Text, Thinking, ToolCall
from providers.chat_api import MOST_WORDLESS, ChatAnswer
from providers.failures import Failures
from providers.messages_api import MessagesAnswer
from providers.responses_api import ResponsesAnswer
from tests.misbehaving import frame

FAILURES = Failures("Server", "http://host", local=False, key_env="KEY", secret="")
NAMES = (
    "message", "error", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop", "response.output_text.delta", "response.output_item.added", "response.output_item.done",
    "response.function_call_arguments.delta", "response.completed", "response.incomplete", "response.failed",
)  # fmt: skip
MEMBERS = (
    "choices", "delta", "content", "tool_calls", "function", "usage", "error", "code", "message", "details", "type",
    "index", "content_block", "response", "item", "output_index", "incomplete_details", "reason", "text", "thinking",
)  # fmt: skip
WORDS = ("", "function_call", "tool_use", "thinking", "503", "9" * 5000, "é")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from((*WORDS, *NAMES))
    | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=12,
)
events = st.builds(
    lambda name, data: f"event: {name}\ndata: {data}\n\n".encode(),
    st.sampled_from(NAMES),
    values.map(json.dumps) | st.sampled_from(("[DONE]", "[]", "[{}]", '{"error":{},"x":' + "9" * 5000 + "}")),
)


@pytest.mark.parametrize("reader", [ChatAnswer, MessagesAnswer, ResponsesAnswer])
@given(pieces=st.lists(events | st.binary(max_size=30), max_size=8))
def test_nothing_else_comes_out(reader: type[Answer], pieces: list[bytes]) -> None:
    answer = reader(FAILURES, "m")
    with contextlib.suppress(ProviderError):
        for piece in pieces:
            for chunk in answer.feed(piece):
                assert isinstance(chunk, Text | Thinking | ToolCall)
                assert isinstance(chunk, ToolCall) or chunk.text
        assert isinstance(answer.end(), Stop)


@pytest.mark.parametrize("reader", [ChatAnswer, ResponsesAnswer])
@pytest.mark.parametrize("code", ["9" * 5000, 10**30, ["503"], None])
def test_a_code_that_is_none(reader: type[Answer], code: Any) -> None:
    with pytest.raises(ProviderError) as failure:
        list(reader(FAILURES, "m").feed(frame({"error": {"code": code, "message": "No."}})))
    assert failure.value.code in ("unavailable", "malformed")


def test_tokens_that_spell_no_words_are_not_kept_for_ever() -> None:
    answer = ChatAnswer(FAILURES, "m")

    def token(words: str) -> bytes:
        told = [{"token": "x", "logprob": -1.0, "bytes": None, "top_logprobs": []}]
        return frame({"choices": [{"delta": {"content": words}, "logprobs": {"content": told}}]})

    for _ in range(10 * MOST_WORDLESS):
        assert list(answer.feed(token(""))) == []
    (said,) = answer.feed(token("word"))
    assert isinstance(said, Text)
    assert 1 <= len(said.logprobs) <= MOST_WORDLESS + 1
