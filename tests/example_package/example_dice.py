"""A tool: dice are thrown until they show what is wanted, and each throw is a step."""

import random
from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec

from roundtable.tools.base import Context, Final, Step, Told


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Throw until the dice show `wanted`, at most `throws` times."""

    wanted: Annotated[int, msgspec.Meta(ge=1, le=6)]
    seed: int = 0
    throws: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class Dice:
    """A step has `shows`."""

    name = "dice"
    title = "Dice"
    summary = "Throw a die until it shows what you want."
    args = Args

    async def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        """`Final.value` is the number of throws; its reason `shown` or `throws`."""
        chance = random.Random(args.seed)
        for thrown in range(1, args.throws + 1):
            shows = chance.randint(1, 6)
            yield Step({"shows": shows})
            if shows == args.wanted:
                yield Final(thrown, "shown")
                return
        yield Final(args.throws, "throws")
