"""Anything that streams, by address: begin it, cancel it, steer it. Reading it is the fan-out's.

An invocation runs on the node that was asked. Its stream is in the log like a table's, so any node shows it; one that
is not to be recorded is in the memory of its node, for the one connection it belongs to.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from protocol import invocation
from protocol.cursor import Cursor
from protocol.errors import NotFound
from protocol.invocation import Init
from roundtable.hosting.convening import new_id
from roundtable.invocations.chain import Chain
from roundtable.invocations.running import Running
from roundtable.invocations.throttle import Throttle
from roundtable.log.base import EventLog
from roundtable.tools.base import Context, Told
from roundtable.tools.toolbox import Toolbox

log = logging.getLogger("roundtable.invocations")


class Ask(msgspec.Struct, frozen=True):
    """What is to be invoked. `caller` is who asks, for limits; `record` false: only in this node's memory, until it is
    forgotten; `throttle` is how the caller holds it back, if it belongs to a connection."""

    address: str
    args: Mapping[str, Any] = {}
    caller: str = ""
    detach: bool = False
    record: bool = True
    throttle: Throttle | None = None


class Begun(NamedTuple):
    """A new invocation, its stream, the cursor of its `init`, and whether it is in the log or only in memory."""

    id: str
    stream: str
    cursor: Cursor
    record: bool


def stream(id: str) -> str:
    """The name of an invocation's log."""
    return f"{invocation.KIND}/{id}"


class Invocations:
    """`start` it, use it, `close` it. All methods may raise `LogUnavailable`."""

    def __init__(self, log: EventLog, memory: EventLog, toolbox: Toolbox, clock: Callable[[], float]) -> None:
        self._log, self._memory, self._toolbox, self._clock = log, memory, toolbox, clock
        self._running: dict[str, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to work."""

    async def close(self) -> None:
        """End everything that runs here: `cancelled`, with the reason `stopping`."""
        for running in list(self._running.values()):
            running.cancel("stopping")
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def invoke(self, ask: Ask) -> Begun:
        """Begin. Raises `NotFound` (no such address) and `Invalid` (its arguments), and then nothing was begun."""
        id = new_id(self._clock())
        told = self._toolbox.run(ask.address, ask.args, Context(id, ask.caller, self._within(id, ask.caller)))
        chain = Chain(stream(id), self._log if ask.record else self._memory, self._clock)
        chain.tell(Init(id=id, address=ask.address, args=dict(ask.args), detach=ask.detach))
        await chain.commit(patient=False)
        begun = chain.acknowledged
        running = self._running[id] = Running(id, chain, ask.throttle)
        task = asyncio.create_task(self._run(running, told), name=stream(id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Begun(id, stream(id), begun, ask.record)

    async def cancel(self, id: str, reason: str = "command") -> None:
        """End it and wait until that is in the log. Without effect when it has ended. Raises `NotFound`."""
        if running := self._running.get(id):
            running.cancel(reason)
            await asyncio.shield(running.chain.written)
        elif await self._log.last(stream(id)) is None:
            raise NotFound(f"There is no invocation {id[:40]!r}.")

    def drop(self, id: str) -> None:
        """Its caller has left: end it, without waiting. Without effect when it has ended, or runs elsewhere."""
        if running := self._running.get(id):
            running.cancel("caller_left")

    async def forget(self, id: str) -> None:
        """Remove one that has ended and was not recorded."""
        await self._memory.delete(stream(id))

    def _within(self, id: str, caller: str) -> Callable[[str, dict[str, Any]], AsyncGenerator[Told]]:
        def run(address: str, args: dict[str, Any]) -> AsyncGenerator[Told]:
            return self._toolbox.run(address, args, Context(id, caller, run))

        return run

    async def _run(self, running: Running, told: AsyncGenerator[Told]) -> None:
        try:
            await running.run(told)
        finally:
            del self._running[running.id]
