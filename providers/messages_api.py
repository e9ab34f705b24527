"""The answer of a Messages server, from bytes to chunks. No I/O, and no SDK.

Events are told apart by their SSE name, as the SDK does; those not known here say nothing. Source:
https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from protocol.messages import StopReason, Usage
from protocol.sse import Frame
from providers.answer import Answer
from providers.base import Chunk, Stop, Text, Thinking, ToolCall
from providers.failures import Failures


class _Block(msgspec.Struct, frozen=True):
    """Text, thinking or a tool call; others (redacted thinking, what servers' own tools did) have no such members."""

    type: str = ""
    id: str = ""
    name: str = ""
    text: str | None = None
    thinking: str | None = None


class _Delta(msgspec.Struct, frozen=True):
    """Of a block, or of the whole message. Signatures and citations are not for us."""

    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Details(msgspec.Struct, frozen=True):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Message(msgspec.Struct, frozen=True):
    usage: _Usage | None = None


class _Body(msgspec.Struct, frozen=True):
    index: int = 0
    message: _Message = _Message()
    content_block: _Block = _Block()
    delta: _Delta = _Delta()
    usage: _Usage | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Body)

_KNOWN = {
    "message_start", "content_block_start", "content_block_stop", "message_delta", "error",
}  # fmt: skip
_STOPS: dict[str, StopReason] = {
    "end_turn": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "pause_turn": "end",  # a server's own tool takes long; we ask for none, and what was said stands
}


class MessagesAnswer(Answer):
    """One answer. It is over with `message_stop`."""

    def __init__(self, failures: Failures, model: str) -> None:
        super().__init__(failures, model)
        self._reason = ""
        self._usage: _Usage | None = None
        self._calls: dict[int, str] = {}
        self._bare: set[int] = set()

    def end(self) -> Stop:
        """A reason to stop is the end even where `message_stop` is missing."""
        if not (self.done or self._reason):
            raise self._unfinished()
        return Stop(_STOPS.get(self._reason, "end"), None if self._usage is None else _count(self._usage))

    def _read(self, frame: Frame) -> Iterator[Chunk]:
        if frame.event == "content_block_delta":  # nearly every event is one
            body = self._decode(_decoder, frame.data)
            yield from self._go_on(body.index, body.delta)
            return
        self.done = frame.event == "message_stop"
        if frame.event not in _KNOWN:
            return
        body = self._decode(_decoder, frame.data)
        match frame.event:
            case "error":
                raise self._told_in(frame)
            case "content_block_start":
                yield from self._begin(body.index, body.content_block)
            case "content_block_stop" if body.index in self._bare:
                yield ToolCall(self._calls[body.index], "", "{}")
        self._reason = body.delta.stop_reason or self._reason
        for usage in (body.message.usage, body.usage):
            self._usage = _later(self._usage, usage)

    def _begin(self, index: int, block: _Block) -> Iterator[Chunk]:
        if block.thinking:
            yield Thinking(block.thinking)
        if block.text:
            yield Text(block.text)
        if block.type == "tool_use":
            self._calls[index] = block.id
            self._bare.add(index)
            yield ToolCall(block.id, block.name)

    def _go_on(self, index: int, delta: _Delta) -> Iterator[Chunk]:
        if delta.text:
            yield Text(delta.text)
        elif delta.thinking:
            yield Thinking(delta.thinking)
        elif delta.partial_json and index in self._calls:  # a server's own tools have arguments too
            self._bare.discard(index)
            yield ToolCall(self._calls[index], "", delta.partial_json)


def _later(before: _Usage | None, now: _Usage | None) -> _Usage | None:
    """Counts are cumulative, and a later event may tell only some of them."""
    if before is None or now is None:
        return before or now
    told = {name: count for name, count in msgspec.structs.asdict(now).items() if count is not None}
    return msgspec.structs.replace(before, **told)


def _count(usage: _Usage) -> Usage:
    """In our terms: `input` holds what was written to the cache and read from it."""
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    output, details = usage.output_tokens or 0, usage.output_tokens_details or _Details()
    return Usage(
        (usage.input_tokens or 0) + written + cached,
        output,
        min(details.thinking_tokens or 0, output),
        cached,
        written,
    )
