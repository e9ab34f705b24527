"""Whose an invocation is: a lease while it runs, what other nodes ask of it meanwhile, and an end for one whose node
died.

The lease says who, so that a death is noticed; the term in the log makes it safe, as with tables.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping

from protocol import commands, invocation
from protocol.cursor import Cursor
from protocol.errors import Conflict, LogError, LogUnavailable, NotFound, WrongState
from protocol.events import TermBegan
from protocol.messages import Failure
from roundtable.hosting import inbox
from roundtable.hosting.deliveries import Deliveries
from roundtable.hosting.inbox import Inbox
from roundtable.hosting.lookout import LEASE, Lookout
from roundtable.invocations.chain import Chain
from roundtable.invocations.running import Running
from roundtable.log.base import EventLog, Record

log = logging.getLogger("roundtable.invocations")

# Between looks for invocations whose node has died. With the lease, whoever follows one hears of its end within some
# three seconds. Seconds.
SWEEP = 1.0
# For another node to do what is asked; also longer than a death takes to be noticed. Seconds.
ANSWER_WITHIN = 5.0
# Under which an end is asked for, by whomever and however often: it is one wish.
END_KEY = "end"


def stream(id: str) -> str:
    """The name of an invocation's log."""
    return f"{invocation.KIND}/{id}"


class Custody:
    """`start` it, use it, `close` it. `running` are the recorded ones of this node; `shared` says that others use the
    log, too. Methods raise `LogError`."""

    def __init__(
        self,
        log: EventLog,
        node: str,
        running: Mapping[str, Running],
        clock: Callable[[], float],
        *,
        shared: bool,
    ) -> None:
        self._log, self._node, self._running, self._clock, self._shared = log, node, running, clock, shared
        self._deliveries = Deliveries(log, self._deliver, lambda _: None)
        self._lookout = Lookout(
            log.leases,
            node,
            invocation.KIND,
            every=SWEEP,
            held=lambda: list(map(stream, self._running)),
            lost=self._lost,
            take=self._take,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to look after leases, those of the dead too."""
        if self._shared:
            await self._deliveries.start()
            self._spawn(self._deliveries.run(), "invocations' inboxes")
        await self._lookout.sweep()
        self._spawn(self._lookout.renew(), "invocations' leases")
        self._spawn(self._lookout.sweep_on(), "invocations' sweep")

    async def close(self) -> None:
        """Look after nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._shared:
            await self._deliveries.close()

    # -- one's own ---------------------------------------------------------------------------------------------

    async def claim(self, id: str) -> None:
        """It is ours. Whatever fails afterwards, some node sees to its end."""
        await self._log.leases.claim([stream(id)], self._node, LEASE)

    async def heed(self, id: str) -> None:
        """From now on hear what other nodes ask of it. Without, it still ends when its caller wants it."""
        if self._shared:
            try:
                await self._deliveries.add(id)
            except LogError as error:
                log.warning("invocation %s hears no other node: %s", id, error.detail)
            if id not in self._running:  # it was quick
                self._deliveries.remove(id)

    async def release(self, id: str, *, ended: bool) -> None:
        """It no longer runs here. One that has not `ended` is for the next node to end."""
        if self._shared:
            self._deliveries.remove(id)
        try:
            if ended:
                await self._log.leases.release(stream(id), self._node)
        except LogUnavailable as error:  # the lease runs out, and whoever finds it sees the end
            log.warning("invocation %s keeps its lease: %s", id, error.detail)

    # -- another's ---------------------------------------------------------------------------------------------

    async def end(self, id: str) -> None:
        """Have it ended by the node that runs it, and wait until that is in the log. Raises `NotFound`, and
        `LogUnavailable` when it takes too long."""
        last = await self._last(id)
        if invocation.is_end(last.body):
            return
        if self._shared:
            await Inbox(self._log, id, self._clock).submit(END_KEY, commands.Close())
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._ended(id, last.cursor)
        except TimeoutError:
            raise LogUnavailable("Its node was told to end it and has not said so yet; ask again.") from None

    async def steer(self, id: str, command: commands.Pause | commands.Resume) -> None:
        """Pass a wish on to the node that runs it. Raises `NotFound`, and `WrongState` when it has ended."""
        if invocation.is_end((await self._last(id)).body) or not self._shared:
            raise WrongState("This invocation is over.")
        await Inbox(self._log, id, self._clock).submit(secrets.token_hex(8), command)

    async def _last(self, id: str) -> Record:
        last = await self._log.last(stream(id))
        if last is None:
            raise NotFound(f"There is no invocation {id[:40]!r}.")
        return last

    async def _ended(self, id: str, after: Cursor) -> None:
        tail = await self._log.tail()
        try:
            await tail.add(stream(id), after)
            async for _, records in tail:
                if not records or invocation.is_end(records[-1].body):
                    return
        finally:
            await tail.close()

    # -- what the log says -------------------------------------------------------------------------------------

    def _deliver(self, id: str, record: Record) -> None:
        submitted, running = inbox.submitted(record), self._running.get(id)
        if submitted is None or running is None:
            return
        match submitted.command:
            case commands.Close():
                running.cancel()
            case commands.Pause():
                running.pause()
            case commands.Resume():
                running.resume()
            case _:  # a table's
                pass

    def _lost(self, name: str) -> None:
        if running := self._running.get(name.partition("/")[2]):
            running.abandon()

    async def _take(self, name: str) -> None:
        """End what nobody runs any more, so that everyone who follows it sees an end."""
        if name.partition("/")[2] in self._running or not await self._log.leases.claim(
            [name], self._node, LEASE
        ):
            return
        with contextlib.suppress(
            Conflict
        ):  # its node was only slow, and its next renewal has the lease again
            try:
                await self._interrupt(name)
            except LogUnavailable:
                raise
            except Conflict:
                await self._log.leases.claim([name], self._node, 0)
                raise
            except LogError as error:  # nobody can end what nobody can read
                log.error("%s cannot be ended: %s", name, error.detail)  # noqa: TRY400 - known by its text
            await self._log.leases.release(name, self._node)

    async def _interrupt(self, name: str) -> None:
        last = await self._log.last(name)
        if last is None or invocation.is_end(last.body):
            return
        so_far = invocation.reached(last.body)
        chain = Chain(name, self._log, self._clock, last=last.cursor, so_far=so_far)
        failure = Failure(
            "interrupted", "The server that ran this was stopped or lost. What it told is kept.", True
        )
        chain.tell(TermBegan(owner=self._node))
        chain.tell(invocation.failed(name.partition("/")[2], chain.t, failure))
        await chain.commit()
        log.info("%s was left open and is ended after %d steps", name, chain.t)

    def _spawn(self, work: "asyncio._CoroutineLike[None]", name: str) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work, name=name))
