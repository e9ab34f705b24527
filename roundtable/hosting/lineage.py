"""Which tables are forks of which: kept in a stream beside each table that has any (`forks/ID`).

A fork names its origin in its own log; this is the way back, to be found without reading every table there is.
"""

from collections.abc import Callable

import msgspec

from protocol import system
from protocol.cursor import Cursor
from protocol.errors import LogDamaged, WrongState
from protocol.system import ForkMade
from roundtable.hosting.shared import Shared
from roundtable.log.base import EventLog, Record

KIND = "forks"
MAX_FORKS = 1_000
"""Of one table: what its list shows, and far more than anybody compares."""


class ForkLine(msgspec.Struct, frozen=True):
    """A fork: the table it is, and the last entry that it has in common with its origin."""

    table: str
    cursor: str


class Lineage:
    """All methods may raise `LogUnavailable`. Read anew each time: nobody asks often."""

    def __init__(self, log: EventLog, clock: Callable[[], float]) -> None:
        self._log, self._clock = log, clock

    async def add(self, origin: str, fork: str, cursor: Cursor) -> None:
        """Note a fork that is about to be opened. Raises `WrongState` when there are too many."""
        known = _Known(self._log, origin, self._clock)

        def decide() -> list[ForkMade]:
            if len(known.forks) >= MAX_FORKS:
                raise WrongState(
                    f"This table has {MAX_FORKS:,} forks already; fork one of them.", code="too_many_forks"
                )
            return [ForkMade(table=fork, cursor=str(cursor))]

        await known.stream.add(decide)

    async def of(self, origin: str) -> list[ForkLine]:
        """Its forks, oldest first; those that were never opened or are deleted by now are among them."""
        known = _Known(self._log, origin, self._clock)
        await known.stream.catch_up()
        return known.forks

    async def forget(self, origin: str) -> None:
        """The table is deleted; its forks stay."""
        await self._log.delete(f"{KIND}/{origin}")


class _Known:
    def __init__(self, log: EventLog, origin: str, clock: Callable[[], float]) -> None:
        self.forks: list[ForkLine] = []
        self.stream = Shared(log, f"{KIND}/{origin}", clock, self._note, self.forks.clear)

    def _note(self, record: Record) -> None:
        try:
            event = system.decode(record.body)
        except LogDamaged:
            return  # it costs itself, and no other fork
        if isinstance(event, ForkMade):
            self.forks.append(ForkLine(event.table, event.cursor))
