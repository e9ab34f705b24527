"""Tools run by hand: what one tells, its steps as plain JSON, and a toolbox of those a test brings."""

from collections.abc import AsyncGenerator, Iterable
from typing import Any

import msgspec

from protocol import codec
from roundtable.tools.base import Context, Step, Steps, Told, Tool
from roundtable.tools.toolbox import Toolbox


def _alone(address: str, args: dict[str, Any]) -> AsyncGenerator[Told]:
    raise AssertionError(f"{address} was not to be run")


ALONE = Context("test", "tests", _alone)
"""An invocation that runs no other."""


async def heard(told: AsyncGenerator[Told]) -> list[Told]:
    """Everything, to the end."""
    return [each async for each in told]


def steps(told: Iterable[Told]) -> list[Any]:
    """The steps' members as JSON tells them."""
    found = list[Any]()
    for each in told:
        match each:
            case Step():
                found.append(msgspec.json.decode(codec.encode(each.members)))
            case Steps():
                found += map(msgspec.json.decode, each.members)
            case _:
                pass
    return found


def run(address: str, args: dict[str, Any], *tools: Tool) -> AsyncGenerator[Told]:
    """What is at an address of these tools."""
    return Toolbox(tools).run(address, args, ALONE)
