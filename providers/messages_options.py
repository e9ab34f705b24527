"""The options of the Messages dialect, which is Claude's."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.errors import Invalid
from providers.options import LIMIT, One, Stops, Tokens, read, renamed, stops

# The Messages API wants a limit in every request. A contribution has some hundred tokens; this leaves room to think.
DEFAULT_MAX_TOKENS = 4096
# What every current Claude model can write. More is refused by some, and a table's own limit is often more.
MOST_TOKENS = 64_000
_GONE = ("temperature", "top_p", "top_k")
_NEVER = (
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "verbosity",
)
# What Chat Completions calls what this dialect has.
_NAMES = {**LIMIT, "reasoning_effort": "effort", "stop": "stop_sequences"}


class _Schema(msgspec.Struct, frozen=True):
    schema: dict[str, Any]


class Text(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Words, as without a format."""


class JsonSchema(msgspec.Struct, frozen=True, tag_field="type", tag="json_schema"):
    """An answer that a schema describes, as Chat Completions writes it; its name and strictness say nothing here."""

    json_schema: _Schema


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Thinking of at most so many tokens; they count towards `max_tokens`."""

    budget_tokens: Annotated[int, Meta(ge=1024)]


class MessagesOptions(msgspec.Struct, frozen=True):
    """Options of the Messages dialect. Which efforts and ways of thinking there are depends on the model."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | UnsetType = UNSET
    thinking: Literal["adaptive", "disabled"] | Budget | UnsetType = UNSET
    max_tokens: Tokens = DEFAULT_MAX_TOKENS
    stop_sequences: Stops | UnsetType = UNSET
    response_format: Text | JsonSchema | UnsetType = UNSET
    parallel_tool_calls: bool = True
    user: str | UnsetType = UNSET
    n: One | UnsetType = UNSET

    def body(self) -> dict[str, Any]:
        """The members of a request, as JSON values."""
        body: dict[str, Any] = {"max_tokens": self.max_tokens}
        output: dict[str, Any] = {}
        if self.effort is not UNSET:
            output["effort"] = self.effort
        if isinstance(self.response_format, JsonSchema):
            output["format"] = {"type": "json_schema", "schema": self.response_format.json_schema.schema}
        if output:
            body["output_config"] = output
        if self.stop_sequences is not UNSET:
            body["stop_sequences"] = list(stops(self.stop_sequences))
        if self.user is not UNSET:
            body["metadata"] = {"user_id": self.user}
        match self.thinking:
            case Budget(tokens):
                body["thinking"] = {"type": "enabled", "budget_tokens": tokens}
            case "adaptive":
                # Newer models keep their thoughts to themselves unless asked.
                body["thinking"] = {"type": "adaptive", "display": "summarized"}
            case "disabled":
                body["thinking"] = {"type": "disabled"}
            case _:
                pass  # what the model does of itself
        return body


def read_messages(options: dict[str, Any], room: int | None = None) -> MessagesOptions:
    """Options of the Messages dialect; raises `Invalid`.

    `room` is the turn's own limit, in tokens: the smaller one holds, and a budget that exceeds it is left out.
    """
    for name in _GONE:
        if name in options:
            raise Invalid(
                f"The Messages API has no {name!r} any more; it has 'effort'.", field=f"options.{name}"
            )
    for name in _NEVER:
        if name in options:
            raise Invalid(f"The Messages API has no {name!r}.", field=f"options.{name}")
    options = renamed(options, _NAMES)
    found = read(options, MessagesOptions)
    limit = found.max_tokens if room is None else min(room, options.get("max_tokens", room))
    found = msgspec.structs.replace(found, max_tokens=min(limit, MOST_TOKENS))
    if isinstance(found.thinking, Budget) and found.thinking.budget_tokens >= found.max_tokens:
        if room is None:
            detail = f"Thinking counts towards max_tokens, so its budget must be below {found.max_tokens}."
            raise Invalid(detail, field="options.thinking.budget_tokens")
        found = msgspec.structs.replace(found, thinking=UNSET)
    return found
