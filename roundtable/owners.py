"""The tables that this node owns: taking them, holding them, giving them up.

A lease says who owns a table, so that a dead owner is noticed and two do not work at the same; the term in the log
makes it safe, so a lease may be wrong. A resting table has no owner until a command wakes it.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import msgspec

from protocol import codec
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict, LogError, LogUnavailable
from protocol.transcript import Transcript
from providers.catalog import Catalog
from roundtable import inbox, policies
from roundtable.log.base import EventLog, Record, Tail
from roundtable.orchestrator import StreamOrchestrator
from roundtable.snapshots import Snapshots

log = logging.getLogger("roundtable.owners")

# How long a table stays ours without a word from us. Another node goes on LEASE + SWEEP after a death, and its
# viewers are to wait less than three seconds; an owner that is slower than this loses a turn, and no more. Seconds.
LEASE = 2.0
# Leases are prolonged four times before they run out. Seconds.
RENEW = 0.5
# Between looks for tables that lost their owner. Seconds.
SWEEP = 0.25
# A table that broke its owner or cannot be read is left alone for so long, unless a command comes. Seconds.
BROKEN = 60.0
# Between attempts to read inboxes while the store cannot be used; seconds.
STORE_PAUSE = 1.0


def stream(table: str) -> str:
    """The name of a table's log."""
    return f"table/{table}"


def table_of(stream: str) -> str:
    """The table that a stream, of whatever kind, belongs to."""
    return stream.partition("/")[2]


