"""The three dialects, as our providers speak them and as their SDKs do by themselves, with the same client."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from protocol.messages import Message
from providers.anthropic import AnthropicProvider
from providers.base import Request
from providers.openai import OpenAIProvider
from providers.presets import PRESETS, Preset
from providers.responses import ResponsesProvider

KEY = "sk-bench-a1B2c3D4e5F6g7H8i9J0"
REQUEST = Request("m", "Be brief.", (Message("user", "Why?"),))


class Stream(Protocol):
    """An SDK's own stream."""

    def __aiter__(self) -> AsyncIterator[Any]: ...

    async def close(self) -> None: ...


class Dialect(NamedTuple):
    """`provider` makes ours, `ask` what the SDK offers; `first`, `word` and `last` are frames of one answer."""

    name: str
    provider: Callable[[Preset, str], Any]
    ask: Callable[[Any], Awaitable[Stream]]
    first: bytes
    word: bytes
    last: bytes


def preset(url: str) -> Preset:
    """A server on this machine."""
    return msgspec.structs.replace(PRESETS["vllm"], base_url=url)


def _frame(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def _chunk(finish: str | None, **delta: str) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    whole = {
        "id": "chatcmpl-CfGx2vYk3n", "object": "chat.completion.chunk", "created": 1763675000, "model": "gpt-5.4",
        "service_tier": "default", "system_fingerprint": "fp_1a2b3c", "choices": [choice], "usage": None,
    }  # fmt: skip
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


_PLACE = {"item_id": "msg_68f0a1b2c3", "output_index": 0, "content_index": 0, "sequence_number": 7}
_RESPONSE = {
    "id": "resp_68f0a1b2c3", "object": "response", "created_at": 1763675000, "model": "gpt-5.4", "output": [],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "completed",
}  # fmt: skip
_MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None,
    "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 1},
}  # fmt: skip

DIALECTS = (
    Dialect(
        "Chat Completions",
        OpenAIProvider,
        lambda client: client.chat.completions.create(model="m", messages=[], stream=True),
        _chunk(None, role="assistant", content=""),
        _chunk(None, content=" word"),
        _chunk("stop") + b"data: [DONE]\n\n",
    ),
    Dialect(
        "Responses",
        ResponsesProvider,
        lambda client: client.responses.create(model="m", input="", stream=True),
        _frame("response.created", response=_RESPONSE, sequence_number=0),
        _frame("response.output_text.delta", **_PLACE, delta=" word", logprobs=[]),
        _frame("response.completed", response=_RESPONSE, sequence_number=9),
    ),
    Dialect(
        "Messages",
        AnthropicProvider,
        lambda client: client.messages.create(model="m", max_tokens=9, messages=[], stream=True),
        _frame("message_start", message=_MESSAGE)
        + _frame("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _frame("content_block_delta", index=0, delta={"type": "text_delta", "text": " word"}),
        _frame("content_block_stop", index=0)
        + _frame(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": 9},
        )
        + _frame("message_stop"),
    ),
)
