"""The options of OpenAI's two dialects, Chat Completions and Responses."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.errors import Invalid
from providers.options import read

# What a request consists of without the panelist; overriding it would break the stream or the roles, or leave the
# conversation with OpenAI.
_RESERVED = {"model", "messages", "stream", "stream_options", "n"}
_RESERVED_RESPONSES = {
    "model", "input", "instructions", "stream", "stream_options", "store", "background", "conversation",
    "previous_response_id",
}  # fmt: skip
# One option by two names: the word of our other dialects, and that of Chat Completions' wire.
_EFFORT = {"effort", "reasoning_effort"}
_ONLY_CHAT = ("seed", "stop", "presence_penalty", "frequency_penalty")


class _OpenAIOptions(msgspec.Struct, frozen=True):
    """What both of OpenAI's dialects have, by the names in Chat Completions; `max_tokens` is our own."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | UnsetType = UNSET
    top_p: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    max_tokens: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    service_tier: str | UnsetType = UNSET
    response_format: dict[str, Any] | UnsetType = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET
    tool_choice: str | dict[str, Any] | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    extra_body: dict[str, Any] = {}


class ChatOptions(_OpenAIOptions, frozen=True):
    """Options of the Chat Completions dialect, by their names there. A vendor may still refuse one of them.

    `extra_body` is merged into the request's JSON: for what only one server knows.
    """

    seed: int | UnsetType = UNSET
    stop: str | list[str] | UnsetType = UNSET
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | UnsetType = UNSET
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | UnsetType = UNSET
    reasoning_effort: str | UnsetType = UNSET
    verbosity: str | UnsetType = UNSET

    def body(self) -> dict[str, Any]:
        """The members that were given, as JSON values; `extra_body` laid over them."""
        given = msgspec.to_builtins(self)
        extra = given.pop("extra_body")
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
        given = msgspec.to_builtins(self)
        extra = given.pop("extra_body")
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
    result = read(_effort_as("reasoning_effort", options), ChatOptions)
    _refuse(_RESERVED, result.extra_body)
    return result


def read_responses(options: dict[str, Any]) -> ResponsesOptions:
    """Options of the Responses dialect; raises `Invalid`."""
    for name in _ONLY_CHAT:
        if name in options:
            detail = f'The Responses API has no {name!r}; OpenAI\'s Chat Completions (dialect "openai") has.'
            raise Invalid(detail, field=f"options.{name}")
    result = read(_effort_as("effort", options), ResponsesOptions)
    _refuse(_RESERVED_RESPONSES, result.extra_body)
    return result


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
