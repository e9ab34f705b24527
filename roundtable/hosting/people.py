"""Who reads along under a name, over all nodes: told in `system/ID` when they come and when they have gone.

A table's own stream has one writer and is a record; who watched is neither its owner's nor the record's business. Any
node may tell it, once: each looks at what the stream says before it adds to it. How many connections a name has
elsewhere the store counts, as it does spectators, and forgets those of a node that died.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

from protocol import system
from protocol.errors import Invalid, LogDamaged, LogError, NotFound
from protocol.events import Event, TermBegan
from protocol.system import ALL, SYSTEM, PersonJoined, PersonLeft
from roundtable.hosting.shared import Shared
from roundtable.log.base import EventLog, Record

log = logging.getLogger("roundtable.people")

# Seconds between rounds: a name is announced, and other nodes hear that it is here, within one.
EVERY = 1.0
# Seconds without a connection before someone has left: a page that is loaded again, a phone that changes its network.
GRACE = 5.0
# Every so many rounds we look for people whom a node that died has left behind, at so many of the newest tables.
LOOK_EVERY, LOOK_AT = 10, 200
# Tables remembered, so that a look does not read what has not changed; those where somebody is come on top.
HELD = 2 * LOOK_AT
# Names at one table of this node that are announced; who comes beyond watches all the same.
MAX_PEOPLE = 200
# Entries of one table's stream, some 100 bytes each, before it begins again with who is here.
MAX_ENTRIES = 5_000

Who = tuple[str, str]
"""A table's id and a name."""


class People:
    """`start` it, use `here`, `close` it. `node` is this node's name."""

    def __init__(
        self,
        log: EventLog,
        node: str,
        clock: Callable[[], float],
        *,
        every: float = EVERY,
        grace: float = GRACE,
    ) -> None:
        self._log, self._node, self._clock = log, node, clock
        self._every, self._grace = every, grace
        self._here: dict[str, Counter[str]] = {}  # connections by name, by table
        self._arrived: set[str] = set()  # tables where someone came since the last round
        self._told: dict[Who, int] = {}  # connections that the store knows of
        self._gone: dict[Who, float] = {}  # when someone was first missed, on the loop's clock
        self._rooms: dict[str, _Room] = {}

    def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="people")

    async def close(self) -> None:
        """Tell nothing more. Those here come back to another node within the grace, or it tells that they left."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(LogError, TimeoutError):
            async with asyncio.timeout(self._every):
                await self._count(dict.fromkeys(self._told, 0))

    @contextlib.contextmanager
    def here(self, table: str, name: str) -> Iterator[None]:
        """One connection of that name to the table, while inside. Raises `Invalid` when too many have a name here."""
        names = self._here.setdefault(table, Counter())
        if name not in names:
            if len(names) >= MAX_PEOPLE:
                raise Invalid(
                    f"{MAX_PEOPLE} people with names are here already; come without one.", field="as"
                )
            self._arrived.add(table)
        names[name] += 1
        try:
            yield
        finally:
            names[name] -= 1
            if not names[name]:
                del names[name]
            if not names:
                self._here.pop(table, None)

    async def ready(self, table: str) -> None:
        """See to it that the table's stream of people can be followed. Raises `NotFound` when there is no table."""
        room = self._room(table)
        await room.stream.catch_up()
        if not room.stream.last.seq:
            if await self._log.last(f"table/{table}") is None:
                raise NotFound(f"There is no table {table[:40]!r}.")
            await room.stream.add(lambda: () if room.stream.last.seq else (TermBegan(owner=self._node),))

    async def _run(self) -> None:
        rounds = 0
        while True:
            try:
                if rounds % LOOK_EVERY == 0:
                    await self.look()
                await self.round()
            except LogError as error:
                log.debug("nobody hears who is here: %s", error.detail)
            except Exception:  # a loop that dies in silence would leave everyone here for ever
                log.exception("nobody hears who is here")
            rounds += 1
            await asyncio.sleep(self._every)

    async def round(self) -> None:
        """Tell who came and who has gone, as far as this node knows. Raises `LogError`."""
        while self._arrived:  # others may have told of them since we read
            await self._read(self._arrived.pop())
        gone = await self._missed()
        for room in list(self._rooms.values()):
            await self._settle(room, set(self._here.get(room.table, ())), gone.get(room.table, set()))
            if len(self._rooms) > HELD and not room.present and room.table not in self._here:
                del self._rooms[room.table]

    async def look(self) -> None:
        """Read who is said to be at the newest tables, in case nobody else does any more, and at those where somebody
        is; and tell the store again of everyone. Raises `LogError`."""
        self._told.clear()
        names = await self._log.streams(SYSTEM, limit=LOOK_AT)
        for table in {name.partition("/")[2] for name in names if name != ALL} | set(self._here):
            await self._read(table)

    async def _read(self, table: str) -> None:
        with contextlib.suppress(LogDamaged):  # it keeps no other from being read
            await self._room(table).stream.catch_up()

    async def _missed(self) -> dict[str, set[str]]:
        """By table, those said to be there whom no node has had for the grace."""
        here = {(table, name): count for table, names in self._here.items() for name, count in names.items()}
        known = {(room.table, name) for room in self._rooms.values() for name in room.present}
        absent = known - set(here)
        fresh = {who: count for who, count in here.items() if self._told.get(who) != count}
        elsewhere = await self._count(fresh | dict.fromkeys(absent, 0))
        self._told = {who: count for who, count in here.items() if who in fresh or who in self._told}
        now = asyncio.get_running_loop().time()
        self._gone = {who: self._gone.get(who, now) for who in absent if not elsewhere[who]}
        gone: dict[str, set[str]] = {}
        for (table, name), since in self._gone.items():
            if since <= now - self._grace:
                gone.setdefault(table, set()).add(name)
        return gone

    async def _count(self, connections: Mapping[Who, int]) -> dict[Who, int]:
        """Tell the store how many connections each has here, and hear how many elsewhere."""
        names = {
            who: f"person/{who[0]}/{quote(who[1], safe='')}" for who in connections
        }  # no stream is called so
        found = await self._log.count({names[who]: count for who, count in connections.items()}, self._node)
        return {who: found[name] for who, name in names.items()}

    async def _settle(self, room: "_Room", came: set[str], gone: set[str]) -> None:
        """Write what has changed at one table, if it is there."""

        def decide() -> list[Event]:
            return [
                *(PersonJoined(person=name) for name in sorted(came - room.present)),
                *(PersonLeft(person=name) for name in sorted(gone & room.present)),
            ]

        if decide():
            with contextlib.suppress(NotFound):
                if room.stream.last.seq >= MAX_ENTRIES:
                    await room.stream.renew()
                await self.ready(room.table)
                await room.stream.add(decide)

    def _room(self, table: str) -> "_Room":
        if table not in self._rooms:
            self._rooms[table] = _Room(self._log, table, self._clock)
        return self._rooms[table]


class _Room:
    """A table's company as its stream tells it."""

    def __init__(self, log: EventLog, table: str, clock: Callable[[], float]) -> None:
        self.table = table
        self.present: set[str] = set()
        self.stream = Shared(log, stream(table), clock, self._note, self.present.clear)

    def _note(self, record: Record) -> None:
        try:
            event = system.decode(record.body)
        except LogDamaged:
            return  # the beginning, and whatever a later version tells
        if isinstance(event, PersonJoined):
            self.present.add(event.person)
        elif isinstance(event, PersonLeft):
            self.present.discard(event.person)


def stream(table: str) -> str:
    """The name of the stream about a table's company."""
    return f"{SYSTEM}/{table}"
