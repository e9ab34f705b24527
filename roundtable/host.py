"""The tables that this node holds: convening, steering and taking over. What the edge and the command line talk to.

A table that is open or paused has an owner here, a task around its orchestrator; a resting one has none until
a command wakes it.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from protocol import codec, commands
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict, IllegalMove, LogDamaged, LogError, NotFound, WrongState
from protocol.transcript import Transcript
from providers.catalog import Catalog
from roundtable import convening, inbox, off_record, policies
from roundtable.convening import Convene
from roundtable.inbox import Inbox
from roundtable.log.base import EventLog, Record, Tail
from roundtable.orchestrator import StreamOrchestrator
from roundtable.snapshots import Snapshots
from roundtable.summary import Summary, summarise

log = logging.getLogger("roundtable.host")

# How long a person waits for a command's outcome before being told that it was accepted; seconds.
OUTCOME_WAIT = 2.0
# Between attempts to read inboxes while the store cannot be used; seconds.
STORE_PAUSE = 1.0


class Opened(NamedTuple):
    """A new table, and the cursor of its `table.opened`."""

    id: str
    cursor: Cursor


class Receipt(NamedTuple):
    """A command's place in the inbox, and its effect; None when it was not acted on within the wait."""

    position: int
    entry: e.Entry | None


def stream(table: str) -> str:
    """The name of a table's log."""
    return f"table/{table}"


