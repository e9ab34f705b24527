"""OpenAI's words for an answer: finish reasons, usage, tool calls, the whole object of Chat Completions, and errors.
Source: https://platform.openai.com/docs/api-reference/chat and the types of OpenAI's own packages.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec

from protocol import codec, invocation
from protocol.messages import Cost, Failure, Logprob, StopReason, Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
FINISH: dict[StopReason, FinishReason] = {
    "end": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    # What was refused was said as content already, and cannot become a `refusal` any more.
    "refusal": "content_filter",
}


class Retry(msgspec.Struct, frozen=True):
    """The model could not answer, and is asked again after `wait` seconds."""

    error: Failure
    wait: float


class Step(msgspec.Struct, frozen=True):
    """A step of the tool `complete`: words, reasoning, a fragment of a call, or before all these a retry."""

    text: str = ""
    thinking: str = ""
    call: str = ""
    name: str = ""
    arguments: str = ""
    logprobs: list[Logprob] = []
    retry: Retry | None = None


class Final(msgspec.Struct, frozen=True):
    """Its result."""

    text: str = ""
    stop_reason: StopReason = "end"
    usage: Usage | None = None
    cost: Cost | None = None


class _Converge(msgspec.Struct, frozen=True):
    final: Final


class PromptDetails(msgspec.Struct, frozen=True):
    """Of the tokens read."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class CompletionDetails(msgspec.Struct, frozen=True):
    """Of the tokens written."""

    reasoning_tokens: int = 0


class CompletionUsage(msgspec.Struct, frozen=True):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class Function(msgspec.Struct):
    """What is to be called; `arguments` is JSON text as the model wrote it, which need not be valid."""

    name: str = ""
    arguments: str = ""


class ToolCall(msgspec.Struct):
    """A model's wish that a function be called."""

    id: str
    type: Literal["function"] = "function"
    function: Function = msgspec.field(default_factory=Function)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was said. `reasoning_content` is the name of DeepSeek, vLLM and llama.cpp's server; OpenAI shows none."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    reasoning_content: str | msgspec.UnsetType = msgspec.UNSET
    tool_calls: list[ToolCall] | msgspec.UnsetType = msgspec.UNSET


class Logprobs(msgspec.Struct, frozen=True):
    """Of each token that was said."""

    content: list[Logprob]
    refusal: None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The one answer there is."""

    index: int = 0
    message: Answer
    logprobs: Logprobs | None = None
    finish_reason: FinishReason


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as a whole. `usage` is null where the server behind told none; `roundtable` is ours."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage | None
    roundtable: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class Writer(Protocol):
    """Puts an answer into one of OpenAI's forms, as it is told: bytes for the wire, or at the end an `object`."""

    failed: invocation.Failed | None
    """The end, if it was told and is an error."""
    retry: Retry | None
    """The last retry that was told."""

    def begin(self) -> bytes:
        """What comes before any word."""
        ...

    def told(self, body: bytes) -> bytes:
        """An entry of a model's invocation."""
        ...

    def say(self, text: str) -> bytes:
        """Words from elsewhere."""
        ...

    def about(self, ours: Mapping[str, Any]) -> None:
        """What we add to everything from here on, beside what we had added."""
        ...

    def end(self, reason: FinishReason, used: Usage | None) -> bytes:
        """What comes after the last word."""
        ...

    def fail(self, failed: invocation.Failed) -> bytes:
        """What is said in place of an end."""
        ...

    def object(self) -> bytes:
        """The answer as a whole, once it has ended."""
        ...


class Completion:
    """`Writer` of the whole object: nothing is said before its end."""

    def __init__(self, id: str, created: int, model: str, ours: Mapping[str, Any]) -> None:
        self.failed: invocation.Failed | None = None
        self.retry: Retry | None = None
        self._id, self._created, self._model, self._ours = id, created, model, dict(ours)
        self._words: list[str] = []
        self._thoughts: list[str] = []
        self._logprobs: list[Logprob] = []
        self._calls: dict[str, ToolCall] = {}
        self._reason: FinishReason = "stop"
        self._used: Usage | None = None

    def begin(self) -> bytes:
        """As `Writer.begin`."""
        return b""

    def told(self, body: bytes) -> bytes:
        """As `Writer.told`."""
        for kind, data in invocation.shown(body):
            if kind == b"step":
                self._step(step(data))
            elif kind == b"converge":
                finish(self, final(data))
            elif kind in invocation.ENDINGS:
                self.failed = failure(data)
        return b""

    def say(self, text: str) -> bytes:
        """As `Writer.say`."""
        self._words.append(text)
        return b""

    def about(self, ours: Mapping[str, Any]) -> None:
        """As `Writer.about`."""
        self._ours |= ours

    def end(self, reason: FinishReason, used: Usage | None) -> bytes:
        """As `Writer.end`."""
        self._reason, self._used = reason, used
        return b""

    def fail(self, failed: invocation.Failed) -> bytes:
        """As `Writer.fail`: it is the status that says so."""
        self.failed = failed
        return b""

    def object(self) -> bytes:
        """As `Writer.object`."""
        return codec.encode(
            ChatCompletion(
                id=self._id,
                created=self._created,
                model=self._model,
                choices=[self._choice()],
                usage=None if self._used is None else usage(self._used),
                roundtable=self._ours or msgspec.UNSET,
            )
        )

    def _choice(self) -> Choice:
        text = "".join(self._words)
        answer = Answer(
            content=None if self._calls and not text else text,
            reasoning_content="".join(self._thoughts) or msgspec.UNSET,
            tool_calls=list(self._calls.values()) or msgspec.UNSET,
        )
        logprobs = Logprobs(self._logprobs) if self._logprobs else None
        return Choice(message=answer, logprobs=logprobs, finish_reason=self._reason)

    def _step(self, step: Step) -> None:
        self.retry = step.retry
        self._words.append(step.text)
        self._thoughts.append(step.thinking)
        self._logprobs += step.logprobs
        if step.call:
            call = self._calls.setdefault(step.call, ToolCall(step.call)).function
            call.name = call.name or step.name
            call.arguments += step.arguments


def finish(writer: Writer, found: Final) -> bytes:
    """The end of an invocation that has a result."""
    if found.cost is not None:
        writer.about({"dollars": found.cost.dollars})
    return writer.end(FINISH[found.stop_reason], found.usage)


_step_decoder = msgspec.json.Decoder(Step)
_converge_decoder = msgspec.json.Decoder(_Converge)


def step(body: bytes) -> Step:
    """A step from its body."""
    decoded: Step = _step_decoder.decode(body)
    return decoded


def final(body: bytes) -> Final:
    """The result from the body of `converge`."""
    decoded: _Converge = _converge_decoder.decode(body)
    return decoded.final


def failure(body: bytes) -> invocation.Failed:
    """What an `error` or `cancelled` tells, in one form."""
    event = invocation.decode(body)
    if isinstance(event, invocation.Failed):
        return event
    assert isinstance(event, invocation.Cancelled)
    told = f"The answer was stopped: {event.reason}."
    return invocation.Failed(id=event.id, t=event.t, code="cancelled", detail=told, retryable=True)


def usage(used: Usage) -> CompletionUsage:
    """Our count in OpenAI's: reading includes what came from the cache, writing includes reasoning."""
    return CompletionUsage(
        used.input,
        used.output,
        used.input + used.output,
        PromptDetails(used.cached, used.cache_write),
        CompletionDetails(used.thinking),
    )
