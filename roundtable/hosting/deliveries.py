"""What comes into the inboxes of the tables held here, handed on as it comes."""

import asyncio
import logging
from collections.abc import Callable

from protocol.cursor import ZERO, Cursor
from protocol.errors import LogDamaged, LogError
from roundtable.hosting import inbox
from roundtable.log.base import EventLog, Record, Tail

log = logging.getLogger("roundtable.deliveries")

# Between attempts while the store cannot be used; seconds.
STORE_PAUSE = 1.0


class Deliveries:
    """`start` it, cancel what `run` runs in, `close` it. `deliver` is told a table and a record of its inbox, perhaps
    more than once; `gone` a table whose inbox was deleted."""

    def __init__(
        self, log: EventLog, deliver: Callable[[str, Record], None], gone: Callable[[str], None]
    ) -> None:
        self._log, self._deliver, self._gone = log, deliver, gone
        self._tables: set[str] = set()

    async def start(self) -> None:
        """Raises `LogUnavailable`."""
        self._tail: Tail = await self._log.tail()

    async def close(self) -> None:
        """Deliver no more."""
        await self._tail.close()

    async def add(self, table: str) -> None:
        """Deliver all that is in the table's inbox before this returns, then what comes. Raises `LogError`."""
        done = ZERO
        while waiting := await self._log.read(inbox.stream(table), done.seq):
            for record in waiting:
                self._deliver(table, record)
            done = waiting[-1].cursor
        await self._follow(table, done)

    def remove(self, table: str) -> None:
        """Deliver nothing more of this table. No error when it was never added."""
        self._tables.discard(table)
        self._tail.remove(inbox.stream(table))

    async def run(self) -> None:
        """Deliver what comes, for ever."""
        away = False
        while True:
            try:
                if away:
                    await self._follow_again()
                away = False
                async for name, records in self._tail:
                    self._hand_on(name.partition("/")[2], records)
                return
            except LogError as error:
                if not away:  # once, and not every second for as long as it lasts
                    log.warning("inboxes cannot be read: %s", error.detail)
                away = True
                await asyncio.sleep(STORE_PAUSE)

    def _hand_on(self, table: str, records: list[Record]) -> None:
        if not records:
            self._gone(table)
        for record in records:
            self._deliver(table, record)

    async def _follow(self, table: str, after: Cursor) -> None:
        await self._tail.add(inbox.stream(table), after)
        self._tables.add(table)

    async def _follow_again(self) -> None:
        """From the start: a store that was away may have lost commands, and have given their places to others."""
        for table in list(self._tables):
            if table not in self._tables:
                continue  # removed meanwhile
            self._tail.remove(inbox.stream(table))
            try:
                await self._tail.add(inbox.stream(table), ZERO)
            except LogDamaged as error:  # it keeps no other from being followed
                log.error("table %s hears no commands: %s", table, error.detail)  # noqa: TRY400 - known by its text
            if table not in self._tables:
                self._tail.remove(inbox.stream(table))
