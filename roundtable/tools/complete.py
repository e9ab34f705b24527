"""`complete`: one model, asked once; each chunk of its answer is a step."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from protocol.errors import Invalid, ProviderError
from protocol.messages import Message, ToolSpec
from providers import prices
from providers.base import Request, Stop, Text, Thinking, ToolCall
from providers.catalog import Catalog
from roundtable.tools.base import Context, Final, Step, Told


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`model` is `provider:model`. Either `prompt`, or `messages` (which end on `user` or `tool`)."""

    model: str
    prompt: str = ""
    messages: tuple[Message, ...] = ()
    system: str = ""
    max_tokens: int | None = None
    options: dict[str, Any] = {}
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"


class Complete:
    """A step has `text` (with `logprobs` where there are), `thinking`, or `call` with `name` and `arguments`."""

    name = "complete"
    title = "One model"
    summary = "Ask one model; each piece of its answer is a step."
    args = Args

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        """`Final.value` is `{"text","stop_reason","usage","cost"}`; its reason the stop reason."""
        provider, model = self._catalog.resolve(args.model)
        messages = args.messages or (Message("user", args.prompt),)
        if not messages[-1].text:
            raise Invalid("There is nothing to answer: give a prompt, or messages.", field="args.prompt")
        request = Request(
            model, args.system, messages, args.max_tokens, args.options, "", args.tools, args.tool_choice
        )
        said = list[str]()
        async with aclosing(provider.stream(request)) as chunks:
            async for chunk in chunks:
                match chunk:
                    case Text():
                        said.append(chunk.text)
                        yield Step(
                            {"text": chunk.text} | ({"logprobs": chunk.logprobs} if chunk.logprobs else {})
                        )
                    case Thinking():
                        yield Step({"thinking": chunk.text})
                    case ToolCall():
                        yield Step({"call": chunk.call, "name": chunk.name, "arguments": chunk.arguments})
                    case Stop():
                        cost = prices.cost(args.model, chunk.usage) if chunk.usage else None
                        told = {
                            "text": "".join(said),
                            "stop_reason": chunk.reason,
                            "usage": chunk.usage,
                            "cost": cost,
                        }
                        yield Final(told, chunk.reason)
                        return
        raise ProviderError("The answer broke off without an end.", code="connection", retryable=True)
