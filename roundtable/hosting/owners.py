"""The tables that this node owns: taking them, holding them, giving them up.

A lease says who owns a table, so that a dead owner is noticed and two do not work at the same; the term in the log
makes it safe, so a lease may be wrong. A resting table has no owner until a command wakes it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

import msgspec

from protocol import codec
from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict, LogError, LogUnavailable
from protocol.transcript import TableStatus, Transcript
from providers.catalog import Catalog
from roundtable import policies
from roundtable.hosting import inbox
from roundtable.hosting.deliveries import STORE_PAUSE, Deliveries
from roundtable.hosting.lookout import LEASE, Lookout
from roundtable.hosting.past import Happened
from roundtable.hosting.snapshots import Snapshots
from roundtable.log.base import EventLog, Record
from roundtable.table.orchestrator import StreamOrchestrator

log = logging.getLogger("roundtable.owners")

# A table that broke its owner or cannot be read is left alone for so long, unless a command comes. Seconds.
BROKEN = 60.0
# Who holds such a table's lease: no node, so that any may take it when a command comes.
NOBODY = "nobody"


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
    """`start` it, use it, `close` it. `node` is this node's name; no other has it. `changed` hears of each table
    that is taken, and what it is when it is left."""

    def __init__(
        self,
        log: EventLog,
        catalog: Catalog,
        snapshots: Snapshots,
        node: str,
        clock: Callable[[], float],
        *,
        changed: Callable[[str, TableStatus], None] = lambda *_: None,
    ) -> None:
        self._log = log
        self._catalog = catalog
        self._snapshots = snapshots
        self._node = node
        self._clock = clock
        self._changed = changed
        self._held: dict[str, _Held] = {}
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by table
        self._tasks: set[asyncio.Task[None]] = set()
        self._deliveries = Deliveries(log, self._deliver, self._stop)
        self._lookout = Lookout(
            log.leases,
            node,
            "table",
            held=lambda: list(map(stream, self._held)),
            lost=lambda name: self._stop(table_of(name)),
            take=self._adopt,
        )

    # -- life --------------------------------------------------------------------------------------------------

    async def start(self, *, take_over: bool = True) -> None:
        """Begin to read inboxes and, with `take_over`, to go on with tables that have lost their owner."""
        await self._deliveries.start()
        self._spawn(self._deliveries.run(), "inboxes")
        self._spawn(self._lookout.renew(), "leases")
        if take_over:
            await self._lookout.sweep()
            self._spawn(self._lookout.sweep_on(), "sweep")

    async def close(self) -> None:
        """Let go of every table at once, for others to go on with. Turns under way are ended by the next owner."""
        left, tasks = [stream(table) for table in self._held], list(self._tasks)
        for task in tasks:
            task.cancel()
        # At the same time: a provider may take its time to close, and what we still write is refused.
        await asyncio.gather(self._hand_over(left), *tasks, return_exceptions=True)
        await self._deliveries.close()

    @property
    def held(self) -> int:
        """How many tables are owned here now."""
        return len(self._held)

    # -- what the host asks ------------------------------------------------------------------------------------

    async def begin(self, table: str, policy: policies.TurnPolicy, happened: Sequence[Happened]) -> Cursor:
        """Own a new table and let it begin with what happened, its opening first. Returns the cursor of that.

        Raises `LogUnavailable`. Should the store have written the table nevertheless, it is removed again: whoever
        convened it was told that it failed, so it must not go on and cost money.
        """
        owner = self._orchestrator(table, policy)
        await self._claim(table)  # first: a table that is written and has no lease would be nobody's for ever
        try:
            begun = await owner.begin_from(happened)
        except LogUnavailable:
            self._spawn(_patiently(lambda: self._delete(table)), f"undo {table}")
            raise
        try:
            await self._hold(table, owner)
        except LogUnavailable as error:
            log.warning("table %s goes on when the store is back: %s", table, error.detail)
        return begun

    async def attend(self, table: str) -> None:
        """Before a command is accepted: should we die after it, the table is abandoned and its inbox read by others."""
        if table in self._held or await self._claim(table):
            return
        if await self._claim(table, 0, holder=NOBODY):  # it is broken, or its owner has just let go
            await self._claim(table)

    async def ensure(self, table: str) -> None:
        """See to it that the table has an owner, here or elsewhere, if there is something to do for one."""
        if table in self._held:
            return
        async with self._changing.setdefault(table, asyncio.Lock()):
            while table not in self._held and await self._claim(table):
                if await self._take_over(table) or await self._leave(table):
                    return

    async def let_go(self, table: str) -> None:
        """Stop working at a table that is deleted, and wait until that is done."""
        held = self._held.pop(table, None)
        if held is not None and held.task is not None:
            held.stop()
            await asyncio.wait([held.task])

    # -- taking ------------------------------------------------------------------------------------------------

    async def _claim(self, table: str, seconds: float = LEASE, *, holder: str = "") -> bool:
        return bool(await self._log.leases.claim([stream(table)], holder or self._node, seconds))

    async def _adopt(self, name: str) -> None:
        """Go on with what was abandoned."""
        table = table_of(name)
        try:
            await self.ensure(table)
        except LogUnavailable:
            raise
        except Exception:  # whatever one table is ill with must not keep the others from going on
            log.exception("table %s cannot be taken over; the next attempt is in %.0f s", table, BROKEN)
            await self._broken(table)

    async def _take_over(self, table: str, lost_after: Cursor = ZERO) -> bool:
        """Own a table whose lease is ours; False when there is nothing to do for an owner.

        `lost_after` is what its last owner, who was us, had acknowledged.
        """
        transcript = await self._unfinished(table)
        if transcript is None:
            return False
        transcript = msgspec.json.decode(codec.encode(transcript), type=Transcript)
        owner = self._orchestrator(table, policies.find(transcript.policy))
        lost = max(0, lost_after.seq - Cursor.parse(transcript.cursor).seq)
        taken_at = transcript.cursor
        try:
            await owner.take_over(transcript, lost=lost)
        except Conflict:
            log.info("table %s is still written by another", table)
            await self._claim(table, 0)  # who has it back if it lives; else it is for the next to look
            return True
        log.info("table %s taken over at %s", table, taken_at)
        await self._hold(table, owner)
        return True

    async def _leave(self, table: str) -> bool:
        """Give up the lease if there is nothing to do for an owner.

        It runs out before we look. Who accepted a command while it ran relies on us to see it; who does so later
        can take it; and if we cannot look, somebody else will.
        """
        await self._claim(table, 0)
        if await self._unfinished(table) is not None:
            return False
        await self._log.leases.release(stream(table), self._node)
        return True

    async def _unfinished(self, table: str) -> Transcript | None:
        """The table, if there is something to do for an owner; not to be kept over an await.

        A closed one takes no command, and what waits for it is refused nowhere.
        """
        waiting = await self._log.last(inbox.stream(table))
        transcript = await self._snapshots.of(stream(table))
        if transcript is None and waiting is not None:
            await self._log.delete(inbox.stream(table))  # a command came while the table was deleted
        if transcript is None or transcript.status == "closed":
            return None
        if transcript.status == "resting" and not (waiting and _is_new(waiting, transcript)):
            return None
        return transcript

    def _orchestrator(self, table: str, policy: policies.TurnPolicy) -> StreamOrchestrator:
        return StreamOrchestrator(
            stream(table), self._log, self._catalog, policy, owner=self._node, clock=self._clock
        )

    # -- holding -----------------------------------------------------------------------------------------------

    async def _hold(self, table: str, owner: StreamOrchestrator) -> None:
        """Hold the table from now on. All of its inbox is delivered: an owner knows by their keys what was acted on,
        while a store that lost commands has given their places again."""
        held = self._held[table] = _Held(owner)
        try:
            # Before the owner runs, so that it is in time for a table that rests.
            await self._deliveries.add(table)
        except BaseException:
            self._held.pop(table, None)
            raise
        held.task = self._spawn(self._run(table, held), stream(table))
        self._changed(table, "open")

    async def _run(self, table: str, held: _Held) -> None:
        after: Callable[[str, Cursor], Awaitable[None]] = self._broken
        try:
            await held.owner.run()
            self._changed(table, held.owner.status)
            after = self._done
        except* Conflict:
            log.warning("table %s was written by another, or has lost what was written", table)
            after = self._lost
        except* Exception:
            log.exception("table %s: its owner broke; it is taken up again in %.0f s", table, BROKEN)
        finally:
            self._deliveries.remove(table)
            if self._held.get(table) is held:
                del self._held[table]
        try:
            await _patiently(lambda: after(table, held.owner.acknowledged))
        except Exception:
            log.exception("table %s could not be left in order", table)

    async def _done(self, table: str, _: Cursor) -> None:
        """The table rests or is closed. A command that came meanwhile found an owner who had stopped reading."""
        if not await self._leave(table):
            await self.ensure(table)

    async def _lost(self, table: str, acknowledged: Cursor) -> None:
        """The log does not end where we left it: it is another's table now, or still ours and the store forgot."""
        async with self._changing.setdefault(table, asyncio.Lock()):
            if not await self._claim(table):
                return
            if await self._log.last(stream(table)) is None:  # all of it, so whoever watches is to be told
                await self._delete(table)
            elif not await self._take_over(table, acknowledged):
                await self._leave(table)

    async def _broken(self, table: str, _: Cursor = ZERO) -> None:
        if await self._claim(table, 0):
            await self._claim(table, BROKEN, holder=NOBODY)

    def _deliver(self, table: str, record: Record) -> None:
        submitted = inbox.submitted(record)
        held = self._held.get(table)
        if held is not None and submitted is not None:
            held.owner.deliver(record.cursor.seq, submitted)

    def _stop(self, table: str) -> None:
        if held := self._held.get(table):
            held.stop()

    # -- leaving -----------------------------------------------------------------------------------------------

    async def _hand_over(self, streams: list[str]) -> None:
        try:
            async with asyncio.timeout(LEASE):  # after that they are abandoned anyway
                await self._log.leases.claim(streams, self._node, 0)
        except (LogError, TimeoutError):
            log.warning("%d tables could not be handed over; they are free in %.0f s", len(streams), LEASE)

    async def _delete(self, table: str) -> None:
        # The inbox first: its owner, wherever that is, hears of it and stops.
        await self._log.delete(inbox.stream(table))
        await self._log.delete(stream(table))

    def _spawn(self, work: "asyncio._CoroutineLike[None]", name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Until the store can be used. What it is needed for can be done again."""
    while True:
        try:
            await work()
            return
        except LogUnavailable as error:
            log.warning("waiting for the store: %s", error.detail)
            await asyncio.sleep(STORE_PAUSE)


def _is_new(waiting: Record, transcript: Transcript) -> bool:
    submitted = inbox.submitted(waiting)
    return submitted is not None and submitted.key not in transcript.commands
