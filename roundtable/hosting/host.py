"""The tables of this node's users: convening, steering, reading, deleting. What the edge and the command line talk to.

A table may be owned by any node: what is asked of it goes through its inbox, what came of it is read in its log.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from protocol import codec, commands
from protocol import events as e
from protocol.cursor import Cursor
from protocol.errors import IllegalMove, Invalid, LogDamaged, NotFound, WrongState
from protocol.system import TableChanged
from protocol.transcript import Material, Transcript
from protocol.views import thread
from providers.catalog import Catalog
from roundtable import policies
from roundtable.config import Panel
from roundtable.hosting import convening, forking, inbox, off_record, people, threads
from roundtable.hosting.convening import Convene
from roundtable.hosting.forking import Fork
from roundtable.hosting.inbox import Inbox
from roundtable.hosting.lineage import ForkLine, Lineage
from roundtable.hosting.outcomes import Outcomes
from roundtable.hosting.owners import Owners, stream, table_of
from roundtable.hosting.panels import KeptPanels
from roundtable.hosting.past import Happened
from roundtable.hosting.snapshots import Snapshots
from roundtable.hosting.summary import Summary, summarise
from roundtable.hosting.threads import ThreadLine
from roundtable.log.base import EventLog
from roundtable.log.split import is_off_record
from roundtable.material.intake import Taken, Upload, check_room, take
from roundtable.material.reading import Readers
from roundtable.material.store import MaterialStore

__all__ = ["Host", "Opened", "Receipt", "stream"]

log = logging.getLogger("roundtable.host")
T = TypeVar("T")

# How long a person waits for a command's outcome before being told that it was accepted; seconds.
OUTCOME_WAIT = 2.0
# Inboxes remembered, so that a command does not read all that came before it. Tables.
INBOXES = 256


def new_node() -> str:
    """A name that no other node has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


class Opened(NamedTuple):
    """A new table, and the cursor of its `table.opened`."""

    id: str
    cursor: Cursor


class Receipt(NamedTuple):
    """A command's place in the inbox, and its effect; None when it was not acted on within the wait."""

    position: int
    entry: e.Entry | None


class Listing(NamedTuple, Generic[T]):
    """A page of tables or threads, newest first; `next` is the `before` of the next page, None on the last one.

    `unreadable` names the tables of this page that the store no longer gives back whole.
    """

    tables: list[T]
    unreadable: list[str]
    next: str | None


