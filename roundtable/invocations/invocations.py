"""Anything that streams, by address: begin it, cancel it, steer it. Reading it is the fan-out's.

An invocation runs on the node that was asked. Its stream is in the log like a table's, so any node shows and ends it;
one that is not to be recorded is in the memory of its node, for the one connection it belongs to.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from protocol import commands
from protocol.cursor import Cursor
from protocol.errors import LogUnavailable, NotFound, RoundtableError, WrongState
from protocol.invocation import Init, Queued
from roundtable.hosting.convening import new_id
from roundtable.invocations.chain import Chain
from roundtable.invocations.custody import Custody, stream
from roundtable.invocations.lanes import Bounds, Lanes
from roundtable.invocations.retention import Retention
from roundtable.invocations.running import Running
from roundtable.invocations.throttle import Throttle
from roundtable.log.base import EventLog
from roundtable.log.memory import MemoryLog
from roundtable.log.split import is_off_record
from roundtable.tools.base import Context, Told, Tool
from roundtable.tools.toolbox import Toolbox

__all__ = ["Ask", "Begun", "Invocations", "is_recorded", "stream"]

log = logging.getLogger("roundtable.invocations")

# An end is in the log within milliseconds, unless the store is away; nobody waits longer than this for it. Seconds.
ENDED_WITHIN = 10.0
# The memory for what is not recorded may be full until another of them is forgotten. Seconds.
ROOM_WITHIN = 10.0
# One that was not recorded and has ended is forgotten so long after its caller is done with it, for others who are just
# reading its end; and so long after its end if nobody ever says so. Seconds.
LINGER, FORGET_AFTER = 1.0, 60.0
# Those that end at the same time are given up together when the server stops. Seconds.
STOP_WITHIN = 6.0
DAY = 24 * 3600.0


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


def is_recorded(id: str) -> bool:
    """Whether the invocation is in the log; else it is in the memory of the node that runs it. Its id says so."""
    return not is_off_record(id)


class Invocations:
    """`start` it, use it, `close` it. All methods may raise `LogUnavailable`. `shared`: other nodes use the log, too.
    `keep` is how long those that ended are kept, in seconds."""

    def __init__(
        self,
        log: EventLog,
        memory: MemoryLog,
        toolbox: Toolbox,
        clock: Callable[[], float],
        *,
        bounds: Bounds | None = None,
        shared: bool = False,
        keep: float = DAY,
    ) -> None:
        self._log, self._memory, self._toolbox, self._clock = log, memory, toolbox, clock
        self.lanes = Lanes(bounds or Bounds())
        self._recorded: dict[str, Running] = {}
        self._fleeting: dict[str, Running] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._forgetting: dict[str, tuple[float, asyncio.Task[None]]] = {}  # how soon, and by whom
        node = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._custody = Custody(log, node, self._recorded, clock, shared=shared)
        self._retention = Retention(log, keep, clock)
        self._closing = False

    async def start(self) -> None:
        """Begin to work; invocations whose node has died are ended."""
        await self._custody.start()
        self._spawn(self._chores, self._retention.run(), "retention")

    async def stop(self) -> None:
        """End everything that runs here: `cancelled`, with the reason `stopping`. Nothing new begins."""
        self._closing = True
        for running in [*self._recorded.values(), *self._fleeting.values()]:
            running.cancel("stopping")
        if over := [running.over for running in (*self._recorded.values(), *self._fleeting.values())]:
            await asyncio.wait(over, timeout=STOP_WITHIN)

    async def close(self) -> None:
        """`stop`, and leave nothing behind. Closing twice is no error."""
        await self.stop()
        if self._runs:
            await asyncio.wait(self._runs, timeout=STOP_WITHIN)
        left = [*self._runs, *self._chores]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._custody.close()

    @property
    def tools(self) -> Mapping[str, Tool]:
        """What can be invoked, by name."""
        return self._toolbox.tools

    # -- what callers ask --------------------------------------------------------------------------------------

    async def invoke(self, ask: Ask) -> Begun:
        """Begin. Raises `NotFound` (no such address), `Invalid` (its arguments) and `Busy` (too many at once), and then
        nothing was begun. Cancelled, it leaves nothing running unless it was to `detach`."""
        if self._closing:
            raise LogUnavailable("This server is going down; come back.")
        id = new_id(self._clock(), record=ask.record)
        told = self._toolbox.run(ask.address, ask.args, Context(id, ask.caller, self._within(id, ask.caller)))
        chain = self._chain(id, ask)
        chain.tell(Init(id=id, address=ask.address, args=dict(ask.args), detach=ask.detach))
        place = self.lanes.enter(ask.caller)
        running = Running(id, chain, place, ask.throttle)
        if place.ahead is not None:
            running.chain.tell(Queued(id=id, ahead=place.ahead))
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._spawn(self._runs, self._run(running, told, begun), stream(id))
        try:
            await asyncio.shield(begun)
        except asyncio.CancelledError:
            if not ask.detach:
                running.cancel("caller_left")
            raise
        return Begun(id, stream(id), Cursor(running.chain.term, 1), ask.record)

    async def cancel(self, id: str, reason: str = "command") -> None:
        """End it, on whatever node it runs, and wait until that is in the log. Without effect when it has ended. Raises
        `NotFound`, and `LogUnavailable` when that takes too long."""
        if running := self._of(id):
            running.cancel(reason)
            await self._over(running)
        elif is_recorded(id):
            await self._custody.end(id)
        elif await self._memory.last(stream(id)) is None:
            raise NotFound(f"There is no invocation {id[:40]!r}.")

    async def pause(self, id: str) -> None:
        """Let it take no further step until it is resumed. Raises `NotFound`, and `WrongState` when it has ended."""
        if running := self._steered(id):
            running.pause()
        else:
            await self._custody.steer(id, commands.Pause())

    async def resume(self, id: str) -> None:
        """Let it go on; raises like `pause`."""
        if running := self._steered(id):
            running.resume()
        else:
            await self._custody.steer(id, commands.Resume())

    def drop(self, id: str) -> None:
        """Its caller has left, or has all: it ends if it has not, and is soon forgotten if it was not recorded. Waits
        for nothing."""
        if running := self._of(id):
            running.cancel("caller_left")
        if not is_recorded(id) and not self._closing:
            self._forget_in(LINGER, id)

    async def forget(self, id: str) -> None:
        """As `drop`."""
        self.drop(id)

    # -- how it runs -------------------------------------------------------------------------------------------

    def _of(self, id: str) -> Running | None:
        return self._recorded.get(id) or self._fleeting.get(id)

    def _steered(self, id: str) -> Running | None:
        running = self._of(id)
        if running and running.chain.ended:
            raise WrongState("This invocation is over.")
        return running

    def _chain(self, id: str, ask: Ask) -> Chain:
        chain = partial(Chain, stream(id), self._log, self._clock)
        if not ask.record:
            now = self._memory.append_now
            chain = partial(
                Chain, stream(id), self._memory, self._clock, patience=ROOM_WITHIN, append_now=now
            )
        if throttle := ask.throttle:
            return chain(wrote=throttle.wrote, window=throttle.window)
        return chain()

    def _within(self, id: str, caller: str) -> Callable[[str, dict[str, Any]], AsyncGenerator[Told]]:
        def run(address: str, args: dict[str, Any]) -> AsyncGenerator[Told]:
            return self._toolbox.run(address, args, Context(id, caller, run))

        return run

    async def _run(self, running: Running, told: AsyncGenerator[Told], begun: "asyncio.Future[None]") -> None:
        here = self._recorded if is_recorded(running.id) else self._fleeting
        here[running.id] = running
        ended = False
        try:
            if await self._open(running, begun):
                if here is self._recorded:
                    self._spawn(self._chores, self._custody.heed(running.id), f"inbox {running.id}")
                ended = await running.run(told)
        finally:
            begun.cancel()  # without effect when it has begun
            running.place.leave()
            del here[running.id]
        if here is self._recorded:
            await self._custody.release(running.id, ended=ended)
        else:  # without an end, which found no room, nobody should wait for one
            self._forget_in(FORGET_AFTER if ended else 0.0, running.id)

    async def _open(self, running: Running, begun: "asyncio.Future[None]") -> bool:
        """Write its first entries. False, and `begun` says why, when that is not possible: should they be written
        nevertheless, the lease runs out and they are given an end."""
        try:
            if is_recorded(running.id):  # the lease at the same time: stores write both together
                await asyncio.gather(self._custody.claim(running.id), running.chain.commit())
            else:
                await running.chain.commit()
        except RoundtableError as error:
            running.over.set_result(None)
            _settle(begun, error)
            return False
        _settle(begun)
        return True

    async def _over(self, running: Running) -> None:
        await asyncio.wait([running.over], timeout=ENDED_WITHIN)
        if not running.over.done():
            raise LogUnavailable("It has stopped, but the store has not taken its end yet.")

    def _forget_in(self, after: float, id: str) -> None:
        """One task for each that is to be forgotten, the soonest: thousands end in a minute, and hardly one lingers."""
        known = self._forgetting.get(id)
        if known and known[0] <= after:
            return
        if known:
            known[1].cancel()
        task = self._spawn(self._chores, self._forget(id, after), f"forget {id}")
        self._forgetting[id] = (after, task)
        task.add_done_callback(lambda done: self._forgotten(id, done))

    async def _forget(self, id: str, after: float) -> None:
        if running := self._fleeting.get(id):
            await asyncio.wait([running.over])
        await asyncio.sleep(after)
        await self._memory.delete(stream(id))

    def _forgotten(self, id: str, task: asyncio.Task[None]) -> None:
        if self._forgetting[id][1] is task:
            del self._forgetting[id]

    def _spawn(
        self, among: "set[asyncio.Task[None]]", work: "asyncio._CoroutineLike[None]", name: str
    ) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        among.add(task)
        task.add_done_callback(among.discard)
        return task


def _settle(begun: "asyncio.Future[None]", error: Exception | None = None) -> None:
    if error is None:
        begun.set_result(None)
    else:
        begun.set_exception(error)
        begun.exception()  # whoever asked may have gone
