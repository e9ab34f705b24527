"""The seam to everything that can be invoked: arguments in, a chain of steps out, and closing means stop, now.

A tool holds no state between invocations. It numbers nothing and writes nothing: whoever runs it does.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Protocol

import msgspec


class Step(msgspec.Struct, frozen=True):
    """One step: what it tells, beside its number. `type`, `at`, `t`, `stream` and `cursor` are taken."""

    members: dict[str, Any]


class Steps(msgspec.Struct, frozen=True):
    """Many steps at once, each its members as a JSON object (bytes): for tools that take more than some thousand a
    second. Some milliseconds of work at a time, or nobody else gets a word in."""

    members: Sequence[bytes]


class Entropy(msgspec.Struct, frozen=True):
    """How undecided the chain is now; in nats unless `of` says otherwise."""

    value: float
    of: str = ""


class Final(msgspec.Struct, frozen=True):
    """The result, and why it is final; the last thing told, exactly once by every tool that does not fail."""

    value: Any
    reason: str


Told = Step | Steps | Entropy | Final
Run = Callable[[str, dict[str, Any]], AsyncGenerator[Told]]


class Context(msgspec.Struct, frozen=True):
    """Who asks: the invocation's `id` and its `caller` (an address of the network, or a name).

    `run(address, args)` runs another tool within this one; raises `NotFound` and `Invalid` at once, also when tools
    run one within the other too deep; `depth` counts those around this one.
    """

    id: str
    caller: str
    run: Run
    depth: int = 0


class Tool(Protocol):
    """`name` is its address after `tool/`; `title` and `summary` are for people: a few words, one sentence.

    `args` is a Struct (frozen, `forbid_unknown_fields`): its JSON Schema is the tool's, its decoding the check. What is
    given stands in the log and is shown to everyone who follows: a key is no argument, it comes from the environment.
    """

    name: str
    title: str
    summary: str

    @property
    def args(self) -> type[msgspec.Struct]: ...

    def run(self, args: Any, context: Context) -> AsyncGenerator[Told]:
        """Yields what happens, `Final` last; raises `RoundtableError` and nothing else.

        What can be refused beforehand the call itself may refuse (then it is no generator function): `Invalid`, with
        the argument as its `field`, reaches the caller before anything begins.
        `aclose()`, or cancelling the task in `__anext__`, ends whatever it holds before it returns.
        """
        ...