class _Held:
    """A table owned here, and the task that holds it."""

    def __init__(self, owner: StreamOrchestrator) -> None:
        self.owner = owner
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Owners:
    """`start` it, use it, `close` it. `node` is this node's name; no other has it."""

    def __init__(
        self, log: EventLog, catalog: Catalog, snapshots: Snapshots, node: str, clock: Callable[[], float]
    ) -> None:
        self._log = log
        self._catalog = catalog
        self._snapshots = snapshots
        self._node = node
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by table
        self._tasks: set[asyncio.Task[None]] = set()
        self._calm_at = (
            0.0  # on the loop's clock: before it, the store was away and nobody could prolong a lease
        )

    # -- life --------------------------------------------------------------------------------------------------

    async def start(self, *, take_over: bool = True) -> None:
        """Begin to read inboxes and, with `take_over`, to go on with tables that have lost their owner."""
        self._tail: Tail = await self._log.tail()
        self._spawn(self._read_inboxes(), "inboxes")
        self._spawn(self._renew(), "leases")
        if take_over:
            await self._sweep()
            self._spawn(self._sweep_on(), "sweep")

    async def close(self) -> None:
        """Let go of every table at once, for others to go on with. Turns under way are ended by the next owner."""
        left, tasks = [stream(table) for table in self._held], list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(LEASE):  # after that they are abandoned anyway
                await self._log.leases.claim(left, self._node, 0)
        except (LogError, TimeoutError):
            log.warning("%d tables could not be handed over; they are free in %.0f s", len(left), LEASE)
        await self._tail.close()

    # -- what the host asks ------------------------------------------------------------------------------------

    async def begin(self, opening: e.TableOpened, policy: policies.TurnPolicy) -> Cursor:
        """Own a new table and let it begin. Returns the cursor of `opening`; raises `LogUnavailable`."""
        owner = self._orchestrator(opening.table, policy)
        # At once, so that a store can commit both together. A lease that failed is made up for by the next renewal.
        claimed, begun = await asyncio.gather(
            self._claim(opening.table), owner.begin(opening), return_exceptions=True
        )
        if isinstance(begun, BaseException):
            if not isinstance(claimed, BaseException):
                await self._release(opening.table)
            raise begun
        await self._hold(opening.table, owner, ZERO)
        return begun

    async def attend(self, table: str) -> None:
        """Before a command is accepted: should we die after it, the table is abandoned and its inbox read by others."""
        if table not in self._held:
            await self._claim(table)

    async def ensure(self, table: str) -> None:
        """See to it that the table has an owner, here or elsewhere, if there is something to do for one."""
        if table in self._held:
            return
        async with self._changing.setdefault(table, asyncio.Lock()):
            if table not in self._held and await self._claim(table):
                await self._take_over(table)

    async def let_go(self, table: str) -> None:
        """Stop working at a table that is deleted."""
        held = self._held.pop(table, None)
        if held is not None and held.task is not None:
            held.stop()
            await asyncio.wait([held.task])

    # -- taking ------------------------------------------------------------------------------------------------

    async def _claim(self, table: str, seconds: float = LEASE) -> bool:
        return bool(await self._log.leases.claim([stream(table)], self._node, seconds))

    async def _release(self, table: str) -> None:
        await self._log.leases.release(stream(table), self._node)

    async def _take_over(self, table: str, lost_after: Cursor = ZERO) -> None:
        """Own a table whose lease is ours. `lost_after` is what its last owner, who was us, had acknowledged."""
        transcript = await self._snapshots.of(stream(table))
        waiting = await self._log.last(inbox.stream(table))
        if transcript is None or not _needs_owner(transcript, waiting):
            await self._release(table)
            return
        transcript = msgspec.json.decode(codec.encode(transcript), type=Transcript)
        owner = self._orchestrator(table, policies.find(transcript.policy))
        done = await self._position(table, transcript.inbox)
        lost = max(0, lost_after.seq - Cursor.parse(transcript.cursor).seq)
        await owner.take_over(transcript, lost=lost)
        log.info("table %s taken over at %s", table, transcript.cursor)
        await self._hold(table, owner, done)

    async def _position(self, table: str, seq: int) -> Cursor:
        """The inbox cursor at `seq`."""
        records = await self._log.read(inbox.stream(table), seq - 1, limit=1) if seq else []
        return records[0].cursor if records else ZERO

    def _orchestrator(self, table: str, policy: policies.TurnPolicy) -> StreamOrchestrator:
        return StreamOrchestrator(
            stream(table), self._log, self._catalog, policy, owner=self._node, clock=self._clock
        )

    # -- holding -----------------------------------------------------------------------------------------------

    async def _hold(self, table: str, owner: StreamOrchestrator, done: Cursor) -> None:
        """Hold the table from now on; `done` is the last command in the inbox that an owner has acted on."""
        held = self._held[table] = _Held(owner)
        try:
            # What waits is delivered before the owner runs, so that it is in time for a table that rests.
            while waiting := await self._log.read(inbox.stream(table), done.seq):
                for record in waiting:
                    self._deliver(table, record)
                done = waiting[-1].cursor
            await self._tail.add(inbox.stream(table), done)
        except BaseException:
            self._held.pop(table, None)
            raise
        held.task = self._spawn(self._run(table, held), stream(table))

    async def _run(self, table: str, held: _Held) -> None:
        after: Callable[[str, Cursor], Awaitable[None]] = self._broken
        try:
            await held.owner.run()
            after = self._done
        except* Conflict:
            log.warning("table %s was written by another, or has lost what was written", table)
            after = self._lost
        except* Exception:
            log.exception("table %s: its owner broke; it is taken up again in %.0f s", table, BROKEN)
        finally:
            self._tail.remove(inbox.stream(table))
            if self._held.get(table) is held:
                del self._held[table]
        try:
            await after(table, held.owner.acknowledged)
        except Exception:
            log.exception("table %s could not be left in order", table)

    async def _done(self, table: str, _: Cursor) -> None:
        """The table rests or is closed. A command that came meanwhile found an owner who had stopped reading."""
        await self._release(table)
        waiting = await self._log.last(inbox.stream(table))
        transcript = await self._snapshots.of(stream(table))
        if transcript is not None and _needs_owner(transcript, waiting):
            await self.ensure(table)

    async def _lost(self, table: str, acknowledged: Cursor) -> None:
        """The log does not end where we left it: it is another's table now, or still ours and the store forgot."""
        async with self._changing.setdefault(table, asyncio.Lock()):
            if await self._claim(table):
                await self._take_over(table, acknowledged)

    async def _broken(self, table: str, _: Cursor) -> None:
        await self._claim(table, BROKEN)

    # -- while held --------------------------------------------------------------------------------------------

    async def _read_inboxes(self) -> None:
        while True:
            try:
                async for name, records in self._tail:
                    if not records:
                        await self.let_go(table_of(name))
                    for record in records:
                        self._deliver(table_of(name), record)
                return
            except LogError as error:
                log.warning("inboxes cannot be read: %s", error.detail)
                await asyncio.sleep(STORE_PAUSE)

    def _deliver(self, table: str, record: Record) -> None:
        submitted = inbox.submitted(record)
        held = self._held.get(table)
        if held is not None and submitted is not None:
            held.owner.deliver(record.cursor.seq, submitted)

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(RENEW)
            names = [stream(table) for table in self._held]
            try:
                ours = await self._log.leases.claim(names, self._node, LEASE) if names else set()
            except LogUnavailable as error:
                self._calm_at = loop.time() + LEASE  # whoever lives comes back first
                log.warning("leases cannot be prolonged: %s", error.detail)
                continue
            for name in set(names) - ours:
                log.warning("%s has another owner now", name)
                if held := self._held.get(table_of(name)):
                    held.stop()

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            if asyncio.get_running_loop().time() < self._calm_at:
                continue
            try:
                await self._sweep()
            except LogUnavailable as error:
                self._calm_at = asyncio.get_running_loop().time() + LEASE
                log.warning("nobody looks after tables without an owner: %s", error.detail)

    async def _sweep(self) -> None:
        """Go on with what was abandoned."""
        names = await self._log.leases.abandoned()
        random.shuffle(names)  # several nodes look at the same time, and each table is for one of them
        for name in names:
            table = table_of(name)
            try:
                await self.ensure(table)
            except LogUnavailable:
                raise
            except Exception:  # whatever one table is ill with must not keep the others from going on
                log.exception("table %s cannot be taken over; the next attempt is in %.0f s", table, BROKEN)
                await self._claim(table, BROKEN)

    def _spawn(self, work: "asyncio._CoroutineLike[None]", name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _needs_owner(transcript: Transcript, waiting: Record | None) -> bool:
    """Whether there is anything to do: a closed table takes no command, and what waits for it is refused nowhere."""
    if transcript.status == "closed":
        return False
    return transcript.status != "resting" or bool(waiting and waiting.cursor.seq > transcript.inbox)
