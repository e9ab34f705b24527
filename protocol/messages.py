"""Words shared by the log and the providers: who sits at the table, what is sent to a model, what it cost."""

from typing import Any, Literal

import msgspec

Role = Literal["user", "assistant", "tool"]
Office = Literal["", "moderator", "chair"]
"""What a seat does; empty is a panelist like the others."""
StopReason = Literal["end", "length", "stop_sequence", "refusal", "content_filter", "tool_calls"]
"""Why a model stopped, in one vocabulary: `end` is its own decision, `length` the token limit."""


class Panelist(msgspec.Struct, frozen=True):
    """A seat: a unique name, a model as `provider:model`, and what the model is told to be.

    `options` goes to the provider (temperature, max_tokens, a script); it never holds a key. `role` is `moderator` or
    `chair` for a seat that does only that, and empty for who takes part. `fallback` are models that speak for her when
    hers cannot, in order; `tools` are those she may use, as `server.tool` or `server.*`.
    """

    name: str
    model: str
    persona: str = ""
    options: dict[str, Any] = {}
    role: Office = ""
    fallback: list[str] = []
    tools: list[str] = []


class Call(msgspec.Struct, frozen=True):
    """A model's wish that a tool be used. `arguments` is JSON text as the model wrote it, which need not be valid."""

    id: str
    name: str
    arguments: str


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """A picture in a prompt. `data` is its bytes in base64, put in when it is sent; `sha256` says which they are."""

    name: str
    media_type: str
    sha256: str
    data: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a prompt. At a table roles alternate and the last is `user` (projection sees to it).

    An `assistant` may make `calls`; a `tool` message is the result of the one with the id `call`. `images` belong to
    what a `user` says, and stand before it.
    """

    role: Role
    text: str
    calls: tuple[Call, ...] = ()
    call: str = ""
    images: tuple[Image, ...] = ()


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool that a model may call: its name, what it does, and a JSON Schema of its arguments."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool = False


class TopLogprob(msgspec.Struct, frozen=True):
    """What a model might have said instead, with the natural logarithm of its probability."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(msgspec.Struct, frozen=True):
    """A token as it was said, its logarithm, and the likeliest ones at its place."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: tuple[TopLogprob, ...] = ()


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one turn. `input` includes `cached` (read from the vendor's cache) and `cache_write`; `output` includes
    `thinking`.

    `estimated` is true when the provider told nothing and we counted words ourselves.
    """

    input: int = 0
    output: int = 0
    thinking: int = 0
    cached: int = 0
    cache_write: int = 0
    estimated: bool = False


class Cost(msgspec.Struct, frozen=True):
    """What a turn cost in US dollars, by list price. No Cost at all means the price is unknown, not nothing."""

    dollars: float


class Limits(msgspec.Struct, frozen=True):
    """When a table ends at the latest; absent means unlimited. Seconds are of open (not paused) wall time."""

    max_turns: int | None = None
    max_rounds: int | None = None
    max_tokens: int | None = None
    max_seconds: float | None = None
    max_dollars: float | None = None


class Until(msgspec.Struct, frozen=True):
    """What ends a discussion before its limits do, whichever comes first.

    `convergence` is a threshold from 0 to 1 on the dispersion of a round (`entropy`); `consensus` is that nobody
    opposes any claim; `loop` that the panel repeats itself or only thanks; `passes` that everyone had nothing to add.
    """

    convergence: float | None = None
    consensus: bool = False
    loop: bool = False
    passes: bool = False


class Origin(msgspec.Struct, frozen=True):
    """Where a forked table comes from: another table, up to a cursor."""

    table: str
    cursor: str


class Failure(msgspec.Struct, frozen=True):
    """Why a turn failed: a stable code, one sentence for a person, and whether trying again can help."""

    code: str
    detail: str
    retryable: bool = False
