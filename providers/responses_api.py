"""The answer of a Responses server, from bytes to chunks. No I/O, and no SDK.

Events are told apart by name, and those not known here say nothing. Source:
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from protocol.messages import Logprob, StopReason, TopLogprob, Usage
from protocol.sse import Frame
from providers.answer import Answer
from providers.base import Chunk, Stop, Text, Thinking, ToolCall
from providers.failures import Failures


class _Name(msgspec.Struct, frozen=True):
    """What an event is where its SSE frame does not say; a gateway's error may have no type at all."""

    type: str = ""
    error: Any = None


class _Item(msgspec.Struct, frozen=True):
    """A message, reasoning, a tool call; only calls of functions have these members."""

    type: str = ""
    call_id: str = ""
    name: str = ""
    arguments: str | None = None


class _InputDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(msgspec.Struct, frozen=True):
    reason: str | None = None


class _Response(msgspec.Struct, frozen=True):
    error: Any = None
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None


class _Top(msgspec.Struct, frozen=True):
    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None


class _Logprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_Top] | None = None


class _Body(msgspec.Struct, frozen=True):
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: str = ""
    logprobs: list[_Logprob] | None = None
    item: _Item = _Item()
    response: _Response = _Response()


_names = msgspec.json.Decoder(_Name)
_bodies = msgspec.json.Decoder(_Body)

_WORDS: dict[str, type[Text | Thinking]] = {
    "response.output_text.delta": Text,
    "response.refusal.delta": Text,
    "response.reasoning_summary_text.delta": Thinking,
    "response.reasoning_text.delta": Thinking,
}
_ARGUMENTS = "response.function_call_arguments.delta"
_ITEMS = {"response.output_item.added", "response.output_item.done"}
_LAST = {"response.completed", "response.incomplete", "response.failed"}
_KNOWN = {*_WORDS, _ARGUMENTS, *_ITEMS, *_LAST}
# Whatever else leaves an answer incomplete, it was cut short.
_INCOMPLETE: dict[str | None, StopReason] = {"content_filter": "content_filter"}


class ResponsesAnswer(Answer):
    """One answer. It is over with `response.completed`, `response.incomplete` or `response.failed`; nothing else ends
    it well."""

    def __init__(self, failures: Failures, model: str) -> None:
        super().__init__(failures, model)
        self._stop: Stop | None = None
        self._refused = False
        self._places: dict[type[Text | Thinking], tuple[int, int, int]] = {}
        self._calls: dict[int, str] = {}
        self._bare: set[int] = set()

    def end(self) -> Stop:
        if self._stop is None:
            raise self._unfinished()
        return self._stop

    def _read(self, frame: Frame) -> Iterator[Chunk]:
        kind = frame.event
        if frame.data.startswith("[DONE]"):  # not OpenAI's, but its imitators' habit
            self.done = True
            return
        if kind == "message":
            named = self._decode(_names, frame.data)
            kind = named.type or ("error" if named.error else "")
        if kind == "error":
            raise self._told_in(frame)
        if kind in _KNOWN:
            yield from self._event(kind, self._decode(_bodies, frame.data))

    def _event(self, kind: str, body: _Body) -> Iterator[Chunk]:
        if kind in _LAST:
            self._finish(kind, body.response)
        elif kind in _ITEMS:
            yield from self._item(body.output_index, body.item, done=kind.endswith("done"))
        elif not body.delta:
            return
        elif kind == _ARGUMENTS:
            if call := self._calls.get(body.output_index):
                self._bare.discard(body.output_index)
                yield ToolCall(call, "", body.delta)
        else:
            self._refused = self._refused or "refusal" in kind
            yield self._words(_WORDS[kind], body)

    def _words(self, voice: type[Text | Thinking], body: _Body) -> Chunk:
        """Each part of a summary and each message is a paragraph; nothing in their words separates them."""
        place = body.output_index, body.content_index, body.summary_index
        before = self._places.setdefault(voice, place)
        self._places[voice] = place
        words = body.delta if place == before else "\n\n" + body.delta
        return (
            Text(words, tuple(map(_told, body.logprobs))) if body.logprobs and voice is Text else voice(words)
        )

    def _item(self, index: int, item: _Item, *, done: bool) -> Iterator[Chunk]:
        if item.type != "function_call":
            return
        if index not in self._calls:
            self._calls[index] = item.call_id or f"call_{index}"
            self._bare.add(index)
            yield ToolCall(self._calls[index], item.name)
        if done and index in self._bare:  # a server that does not stream them, or a call without any
            self._bare.discard(index)
            yield ToolCall(self._calls[index], "", item.arguments or "{}")

    def _finish(self, kind: str, response: _Response) -> None:
        if response.error or kind == "response.failed":
            raise self._told({"error": response.error})
        self.done = True
        incomplete = response.incomplete_details
        if incomplete or kind == "response.incomplete":
            reason = _INCOMPLETE.get((incomplete or _Incomplete()).reason, "length")
        else:
            reason = "refusal" if self._refused else "tool_calls" if self._calls else "end"
        self._stop = Stop(reason, None if response.usage is None else _count(response.usage))


def _told(one: _Logprob) -> Logprob:
    top = (
        TopLogprob(other.token, other.logprob, other.bytes)
        for other in one.top_logprobs or ()
        if other.token is not None and other.logprob is not None
    )
    return Logprob(one.token, one.logprob, one.bytes, tuple(top))


def _count(usage: _Usage) -> Usage:
    asked, answered = usage.input_tokens or 0, usage.output_tokens or 0
    read = usage.input_tokens_details or _InputDetails()
    thought = usage.output_tokens_details or _OutputDetails()
    return Usage(
        asked,
        answered,
        min(thought.reasoning_tokens or 0, answered),
        min(read.cached_tokens or 0, asked),
        min(read.cache_write_tokens or 0, asked),
    )
