"""The past, ready to send: runs of framed entries, made from the log on demand and shared by everyone.

Runs are immutable and lie at fixed places, so a thousand replays of one table frame it once. They are a cache,
bounded in bytes for the whole node; the least recently sent go first.
"""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple
from weakref import WeakValueDictionary

from protocol.cursor import Cursor
from roundtable.fanout.encoding import encode
from roundtable.fanout.framing import Framing, View
from roundtable.log.base import EventLog, Record

# All runs of the node together: four replays of a table of 100,000 tokens (15 MB) stay warm. Bytes.
MAX_BYTES = 64 * 1024 * 1024
# One run, and so the most that waits in memory for a reader who does not read. Large enough that a system
# call costs little beside the copying it does. Bytes; a single larger entry makes a larger run.
RUN_BYTES = 64 * 1024
# No run crosses a multiple of this, so that readers who began in different places soon share runs. Entries.
RUN_ENTRIES = 320
# Entries asked of the log at a time: some runs at once, and so few that words (some 100 bytes each) stay within its
# own bound in bytes, which costs it more to keep.
READ_ENTRIES = 6 * RUN_ENTRIES
# What keeping a run costs beside its bytes, so that many tiny runs are bounded too.
OVERHEAD = 512


class Run(NamedTuple):
    """Consecutive entries as bytes for the transport (`b""` if the view shows none), up to and with `last`.

    `sealed`: more entries will never make it longer.
    """

    wire: bytes
    last: Cursor
    sealed: bool


class Dialect(NamedTuple):
    """Whom a run is for: readers of one stream through one view in one framing."""

    stream: str
    view: View
    framing: Framing


Place = tuple[str, str, str, int]


class Blocks:
    """The node's runs."""

    def __init__(self, log: EventLog, max_bytes: int = MAX_BYTES) -> None:
        self._log = log
        self._max_bytes = max_bytes
        self._runs: dict[Place, Run] = {}
        self.size = 0
        self._forgotten = 0  # how often anything was: what was being read then may be of the past
        self._loading: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()

    async def after(self, dialect: Dialect, seq: int, head: int) -> Run | None:
        """The run of entries after `seq`, or None if the log has none. `head` is a seq that it should reach
        if it is not sealed. Raises `LogError`."""
        place = (dialect.stream, dialect.view.name, dialect.framing.name, seq)
        if run := self._kept(place, head):
            return run
        async with self._loading.setdefault(place, asyncio.Lock()):
            # Whoever comes first loads; the others find it, or load it themselves if the first was cancelled.
            return self._kept(place, head) or await self._load(dialect, seq, head)

    def forget(self, stream: str) -> None:
        """Drop all runs of a stream whose past is no longer what it was."""
        self._forgotten += 1
        for place in [place for place in self._runs if place[0] == stream]:
            self.size -= _size(self._runs.pop(place))

    async def _load(self, dialect: Dialect, seq: int, head: int) -> Run | None:
        forgotten = self._forgotten
        records = await self._log.read(dialect.stream, seq, limit=READ_ENTRIES)
        first = None
        for run in cut(dialect, records, head):
            if forgotten == self._forgotten:
                self._keep((dialect.stream, dialect.view.name, dialect.framing.name, seq), run)
            first = first or run
            seq = run.last.seq
        return first

    def _kept(self, place: Place, head: int) -> Run | None:
        run = self._runs.get(place)
        if run is None or not (run.sealed or run.last.seq >= head):
            return None
        del self._runs[place]
        self._runs[place] = run  # now the most recently used
        return run

    def _keep(self, place: Place, run: Run) -> None:
        old = self._runs.pop(place, None)
        self.size += _size(run) - (_size(old) if old else 0)
        self._runs[place] = run
        while self.size > self._max_bytes and len(self._runs) > 1:
            self.size -= _size(self._runs.pop(next(iter(self._runs))))


def cut(dialect: Dialect, records: list[Record], head: int) -> Iterator[Run]:
    """Cut consecutive records of a stream that ends at `head` or later into runs."""
    start = 0
    while start < len(records):
        stop = start + RUN_ENTRIES - (records[start].cursor.seq - 1) % RUN_ENTRIES
        yield from _runs(dialect, records[start:stop], head)
        start = stop


def _runs(dialect: Dialect, records: list[Record], head: int) -> Iterator[Run]:
    """One run, or as many halves as their bytes make necessary."""
    frames = encode(dialect.view, dialect.framing, records)
    if len(frames) > RUN_BYTES and len(records) > 1:
        middle = len(records) // 2
        yield from _runs(dialect, records[:middle], head)
        yield from _runs(dialect, records[middle:], head)
    else:
        last = records[-1].cursor
        sealed = last.seq < head or last.seq % RUN_ENTRIES == 0
        yield Run(dialect.framing.wrap(frames) if frames else b"", last, sealed)


def _size(run: Run) -> int:
    return len(run.wire) + OVERHEAD