class Host:
    """`start` it, use it, `close` it. All methods may raise `LogUnavailable`."""

    def __init__(self, log: EventLog, catalog: Catalog, *, clock: Callable[[], float] = time.time) -> None:
        self._log = log
        self._catalog = catalog
        self._clock = clock
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._snapshots = Snapshots(log)
        self._owned: dict[str, StreamOrchestrator] = {}
        self._inboxes: dict[str, Inbox] = {}  # of the tables owned here
        self._waking = asyncio.Lock()
        self._tail: Tail | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life --------------------------------------------------------------------------------------------------

    async def start(self, *, take_over: bool = True) -> None:
        """Begin to read inboxes and, with `take_over`, go on with every table that was left open."""
        self._tail = await self._log.tail()
        self._spawn(self._read_inboxes(self._tail), "inboxes")
        if take_over:
            await self._take_over_all()

    async def _take_over_all(self) -> None:
        before = ""
        while names := await self._log.streams("table", before=before):
            for name in names:
                try:
                    await self._resume(name.removeprefix("table/"))
                except Exception:  # whatever one table is ill with must not keep the others from going on
                    log.exception("%s cannot be taken over", name)
            before = names[-1]

    async def close(self) -> None:
        """Let go of every table at once. Turns under way are ended by the next owner; nothing said is lost."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._tail is not None:
            await self._tail.close()

    async def _resume(self, table: str) -> None:
        last = await self._log.last(stream(table))
        if last is None or codec.body_type(last.body) == b"table.closed":
            return
        transcript = await self._snapshots.of(stream(table))
        waiting = await self._log.last(inbox.stream(table))
        if transcript is not None and (
            transcript.status in ("open", "paused") or (waiting and waiting.cursor.seq > transcript.inbox)
        ):
            await self._wake(table)

    # -- what people ask ---------------------------------------------------------------------------------------

    async def convene(self, ask: Convene) -> Opened:
        """Open a table and let it begin. Raises `Invalid`, and then nothing was created."""
        policy = policies.find(ask.policy)
        await off_record.admit(self._log, record=ask.record)
        table = convening.new_id(self._clock(), record=ask.record)
        opening = await convening.opening(table, ask, self._catalog)
        owner = self._orchestrator(table, policy)
        cursor = await owner.begin(opening)
        await self._own(table, owner, ZERO)
        log.info("table %s opened: %s, %d seats", table, policy.name, len(opening.panel))
        return Opened(table, cursor)

    async def submit(
        self, table: str, key: str, command: commands.ANY, wait: float = OUTCOME_WAIT
    ) -> Receipt:
        """Hand a command to the table's owner and wait up to `wait` seconds for its effect.

        Raises `NotFound`, `KeyReused`, `Invalid`, and `WrongState` when the table refused it or is closed. The same
        key and command again gives the same answer and has no second effect.
        """
        transcript = await self.transcript(table)
        convening.check_command(command, transcript)
        if transcript.status == "closed" and key not in transcript.commands:
            raise WrongState("The table is closed; convene another to go on.")
        box = self._inboxes.get(table) or Inbox(self._log, table, self._clock)
        position = await box.submit(key, command)
        return Receipt(position, await self._outcome(table, key, wait))

    async def transcript(self, table: str) -> Transcript:
        """The table as the log has it. Not to be changed, nor kept over an await. Raises `NotFound`."""
        found = await self._snapshots.of(stream(table))
        if found is None:
            raise NotFound(f"There is no table {table[:40]!r}.")
        return found

    async def summaries(self, *, before: str = "", limit: int = 20) -> list[Summary]:
        """Tables, newest first, those older than `before` if it is given."""
        names = await self._log.streams("table", before=stream(before) if before else "", limit=limit)
        found = [await self._summary(name) for name in names]
        return [summary for summary in found if summary is not None]

    async def _summary(self, name: str) -> Summary | None:
        try:
            transcript = await self._snapshots.of(name)
        except (LogDamaged, IllegalMove):  # one table that cannot be read must not cost the list
            log.exception("%s cannot be listed", name)
            return None
        return None if transcript is None else summarise(transcript)

    async def _outcome(self, table: str, key: str, wait: float) -> e.Entry | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                return await self._effect(table, key)
        return None

    async def _effect(self, table: str, key: str) -> e.Entry:
        """The entry that a command led to, once there is one; a table without an owner is given one for it."""
        while True:
            owner = self._owned.get(table)
            committed = owner.effect(key) if owner else None
            transcript = await self.transcript(table)
            if key in transcript.commands:
                break
            if transcript.status == "closed":
                raise WrongState("The table closed before it came to this.")
            await (self._wake(table) if committed is None else asyncio.shield(committed))
        at = Cursor.parse(transcript.commands[key])
        records = await self._log.read(stream(table), at.seq - 1, limit=1)
        entry = codec.decode_body(*records[0])
        if isinstance(entry.event, e.CommandRefused):
            raise WrongState(entry.event.detail, code=entry.event.code)
        return entry

    # -- owning ------------------------------------------------------------------------------------------------

    def _orchestrator(self, table: str, policy: policies.TurnPolicy) -> StreamOrchestrator:
        return StreamOrchestrator(
            stream(table), self._log, self._catalog, policy, owner=self._name, clock=self._clock
        )

    async def _wake(self, table: str) -> None:
        """Take over a table that has no owner here."""
        async with self._waking:
            if table in self._owned:
                return
            transcript = msgspec.json.decode(codec.encode(await self.transcript(table)), type=Transcript)
            owner = self._orchestrator(table, policies.find(transcript.policy))
            done = await self._position(table, transcript.inbox)
            await owner.take_over(transcript)
            log.info("table %s taken over at %s", table, transcript.cursor)
            await self._own(table, owner, done, await self._log.read(inbox.stream(table), done.seq))

    async def _position(self, table: str, seq: int) -> Cursor:
        """The inbox cursor at `seq`."""
        records = await self._log.read(inbox.stream(table), seq - 1, limit=1) if seq else []
        return records[0].cursor if records else ZERO

    async def _own(
        self, table: str, owner: StreamOrchestrator, done: Cursor, waiting: Sequence[Record] = ()
    ) -> None:
        """Hold the table from now on: `waiting` are commands behind `done`, which no owner has acted on."""
        assert self._tail is not None, "start() comes first"
        self._owned[table] = owner
        self._inboxes[table] = Inbox(self._log, table, self._clock)
        for record in waiting:
            self._deliver(table, record)
            done = record.cursor
        await self._tail.add(inbox.stream(table), done)
        self._spawn(self._hold(table, owner), f"table/{table}")

    async def _hold(self, table: str, owner: StreamOrchestrator) -> None:
        done = False
        try:
            await owner.run()
            done = True
        except* Conflict:
            log.warning("table %s has another owner now", table)
        except* Exception:
            log.exception("table %s: its owner broke; the next command or start takes it up again", table)
        finally:
            self._owned.pop(table, None)
            if self._tail is not None:
                self._tail.remove(inbox.stream(table))
            self._inboxes.pop(table, None)
        if done:
            await self._resume(table)  # a command may have come while the table went to rest

    async def _read_inboxes(self, tail: Tail) -> None:
        while True:
            try:
                async for name, records in tail:
                    for record in records:
                        self._deliver(name.removeprefix("inbox/"), record)
                return
            except LogError as error:
                log.warning("inboxes cannot be read: %s", error.detail)
                await asyncio.sleep(STORE_PAUSE)

    def _deliver(self, table: str, record: Record) -> None:
        submitted = inbox.submitted(record)
        owner = self._owned.get(table)
        if owner is not None and submitted is not None:
            owner.deliver(record.cursor.seq, submitted)

    def _spawn(self, work: "asyncio._CoroutineLike[None]", name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