class Host:
    """`start` it, use it, `close` it. All methods may raise `LogUnavailable`. `node` is this node's name, and `tell` is
    told what concerns everyone; `panels` are the configuration's."""

    def __init__(
        self,
        log: EventLog,
        catalog: Catalog,
        *,
        clock: Callable[[], float] = time.time,
        node: str = "",
        tell: Callable[[e.Event], None] = lambda _: None,
        panels: Mapping[str, Panel] = {},
    ) -> None:
        self._log = log
        self._catalog = catalog
        self._clock = clock
        self._snapshots = Snapshots(log)
        self._outcomes = Outcomes(log, self._snapshots)
        self._tell = tell
        self._owners = Owners(log, catalog, self._snapshots, node or new_node(), clock, changed=self._changed)
        self.panels = KeptPanels(log, catalog, clock, panels)
        self._lineage = Lineage(log, clock)
        self._store, self._readers = MaterialStore(log, clock), Readers()
        self._inboxes: OrderedDict[str, Inbox] = OrderedDict()

    # -- life --------------------------------------------------------------------------------------------------

    async def start(self, *, take_over: bool = True) -> None:
        """Begin to work; with `take_over` also at tables that were left open, now and from now on."""
        await self._outcomes.start()
        self._following = asyncio.create_task(self._outcomes.run(), name="outcomes")
        await self._owners.start(take_over=take_over)

    async def close(self) -> None:
        """Let go of every table at once. Turns under way are ended by the next owner; nothing said is lost."""
        await self._owners.close()
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self._outcomes.close()

    # -- what people ask ---------------------------------------------------------------------------------------

    async def convene(self, ask: Convene) -> Opened:
        """Open a table and let it begin. Raises `Invalid`, and then nothing was created."""
        ask = await self.panels.filled(ask)
        policy = policies.find(convening.policy_of(ask))
        await off_record.admit(self._log, record=ask.record)
        table = convening.new_id(self._clock(), record=ask.record)
        opening = await convening.opening(table, ask, self._catalog)
        said = await self._laid(table, ask.material)
        cursor = await self._owners.begin(table, policy, self._now(opening, *said))
        log.info("table %s opened: %s, %d seats", table, policy.name, len(opening.panel))
        return Opened(table, cursor)

    async def begin_thread(self, ask: threads.Begin) -> Opened:
        """Begin a thread, with its first message if there is one. Raises `Invalid`, and then nothing was created."""
        await off_record.admit(self._log, record=ask.record)
        id = thread.PREFIX + convening.new_id(self._clock(), record=ask.record)
        opened, said = await threads.opening(id, ask, self._catalog)
        policy = policies.find(policies.REPLY)
        return Opened(id, await self._owners.begin(id, policy, self._now(opened, *said)))

    async def fork(self, table: str, ask: Fork) -> Opened:
        """Open another future of a table from one of its entries on. Raises `NotFound`, `Invalid`, and then nothing was
        created."""
        was = await self.transcript(table)
        record, after = was.record, forking.place(ask.after, Cursor.parse(was.cursor))
        await off_record.admit(self._log, record=record)
        entries = await self._entries(table, after)
        id = convening.new_id(self._clock(), record=record)
        opening, happened = await forking.forked(id, entries, ask, self._catalog, self._clock())
        await self._lineage.add(table, id, after)
        await self._store.copy(table, id)
        cursor = await self._owners.begin(id, policies.find(opening.policy), happened)
        log.info("table %s opened: a fork of %s at %s", id, table, after)
        return Opened(id, cursor)

    async def forks(self, table: str) -> list[ForkLine]:
        """The forks of a table that are still there, oldest first. Raises `NotFound`."""
        await self.transcript(table)
        return [fork for fork in await self._lineage.of(table) if await self._log.last(stream(fork.table))]

    async def _entries(self, table: str, after: Cursor) -> list[e.Entry]:
        """From the first up to that one. Raises `Invalid` when it is none of them."""
        if not after.seq or not await self._log.has(stream(table), after):
            raise Invalid(f"This table has no entry {after}; fork it after one of its own.", field="after")
        entries = list[e.Entry]()
        while len(entries) < after.seq and (records := await self._log.read(stream(table), len(entries))):
            entries += [codec.decode_body(*record) for record in records]
        return entries[: after.seq]

    def _now(self, *events: e.Event) -> list[Happened]:
        return [Happened(self._clock(), event) for event in events]

    async def submit(
        self, table: str, key: str, command: commands.INBOX, wait: float = OUTCOME_WAIT
    ) -> Receipt:
        """Hand a command to the table's owner and wait up to `wait` seconds for its effect.

        Raises `NotFound`, `KeyReused`, `Invalid`, and `WrongState` when the table refused it or is closed. The same
        key and command again gives the same answer and has no second effect.
        """
        transcript = await self.transcript(table)
        convening.check_command(command, transcript)
        if transcript.status == "closed" and key not in transcript.commands:
            raise WrongState("The table is closed; convene another to go on.")
        await self._owners.attend(table)
        try:
            position = await self._inbox(table).submit(key, command)
        finally:
            await self._owners.ensure(table)
        return Receipt(position, await self._outcome(table, key, wait))

    async def put(self, table: str, key: str, upload: Upload) -> Receipt:
        """Lay a file on the table. Raises as `submit`, and `Busy`."""
        transcript = await self.transcript(table)
        taken = await take(upload, self._readers)
        if key not in transcript.commands:
            check_room(transcript.materials, [taken.put])
        await self._store.keep(table, taken.put.sha256, taken.data)
        return await self.submit(table, key, taken.put)

    async def material(self, table: str, material: str) -> tuple[Material, str]:
        """A file on the table, and its bytes in base64. Raises `NotFound`."""
        found = [each for each in (await self.transcript(table)).materials if each.material == material]
        if not found:
            raise NotFound(f"There is no {material[:20]!r} on this table.")
        return found[0], await self._store.open(table, found[0].sha256)

    async def _laid(self, table: str, uploads: Sequence[Upload]) -> list[e.MaterialAdded]:
        """What lies on a table that is to be convened."""
        taken = list[Taken]()
        for place, upload in enumerate(uploads):
            try:
                taken.append(await take(upload, self._readers))
            except Invalid as error:
                raise Invalid(
                    error.detail, field=f"material[{place}].{error.field}", code=error.code
                ) from error
        check_room([], [each.put for each in taken])
        for each in taken:
            await self._store.keep(table, each.put.sha256, each.data)
        return [
            e.MaterialAdded(material=f"d{number}", **msgspec.structs.asdict(each.put))
            for number, each in enumerate(taken, 1)
        ]

    async def delete(self, table: str) -> None:
        """Remove the table and everything said at it, for good and on every node. Raises `NotFound`."""
        if await self._log.last(stream(table)) is None:
            raise NotFound(f"There is no table {table[:40]!r}.")
        await self._owners.let_go(table)
        # The inbox first: its owner, wherever that is, hears of it and stops. Should we die in between, the table
        # is still there to be deleted again.
        await self._log.delete(inbox.stream(table))
        await self._log.delete(stream(table))
        await self._log.delete(people.stream(table))
        await self._lineage.forget(table)
        await self._store.forget(table)
        self._snapshots.forget(stream(table))
        self._inboxes.pop(table, None)
        self._changed(table, "deleted")
        log.info("table %s deleted", table)

    async def transcript(self, table: str) -> Transcript:
        """The table as the log has it. Not to be changed, nor kept over an await. Raises `NotFound`."""
        found = await self._snapshots.of(stream(table))
        if found is None:
            raise NotFound(f"There is no table {table[:40]!r}.")
        return found

    async def summaries(self, *, before: str = "", limit: int = 20) -> Listing[Summary]:
        """At most `limit` tables, those older than `before` if it is given. Threads are none."""
        before = min(before or thread.PREFIX, thread.PREFIX)  # theirs are the greatest names there are
        names = await self._log.streams("table", before=stream(before), limit=limit + 1)
        return await self._listed(names, limit, summarise)

    async def threads(self, *, before: str = "", limit: int = 20) -> Listing[ThreadLine]:
        """As `summaries`, of threads."""
        names = await self._log.streams("table", before=stream(before) if before else "", limit=limit + 1)
        own = [name for name in names if name.startswith(stream(thread.PREFIX))]
        return await self._listed(own, limit, threads.line)

    async def _listed(self, names: list[str], limit: int, told: Callable[[Transcript], T]) -> Listing[T]:
        """Those of one page. One more than asked for tells whether there is a next."""
        found, unreadable = list[T](), list[str]()
        for name in names[:limit]:
            try:
                transcript = await self._snapshots.of(name)
            except (LogDamaged, IllegalMove) as error:  # one table that cannot be read must not cost the list
                log.warning("%s cannot be listed: %s", name, error.detail)
                unreadable.append(table_of(name))
                continue
            if transcript is not None:  # None: deleted meanwhile
                found.append(told(transcript))
        more = len(names) > limit
        return Listing(found, unreadable, table_of(names[limit - 1]) if more else None)

    @property
    def held(self) -> int:
        """How many tables this node owns now: those that are under way here."""
        return self._owners.held

    def _changed(self, table: str, status: str) -> None:
        if not is_off_record(table):  # news are recorded
            self._tell(TableChanged(table=table, status=status))

    async def _outcome(self, table: str, key: str, wait: float) -> e.Entry | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                return await self._outcomes.of(stream(table), key)
        return None

    def _inbox(self, table: str) -> Inbox:
        box = self._inboxes.get(table) or Inbox(self._log, table, self._clock)
        self._inboxes[table] = box
        self._inboxes.move_to_end(table)
        if len(self._inboxes) > INBOXES:
            self._inboxes.popitem(last=False)
        return box
