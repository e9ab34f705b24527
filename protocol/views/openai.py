"""OpenAI's words for an answer: finish reasons, usage, tool calls, the whole object of Chat Completions, and errors.
Source: https://platform.openai.com/docs/api-reference/chat and the types of OpenAI's own packages.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from protocol import codec, invocation
from protocol.messages import Cost, Logprob, StopReason, Usage

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


class Step(msgspec.Struct, frozen=True):
    """A step of the tool `complete`: words, reasoning, or a fragment of a call."""

    text: str = ""
    thinking: str = ""
    call: str = ""
    name: str = ""
    arguments: str = ""
    logprobs: list[Logprob] = []


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


class Said:
    """Everything that was said in one invocation, by its entries; `failed` if that was its end."""

    def __init__(self) -> None:
        self.final = Final()
        self.failed: invocation.Failed | None = None
        self.calls: dict[str, ToolCall] = {}
        self.logprobs: list[Logprob] = []
        self._words: list[str] = []
        self._thoughts: list[str] = []

    def told(self, body: bytes) -> None:
        """One more entry."""
        for kind, data in invocation.shown(body):
            if kind == b"step":
                self._step(step(data))
            elif kind == b"converge":
                self.final = final(data)
            elif kind in invocation.ENDINGS:
                self.failed = failure(data)

    def _step(self, step: Step) -> None:
        self._words.append(step.text)
        self._thoughts.append(step.thinking)
        self.logprobs += step.logprobs
        if step.call:
            call = self.calls.setdefault(step.call, ToolCall(step.call)).function
            call.name = call.name or step.name
            call.arguments += step.arguments

    @property
    def text(self) -> str:
        """The words, or those of the result where the steps told none."""
        return "".join(self._words) or self.final.text

    @property
    def thoughts(self) -> str:
        """The reasoning, as far as it was shown."""
        return "".join(self._thoughts)

    def choice(self) -> Choice:
        """As OpenAI's only choice."""
        answer = Answer(
            content=None if self.calls and not self.text else self.text,
            reasoning_content=self.thoughts or msgspec.UNSET,
            tool_calls=list(self.calls.values()) or msgspec.UNSET,
        )
        logprobs = Logprobs(self.logprobs) if self.logprobs else None
        return Choice(message=answer, logprobs=logprobs, finish_reason=FINISH[self.final.stop_reason])


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


def completion(
    id: str, created: int, model: str, choice: Choice, *, used: Usage | None, ours: Mapping[str, Any]
) -> bytes:
    """The whole object; `ours` is what we add to it, if anything."""
    return codec.encode(
        ChatCompletion(
            id=id,
            created=created,
            model=model,
            choices=[choice],
            usage=None if used is None else usage(used),
            roundtable=dict(ours) or msgspec.UNSET,
        )
    )
