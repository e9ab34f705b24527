"""`complete`: one model, asked once; each chunk of its answer is a step.

Deadlines, attempts, bounds and prices are a turn's at a table.
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated, Any

import msgspec

from protocol.errors import Invalid, ProviderError
from protocol.messages import Call, Failure, Message, Panelist, ToolSpec
from providers import prices
from providers.base import Request, Stop, Text, Thinking, ToolCall
from providers.catalog import Catalog
from roundtable.table.asking import Asking, deadlines_of
from roundtable.tools.base import Context, Final, Step, Told
from roundtable.tools.lane import Lane
from roundtable.tools.prompting import conversation

# Chunks that may wait to be told before the model is read no further.
WAITING = 64
_CHOICES = ("auto", "none", "required")


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`model` is `provider:model`. Either `prompt`, or `messages`, which end on `user` or `tool`.

    `tool_choice` is `auto`, `none`, `required`, or the name of one of `tools`.
    """

    model: str
    prompt: str = ""
    messages: tuple[Message, ...] = ()
    system: str = ""
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    options: dict[str, Any] = {}
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"


class Complete:
    """A step has `text` (with `logprobs` where there are), `thinking`, or `call` with `name` and `arguments`.

    Before a first chunk there may be `retry`: the `attempt` that follows after `wait` seconds, and the `error`.
    """

    name = "complete"
    title = "One model"
    summary = "Ask one model; each piece of its answer is a step."
    args = Args

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        """`Final.value` is `{"text","calls","stop_reason","usage","cost"}`; its reason the stop reason."""
        self._catalog.check(Panelist("", args.model, options=args.options))
        provider, model = self._catalog.resolve(args.model)
        messages = conversation(args.prompt, args.messages)
        _check_choice(args)
        request = Request(
            model,
            args.system,
            messages,
            args.options.get("max_tokens") if args.max_tokens is None else args.max_tokens,
            {name: value for name, value in args.options.items() if name != "max_tokens"},
            "",
            args.tools,
            args.tool_choice,
        )
        answer = _Answer()
        asking = Asking(
            provider, request, answer,
            price=partial(prices.cost, args.model), deadlines=deadlines_of(provider), label=f"invocation {context.id}",
        )  # fmt: skip
        return _told(asking, answer)


class _Answer:
    """What is heard, as steps in a lane, and as a whole."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.lane = Lane[Step](self.arrived, WAITING)
        self._said: list[str] = []
        self._calls: dict[str, list[str]] = {}

    async def hear(self, chunk: Text | Thinking | ToolCall) -> bool:
        match chunk:
            case Text():
                self._said.append(chunk.text)
                logprobs = {"logprobs": chunk.logprobs} if chunk.logprobs else {}
                await self.lane.put(Step({"text": chunk.text, **logprobs}))
            case Thinking():
                await self.lane.put(Step({"thinking": chunk.text}))
            case ToolCall():
                self._calls.setdefault(chunk.call, [chunk.name]).append(chunk.arguments)
                step = {"call": chunk.call, "name": chunk.name, "arguments": chunk.arguments}
                await self.lane.put(Step(step))
        return True

    async def retrying(self, attempt: int, error: Failure, wait: float) -> None:
        told = {"attempt": attempt, "error": error, "wait": round(wait, 3)}
        await self.lane.put(Step({"retry": told}))

    def whole(self) -> dict[str, Any]:
        calls = [Call(id, parts[0], "".join(parts[1:])) for id, parts in self._calls.items()]
        return {"text": "".join(self._said), "calls": calls}


async def _told(asking: Asking, answer: _Answer) -> AsyncGenerator[Told]:
    """The asking is a task of its own, so its deadlines are not ours: whoever pulls us may take his time."""
    task = asyncio.create_task(asking.run(), name="asking")
    task.add_done_callback(lambda _: answer.arrived.set())
    try:
        while True:
            answer.arrived.clear()
            while answer.lane.waiting:
                yield answer.lane.take()
            if task.done():
                break
            await answer.arrived.wait()
        ending = task.result()
    finally:
        asking.stop()
        await asyncio.wait([task])
    if not isinstance(ending, Stop):
        error = ending or Failure("internal", "The asking was stopped.")
        raise ProviderError(error.detail, code=error.code, retryable=error.retryable)
    usage, cost = asking.bill()
    told = answer.whole() | {"stop_reason": ending.reason, "usage": usage, "cost": cost}
    yield Final(told, ending.reason)


def _check_choice(args: Args) -> None:
    if args.tool_choice in _CHOICES:
        if args.tool_choice == "required" and not args.tools:
            raise Invalid("No tool is given that could be called.", field="tool_choice")
    elif all(tool.name != args.tool_choice for tool in args.tools):
        raise Invalid(
            f"tool_choice is one of {', '.join(_CHOICES)}, or the name of a given tool.", field="tool_choice"
        )
