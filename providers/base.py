"""The seam to every model: one request in, one stream of chunks out, and closing means stop, now.

A provider normalises its vendor's vocabulary to the chunks below and its vendor's failures to
`protocol.errors.ProviderError`. It holds no table state and retries nothing: that is the turn's to decide.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from protocol.messages import Logprob, Message, StopReason, ToolSpec, Usage


class Request(msgspec.Struct, frozen=True):
    """What one model is asked. `model` is the vendor's name, without our `provider:` prefix.

    `messages` are in any order in which each call is followed by its result (`providers.calling`); a table's
    alternate roles, begin and end with `user`, and none is empty. `max_tokens` bounds what it says (tokens).
    `options` are the panelist's own; a provider refuses (`bad_request`) what it does not know rather than ignore it.
    `tools` may be called; `tool_choice` is `auto`, `none`, `required`, or the name of the one that must be.
    `speaker` is the panelist's name, for providers that play a part (`scripted`); no vendor is sent it. Requests of the
    same `series` begin alike, and the last message's first `settled` characters will stand in the next one too: for
    vendors that keep a prompt's beginning.
    """

    model: str
    system: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    options: dict[str, Any] = {}
    speaker: str = ""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    series: str = ""
    settled: int = 0


class Text(msgspec.Struct, frozen=True, tag=True):
    """Words of the answer; never empty. `logprobs` of its tokens, where they were asked for and the server has them."""

    text: str
    logprobs: tuple[Logprob, ...] = ()


class Thinking(msgspec.Struct, frozen=True, tag=True):
    """Words of the model's reasoning, as far as its provider shows them; never empty."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, tag=True):
    """Part of tool call `call`: the name comes once and first, `arguments` in fragments of JSON text, of which there
    may be none. Parts of several calls may alternate.
    """

    call: str
    name: str = ""
    arguments: str = ""


class Stop(msgspec.Struct, frozen=True, tag=True):
    """The last chunk of every stream that did not fail; exactly one. `usage` is None when the server told nothing."""

    reason: StopReason
    usage: Usage | None = None


Chunk = Text | Thinking | ToolCall | Stop


class Token(msgspec.Struct, frozen=True, tag=True):
    """One token of a text that is gone on with: its id, and the whole characters that it completed, perhaps none."""

    id: int
    text: str


class Provider(Protocol):
    """One vendor, server or machine that can speak.

    `local` says that no text leaves this machine; `destination` names who will see it, for people.
    """

    name: str
    local: bool
    destination: str

    def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """Ask. Yields chunks and ends after `Stop`; raises `ProviderError` and nothing else.

        `aclose()` (or cancelling the task in `__anext__`) closes the upstream connection before it returns.
        """
        ...

    async def close(self) -> None:
        """Release connections; streams still open are ended."""
        ...


class Embedded(msgspec.Struct, frozen=True):
    """A vector for each text, in their order, and how many tokens were read; None when the server told nothing."""

    vectors: list[list[float]]
    tokens: int | None = None


@runtime_checkable
class Embeds(Protocol):
    """A provider some of whose models turn texts into vectors that are near where the meanings are."""

    async def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        """Raises `ProviderError` and nothing else; cancelling the task closes the upstream connection."""
        ...


@runtime_checkable
class Windows(Protocol):
    """A provider that may know how much one of its models holds."""

    def window(self, model: str, options: dict[str, Any]) -> int | None:
        """Tokens that it reads and writes in one request, with a panelist's `options`; None where nobody has told yet.
        Asks nobody, and raises nothing."""
        ...


@runtime_checkable
class Generates(Protocol):
    """A provider that can be had without a conversation: the sampling loop of a model on this machine."""

    def generate(
        self, model: str, prompt: str, max_tokens: int, options: dict[str, Any]
    ) -> AsyncGenerator[Token | Text | Stop]:
        """Go on with `prompt`, token by token; before `Stop` comes what was held back of the last ones, if anything.

        Raises, and closes, as `Provider.stream` does.
        """
        ...
