"""What may be asked of `/v1/chat/completions`: every parameter OpenAI documents is honoured, or accepted because
leaving it out changes no answer, or refused by name. The README's table says which.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from protocol import codec
from protocol.errors import Invalid
from protocol.messages import ToolSpec
from roundtable.edge.openai.messages import ChatMessage, Strict, check_calls, conversation, system

# As many as OpenAI takes.
MAX_TOOLS = 128


class FunctionSpec(Strict, frozen=True):
    """A function that may be called; `parameters` is a JSON Schema."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Strict, frozen=True):
    """A tool; only functions are known here."""

    type: Literal["function"]
    function: FunctionSpec


class Named(Strict, frozen=True):
    """A function's name."""

    name: str


class Chosen(Strict, frozen=True):
    """The one function that must be called."""

    type: Literal["function"]
    function: Named


class StreamOptions(Strict, frozen=True):
    """`include_obfuscation` changes nothing: nothing is obfuscated here."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Ours(Strict, frozen=True):
    """What only we know. `options` go to a seat's provider as they are; `show` and `detach` are for panels: the whole
    discussion or the verdict alone, and whether it goes on when its caller is gone."""

    options: dict[str, Any] = msgspec.field(default_factory=dict)
    show: Literal["discussion", "verdict"] | None = None
    detach: bool = False


class Labels(Strict, frozen=True, kw_only=True):
    """Hints and labels: no answer depends on them."""

    user: str | None = None
    metadata: dict[str, str] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: dict[str, Any] | None = None


class ChatRequest(Labels, frozen=True):
    """The body of `POST /v1/chat/completions`."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    tools: Annotated[list[FunctionTool], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | Chosen | None = None
    roundtable: Ours = Ours()
    # Handed to the provider, which refuses what it cannot do.
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    # A hint, too.
    prediction: dict[str, Any] | None = None
    # Only as far as they ask for what is done anyway.
    n: int | None = None
    store: bool | None = None
    modalities: list[Literal["text"]] | None = None
    audio: None = None
    functions: None = None
    function_call: None = None
    moderation: None = None
    web_search_options: None = None


# What asks for nothing is not handed on, so that a provider need not know it.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "parallel_tool_calls": (True,),
    "service_tier": ("auto", "default"),
    "response_format": ({"type": "text"},),
    "logit_bias": ({},),
    "stop": ([],),
}
_HANDED_ON = (
    "temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
    "top_logprobs", "response_format", "parallel_tool_calls", "reasoning_effort", "verbosity", "service_tier",
)  # fmt: skip
# OpenAI's word for what we call otherwise.
_THEIR_WORD = {"effort": "reasoning_effort", "prompt": "messages", "topic": "messages"}
_decoder = msgspec.json.Decoder(ChatRequest)


def decode(body: bytes) -> ChatRequest:
    """The request. Raises `Invalid` in OpenAI's words, naming the parameter."""
    return checked(worded(body, _decoder))


def checked(asked: ChatRequest) -> ChatRequest:
    """The request, if its parts fit each other; else raises `Invalid`."""
    if asked.n not in (None, 1):
        raise Invalid("One answer is given: n is 1.", field="n")
    if asked.store:
        raise Invalid("No completion is stored here: leave store out.", field="store")
    if asked.top_logprobs is not None and not asked.logprobs:
        raise Invalid("top_logprobs is told only where logprobs is true.", field="top_logprobs")
    if asked.stream_options is not None and not asked.stream:
        raise Invalid("stream_options is for a stream: stream is not true.", field="stream_options")
    check_calls(asked.messages)
    return asked


def worded(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """What was asked. Raises `Invalid` with OpenAI's own code for what is wrong."""
    try:
        return codec.decode_json(body, decoder)
    except Invalid as error:
        if not error.field:
            raise
        detail, code = error.detail, "invalid_value"
        if "unknown field" in detail:
            detail, code = f"Unknown parameter: {error.field!r}.", "unknown_parameter"
        elif "missing required field" in detail:
            detail, code = f"Missing required parameter: {error.field!r}.", "missing_required_parameter"
        elif "Expected `null`" in detail:
            detail, code = f"{error.field!r} is not taken here.", "unsupported_parameter"
        else:
            detail = f"Invalid {error.field!r}: {detail}"
        raise Invalid(detail, field=error.field, code=code) from error


def handed_on(asked: ChatRequest) -> dict[str, Any]:
    """What is the provider's to honour, by OpenAI's words, which are its own."""
    given = {name: getattr(asked, name) for name in _HANDED_ON}
    return {
        name: value
        for name, value in given.items()
        if value is not None and value not in _NEUTRAL.get(name, ())
    }


def parameter(asked: ChatRequest, field: str) -> str:
    """The parameter that became the field `field` of what was asked of a seat."""
    name = field.removeprefix("args.").removeprefix("options.")
    first = name.partition(".")[0].partition("[")[0]
    if first in asked.roundtable.options:
        return f"roundtable.options.{name}"
    return _THEIR_WORD.get(first, name)


def seat(asked: ChatRequest) -> dict[str, Any]:
    """The arguments of `complete` for this request."""
    choice = asked.tool_choice
    return {
        "system": "\n\n".join(system(asked.messages)),
        "messages": list(conversation(asked.messages)),
        "max_tokens": most_tokens(asked),
        "options": handed_on(asked) | asked.roundtable.options,
        "tools": [_tool(tool.function) for tool in asked.tools or ()],
        "tool_choice": choice.function.name if isinstance(choice, Chosen) else choice or "auto",
    }


def counts(asked: ChatRequest) -> bool:
    """Whether a stream ends with what it used."""
    return bool(asked.stream_options and asked.stream_options.include_usage)


def most_tokens(asked: ChatRequest) -> int | None:
    """How much may be said, by either name."""
    given = [most for most in (asked.max_completion_tokens, asked.max_tokens) if most is not None]
    return min(given, default=None)


def _tool(spec: FunctionSpec) -> ToolSpec:
    return ToolSpec(spec.name, spec.description or "", spec.parameters or {}, bool(spec.strict))
