"""The options of OpenAI's two dialects, Chat Completions and Responses."""

from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from protocol.errors import Invalid
from providers.options import LIMIT, Bias, One, Penalty, Share, Temperature, Tokens, Top, read, renamed

# What a request consists of without the panelist; overriding it would break the stream or the roles, or leave the
# conversation with OpenAI.
_RESERVED = {"model", "messages", "stream", "stream_options", "n"}
_RESERVED_RESPONSES = {
    "model", "input", "instructions", "stream", "stream_options", "store", "background", "conversation",
    "previous_response_id",
}  # fmt: skip
# One option by two names: the word of our other dialects, and that of Chat Completions' wire.
_EFFORT = {"effort", "reasoning_effort"}
_ONLY_CHAT = ("seed", "stop", "presence_penalty", "frequency_penalty", "logit_bias")
# What the Responses API does not send unless it is asked to.
_LOGPROBS = "message.output_text.logprobs"


class _OpenAIOptions(msgspec.Struct, frozen=True):
    """What both of OpenAI's dialects have, by the names in Chat Completions; `max_tokens` is our own.

    `logprobs` asks for the logarithm of each token's probability, `top_logprobs` for so many likely ones beside it.
    """

    temperature: Temperature | UnsetType = UNSET
    top_p: Share | UnsetType = UNSET
    max_tokens: Tokens | UnsetType = UNSET
    logprobs: bool | UnsetType = UNSET
    top_logprobs: Top | UnsetType = UNSET
    n: One | UnsetType = UNSET
    user: str | UnsetType = UNSET
    service_tier: str | UnsetType = UNSET
    response_format: dict[str, Any] | UnsetType = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET
    tool_choice: str | dict[str, Any] | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    extra_body: dict[str, Any] = {}


Read = TypeVar("Read", bound=_OpenAIOptions)


class ChatOptions(_OpenAIOptions, frozen=True):
    """Options of the Chat Completions dialect, by their names there. A vendor may still refuse one of them.

    `extra_body` is merged into the request's JSON: for what only one server knows.
    """

    seed: int | UnsetType = UNSET
    stop: str | list[str] | UnsetType = UNSET
    presence_penalty: Penalty | UnsetType = UNSET
    frequency_penalty: Penalty | UnsetType = UNSET
    logit_bias: Bias | UnsetType = UNSET
    reasoning_effort: str | UnsetType = UNSET
    verbosity: str | UnsetType = UNSET

    def body(self) -> dict[str, Any]:
        """The members that were given, as JSON values; `extra_body` laid over them."""
        given, extra = _given(self)
        return {**given, **extra}


class ResponsesOptions(_OpenAIOptions, frozen=True):
    """Options of the Responses dialect. Which efforts there are, and whether a temperature, depends on the model.

    `response_format`, `tools` and `tool_choice` are taken as either of OpenAI's dialects writes them. Without a
    `summary` the model thinks in silence: asked for one, models that do not think refuse, and so does OpenAI for
    organisations that it has not verified.
    """

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | UnsetType = UNSET
    summary: Literal["auto", "concise", "detailed"] | UnsetType = UNSET
    verbosity: Literal["low", "medium", "high"] | UnsetType = UNSET

    def body(self) -> dict[str, Any]:
        """The members of a request, as JSON values, `max_tokens` under our name; `extra_body` laid over them."""
        given, extra = _given(self)
        if given.pop("logprobs", False):
            given["include"] = [_LOGPROBS]
        reasoning = {name: given.pop(name) for name in ("effort", "summary") if name in given}
        text: dict[str, Any] = {}
        if "verbosity" in given:
            text["verbosity"] = given.pop("verbosity")
        if "response_format" in given:
            text["format"] = _flat(given.pop("response_format"))
        if "tools" in given:
            given["tools"] = [_flat(tool) for tool in given["tools"]]
        if isinstance(given.get("tool_choice"), dict):
            given["tool_choice"] = _flat(given["tool_choice"])
        nested = {"reasoning": reasoning, "text": text}
        return {**given, **{name: members for name, members in nested.items() if members}, **extra}


def read_chat(options: dict[str, Any]) -> ChatOptions:
    """Options of the Chat Completions dialect; raises `Invalid`."""
    result = _read(_effort_as("reasoning_effort", options), ChatOptions)
    _refuse(_RESERVED, result.extra_body)
    return result


def read_responses(options: dict[str, Any]) -> ResponsesOptions:
    """Options of the Responses dialect; raises `Invalid`."""
    for name in _ONLY_CHAT:
        if name in options:
            detail = f'The Responses API has no {name!r}; OpenAI\'s Chat Completions (dialect "openai") has.'
            raise Invalid(detail, field=f"options.{name}")
    result = _read(_effort_as("effort", options), ResponsesOptions)
    _refuse(_RESERVED_RESPONSES, result.extra_body)
    return result


def _read(options: dict[str, Any], shape: type[Read]) -> Read:
    result = read(renamed(options, LIMIT), shape)
    if result.top_logprobs is not UNSET and result.logprobs is not True:
        raise Invalid("'top_logprobs' needs 'logprobs'.", field="options.top_logprobs")
    return result


def _given(options: _OpenAIOptions) -> tuple[dict[str, Any], dict[str, Any]]:
    """The members that were given, and `extra_body`. One answer is what there is without `n`, which some refuse."""
    given = msgspec.to_builtins(options)
    given.pop("n", None)
    return given, given.pop("extra_body")


def _effort_as(name: str, options: dict[str, Any]) -> dict[str, Any]:
    if options.keys() >= _EFFORT:
        raise Invalid("'effort' and 'reasoning_effort' are one option; give one.", field="options.effort")
    return {name if option in _EFFORT else option: value for option, value in options.items()}


def _refuse(reserved: set[str], extra_body: dict[str, Any]) -> None:
    for name in sorted(reserved & extra_body.keys()):
        raise Invalid(f"{name!r} is not the panelist's to set.", field=f"options.extra_body.{name}")


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    """Chat Completions puts under the type's name what the Responses API has beside it."""
    nested = value.get(str(value.get("type")))
    return {"type": value["type"], **nested} if isinstance(nested, dict) else value
