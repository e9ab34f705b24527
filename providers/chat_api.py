"""The answer of a Chat Completions server, from bytes to chunks. No I/O, and no SDK: its models cost ten times this.

Servers differ in all that the specification leaves open; what is tolerated stands beside the field that needs it.
Source: https://platform.openai.com/docs/api-reference/chat-streaming and the servers named below.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from protocol.messages import Logprob, StopReason, TopLogprob, Usage
from protocol.sse import Frame
from providers.answer import Answer
from providers.base import Chunk, Stop, Text, Thinking, ToolCall
from providers.failures import Failures, Report


class _Part(msgspec.Struct, frozen=True):
    """Mistral's reasoning models send content in parts, and their thinking as a part that holds parts."""

    text: str = ""
    thinking: list["_Part"] | None = None


class _Function(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _ToolPart(msgspec.Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: _Function = _Function()


class _Google(msgspec.Struct, frozen=True):
    thought: bool | None = None


class _Extra(msgspec.Struct, frozen=True):
    """Gemini's mark on thoughts in `content`, which it fences with <thought> and </thought> too."""

    google: _Google | None = None


class _Delta(msgspec.Struct, frozen=True):
    content: str | list[_Part] | None = None
    reasoning_content: str | None = None  # DeepSeek, xAI, llama-server, LM Studio
    reasoning: str | None = None  # Ollama, OpenRouter, Groq, vLLM
    refusal: str | None = None
    tool_calls: list[_ToolPart] | None = None
    extra_content: _Extra | None = None


class _Logprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: tuple[TopLogprob, ...] | None = None


class _Logprobs(msgspec.Struct, frozen=True):
    content: list[_Logprob] | None = None


class _Choice(msgspec.Struct, frozen=True):
    index: int | None = 0
    logprobs: Any = None
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek


class _Body(msgspec.Struct, frozen=True):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    object: Any = None


class _Failure(msgspec.Struct, frozen=True):
    error: Any


_decoder = msgspec.json.Decoder(_Body)
_failures = msgspec.json.Decoder(Annotated[list[_Failure], msgspec.Meta(min_length=1)])

_STOPS: dict[str, StopReason] = {
    "stop": "end",
    "length": "length",
    "model_length": "length",  # Mistral: the context is full
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    # Gemini's own names, which its compatible endpoint lets through.
    "max_tokens": "length",
    **dict.fromkeys(("safety", "recitation", "blocklist", "prohibited_content", "spii"), "content_filter"),
}
# Tokens that wait for the words they spell: a character takes four of them, a family of emoji some thirty. More have
# spelt something else, such as a call.
MOST_WORDLESS = 64
# Reasons to end that are failures: OpenRouter and Mistral, vLLM, DeepSeek.
_BROKEN = {"error", "abort", "insufficient_system_resource"}


class ChatAnswer(Answer):
    """One answer. It is over with the server's `[DONE]`."""

    def __init__(self, failures: Failures, model: str) -> None:
        super().__init__(failures, model)
        self._finish = ""
        self._refused = False
        self._thought = False
        self._usage: _Usage | None = None
        self._calls: dict[int | None, str] = {}
        self._named: set[str] = set()
        self._tokens: list[Logprob] = []  # that came without words: a character may take several

    def end(self) -> Stop:
        """A finish reason counts only here: Gemini may send it early or often."""
        if not (self.done or self._finish):
            raise self._unfinished()
        if self._finish in _BROKEN:
            raise self._failures.reported(Report(0, "", f"it stopped with {self._finish!r}"), self._model)
        # Gemini adds its own reason, as in "content_filter: RECITATION", or says nothing but that.
        reason = "refusal" if self._refused else _STOPS.get(self._finish.partition(":")[0].lower(), "end")
        if reason == "end" and self._calls:  # Gemini's and older Ollamas' "stop"
            reason = "tool_calls"
        return Stop(reason, None if self._usage is None else _count(self._usage))

    def _read(self, frame: Frame) -> Iterator[Chunk]:
        self.done = frame.data.startswith("[DONE]")
        if self.done:
            return
        if frame.data.startswith("["):  # Gemini's failures come in a list
            raise self._told({"error": self._decode(_failures, frame.data)[0].error})
        body = self._decode(_decoder, frame.data)
        if body.error or "error" in (frame.event, body.object):  # `object` is vLLM's and Mistral's way
            raise self._told_in(frame)
        self._usage = body.usage or self._usage  # some send it on every chunk; it is cumulative
        for choice in body.choices or ():
            if not choice.index:
                self._finish = choice.finish_reason or self._finish
                if choice.logprobs:
                    self._tokens += _logprobs(choice.logprobs)
                yield from self._delta(choice.delta or _Delta())
                if len(self._tokens) > MOST_WORDLESS:
                    self._tokens.clear()

    def _delta(self, delta: _Delta) -> Iterator[Chunk]:
        if thought := delta.reasoning_content or delta.reasoning:
            yield Thinking(thought)
        if isinstance(delta.content, str):
            yield from self._words(delta.content, delta.extra_content)
        elif delta.content:
            yield from _parts(delta.content)
        if delta.refusal:
            self._refused = True
            yield Text(delta.refusal)
        for part in delta.tool_calls or ():
            yield from self._tool(part)

    def _words(self, words: str, extra: _Extra | None) -> Iterator[Chunk]:
        if not words:
            return
        thinking = extra is not None and extra.google is not None and bool(extra.google.thought)
        if thinking:
            words = (words if self._thought else words.removeprefix("<thought>")).removesuffix("</thought>")
        elif self._thought:  # the fence's end comes with the first words of the answer
            words = words.removeprefix("</thought>")
        self._thought = thinking
        if words:
            yield Thinking(words) if thinking else self._text(words)

    def _text(self, words: str) -> Text:
        if not self._tokens:
            return Text(words)
        tokens, self._tokens = tuple(self._tokens), []
        return Text(words, tokens)

    def _tool(self, part: _ToolPart) -> Iterator[Chunk]:
        # Fragments after the first have only the index. Gemini numbers every call 0, so a new id is a new call.
        call = part.id or self._calls.get(part.index) or f"call_{part.index or 0}"
        self._calls[part.index] = call
        name = "" if call in self._named else part.function.name or ""
        if name:
            self._named.add(call)
        if name or part.function.arguments:
            yield ToolCall(call, name, part.function.arguments or "")


def _logprobs(told: object) -> tuple[Logprob, ...]:
    """Whatever is not in OpenAI's form (other servers have had their own) tells nothing."""
    try:
        content = msgspec.convert(told, _Logprobs).content or ()
    except msgspec.ValidationError:
        return ()
    return tuple(Logprob(one.token, one.logprob, one.bytes, one.top_logprobs or ()) for one in content)


def _parts(parts: list[_Part]) -> Iterator[Chunk]:
    for part in parts:
        if thought := "".join(inner.text for inner in part.thinking or ()):
            yield Thinking(thought)
        if part.text:
            yield Text(part.text)


def _count(usage: _Usage) -> Usage:
    """In our terms: `output` holds the thinking, which xAI and Gemini count only in the total."""
    asked, answered = usage.prompt_tokens or 0, usage.completion_tokens or 0
    unnamed = max(0, (usage.total_tokens or 0) - asked - answered)
    thinking = (usage.completion_tokens_details or _Details()).reasoning_tokens or unnamed
    read = usage.prompt_tokens_details or _Details()
    cached, written = read.cached_tokens or usage.prompt_cache_hit_tokens or 0, read.cache_write_tokens or 0
    output = max(answered + unnamed, thinking)
    return Usage(asked, output, thinking, min(cached, asked), min(written, asked))
