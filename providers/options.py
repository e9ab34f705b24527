"""A panelist's options, read strictly: what a provider does not know is refused by name, never ignored."""

from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)

# What a request consists of without the panelist; overriding it would break the stream or the roles.
_RESERVED = {"model", "messages", "stream", "stream_options", "n"}


class Options(msgspec.Struct, frozen=True):
    """Options of the Chat Completions dialect, by their names there. A vendor may still refuse one of them.

    `extra_body` is merged into the request's JSON: for what only one server knows.
    """

    temperature: Annotated[float, Meta(ge=0, le=2)] | UnsetType = UNSET
    top_p: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    max_tokens: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    stop: str | list[str] | UnsetType = UNSET
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | UnsetType = UNSET
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | UnsetType = UNSET
    reasoning_effort: str | UnsetType = UNSET
    verbosity: str | UnsetType = UNSET
    service_tier: str | UnsetType = UNSET
    response_format: dict[str, Any] | UnsetType = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET
    tool_choice: str | dict[str, Any] | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    extra_body: dict[str, Any] = {}

    def body(self) -> dict[str, Any]:
        """The members that were given, as JSON values; `extra_body` laid over them."""
        given = msgspec.to_builtins(self)
        extra = given.pop("extra_body")
        return {**given, **extra}


def read(options: dict[str, Any], shape: type[T]) -> T:
    """Options as `shape`; raises `Invalid` naming the option, and the nearest one that exists."""
    known = shape.__struct_fields__
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
            raise Invalid(f"There is no option {name[:60]!r}; {hint}", field=f"options.{name[:60]}")
    try:
        return msgspec.convert(options, shape)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `$.")
        raise Invalid(f"{detail}.", field=f"options.{path.rstrip('`')}") from error


def read_chat(options: dict[str, Any]) -> Options:
    """Options of the Chat Completions dialect; raises `Invalid`."""
    result = read(options, Options)
    for name in sorted(_RESERVED & result.extra_body.keys()):
        raise Invalid(f"{name!r} is not the panelist's to set.", field=f"options.extra_body.{name}")
    return result
