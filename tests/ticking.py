"""A tool for tests that counts: as far, as large, as fast and as badly behaved as it is told."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal, cast

import msgspec
from aiohttp import web

from protocol.errors import Invalid, ProviderError
from roundtable.edge import keys
from roundtable.tools.base import Context, Final, Step, Steps, Told, Tool

Then = Literal["converge", "invalid", "provider", "bug", "nothing", "garbage", "hang"]


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many `steps` of `size` bytes, `block` at a time if that is not 0, `pause` seconds between; `then` an end.
    A `remark` of any size changes nothing."""

    steps: int = 3
    size: int = 0
    block: int = 0
    pause: float = 0.0
    then: Then = "converge"
    stubborn: bool = False
    remark: str = ""


class Ticks:
    name = "ticks"
    title = "Ticks"
    summary = "Counts."
    args = Args

    def __init__(self) -> None:
        self.taken = 0  # steps, over all
        self.open = 0  # generators that were begun and not closed
        self.let_go = asyncio.Event()  # what a stubborn one waits for when it is closed

    async def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        self.open += 1
        try:
            done = 0
            while done < args.steps:
                now = min(args.block or 1, args.steps - done)
                pad = "x" * args.size
                yield (Steps([msgspec.json.encode({"pad": pad})] * now) if args.block else Step({"pad": pad}))
                done += now
                self.taken += now
                await asyncio.sleep(args.pause)
            match args.then:
                case "converge":
                    yield Final({"steps": done}, "steps")
                case "invalid":
                    raise Invalid("That cannot be.", field="args.steps")
                case "provider":
                    raise ProviderError("The model is tired.", code="rate_limited", retryable=True)
                case "bug":
                    raise ZeroDivisionError
                case "garbage":
                    yield Steps([b'{"a":1}\n'])
                case "hang":
                    await asyncio.sleep(1e6)
                case "nothing":
                    pass
        finally:
            if args.stubborn:
                await self.let_go.wait()
            self.open -= 1


def give(app: web.Application) -> Ticks:
    """The tool, at `tool/ticks` of this server."""
    ticks = Ticks()
    cast(dict[str, Tool], app[keys.INVOCATIONS].tools)[ticks.name] = ticks
    return ticks
