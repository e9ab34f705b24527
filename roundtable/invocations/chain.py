"""The one pen of an invocation: what happens while an append is under way goes together in the next; where nobody need
wait for an append, what is told first in a turn of the loop goes at once, and the rest together at its end.

After the end nothing is written any more: whoever comes first ends it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from protocol import codec, invocation
from protocol.cursor import ZERO, Cursor, next_term
from protocol.errors import Conflict, LogError, LogUnavailable
from protocol.events import Event
from protocol.invocation import Reached
from roundtable.log.base import MAX_BATCH_BYTES, EventLog, Record
from roundtable.log.batch import MAX_RECORD_BYTES

log = logging.getLogger("roundtable.invocations")

# Steps in one entry, as bytes: what a reader takes at once.
BLOCK = 64 * 1024
# What may wait to be written, and be under way, before the tool is asked for no more. Bytes.
MAX_WAITING = 2 * MAX_BATCH_BYTES
# One step, or a result: with room for our own members, what any store takes and any client must. Bytes.
MAX_TOLD = MAX_RECORD_BYTES - 64 * 1024
# While the store cannot be written, between attempts: from, doubled, to. Seconds.
BACK_OFF = (0.1, 5.0)

NOTHING = Reached(0, 0.0)


class _Entry:
    """What will be one entry: an event, or steps (the first of which is `t`), to which more may be added."""

    def __init__(self, bodies: list[bytes], size: int, t: int = 0, at: float = 0.0) -> None:
        self.bodies, self.size, self.t, self.at = bodies, size, t, at

    def body(self) -> bytes:
        return invocation.block(self.bodies, self.t, self.at)


class Chain:
    """Writes stream `name`, new unless `last` is its end and `so_far` how far it had come. `t` counts steps; `run` it
    in a task, until it is ended. `wrote` hears of what is in the log; `patience` is how long it may be kept from
    writing (seconds; None: for ever), and `window` the bytes that may wait before there is no `room`. `append_now` is
    the log's append where it has one that nobody need wait for: a task's turn less for each step."""

    def __init__(
        self,
        name: str,
        log: EventLog,
        clock: Callable[[], float],
        *,
        last: Cursor = ZERO,
        so_far: Reached = NOTHING,
        wrote: Callable[[Sequence[Record]], None] = lambda _: None,
        patience: float | None = None,
        window: int = MAX_WAITING,
        append_now: Callable[[str, Cursor, Sequence[Record]], object] | None = None,
    ) -> None:
        self.name, self.t = name, so_far.t
        self.acknowledged = last
        self.term = next_term(last.term, clock())
        self._log, self._clock, self._wrote, self._patience = log, clock, wrote, patience
        self._window = min(window, MAX_WAITING)
        self._at = so_far.at
        self._waiting: list[_Entry] = []
        self._open: _Entry | None = None  # the last one, while steps may be added to it
        self._size = 0
        self._ended = self._lost = False
        self._append_now = append_now
        self._turn: asyncio.Handle | None = None  # this turn of the loop's end, if anything was told in it
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    @property
    def ended(self) -> bool:
        """Whether its end has been told."""
        return self._ended

    def step(self, members: Sequence[bytes]) -> None:
        """The next steps; the members of each as a JSON object. Raises `LogError` (`too_large`)."""
        if self._ended or not members:
            return
        at = self._now()
        _check_size(max(map(len, members)))
        bodies = invocation.steps(members, self.t + 1, at)
        self.t += len(bodies)
        self._add_steps(bodies, self.t - len(bodies) + 1, at)

    def tell(self, event: Event) -> None:
        """Anything but a step. After an end nothing is told. Raises `LogError` (`too_large`)."""
        if self._ended:
            return
        at = self._now()
        body = codec.encode_body(event, at)
        _check_size(len(body))
        self._ended = invocation.is_end(body)
        self._open = None
        self._wait(_Entry([body], len(body)))

    async def room(self) -> None:
        """Until there is room for more."""
        await self._room.wait()

    def lose(self) -> None:
        """The stream is another's: write nothing more."""
        self._lost = True
        self._news.set()

    async def run(self) -> None:
        """Write what is told, until the end is in the log. Raises `LogError`, as `Conflict` when another has written
        and `LogUnavailable` when patience is over."""
        while not (self._ended and not self._waiting):
            if self._lost:
                raise Conflict(f"{self.name} is another's.")
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
            await self.commit(patience=self._patience)

    async def commit(self, *, patience: float | None = 0.0) -> None:
        """Append what waits; then it is durable. Raises like `run`."""
        while self._waiting:
            batch = self._batch()
            await self._append(batch, patience)
            self._written(batch)

    def _commit_now(self) -> None:
        """The same in this turn of the loop; what cannot be written now is left to `run`."""
        assert self._append_now
        try:
            while self._waiting and not self._lost:
                batch = self._batch()
                self._append_now(self.name, self.acknowledged, batch)
                self._written(batch)
        except LogError:
            self._append_now = None
            self._news.set()

    def _written(self, batch: list[Record]) -> None:
        done, self._waiting = self._waiting[: len(batch)], self._waiting[len(batch) :]
        self.acknowledged = batch[-1].cursor
        self._wrote(batch)
        self._size -= sum(entry.size for entry in done)
        if self._size < self._window:
            self._room.set()

    def _now(self) -> float:
        self._at = max(self._clock(), self._at)
        return self._at

    def _add_steps(self, bodies: list[bytes], t: int, at: float) -> None:
        """Behind the steps that wait last, as long as they make one entry."""
        size = sum(map(len, bodies))
        if self._open and self._open.size + size <= BLOCK:
            self._open.bodies += bodies
            self._open.size += size
            self._grow(size)
        elif size <= BLOCK or len(bodies) == 1:
            self._open = _Entry(bodies, size, t, at)
            self._wait(self._open)
        else:
            half = len(bodies) // 2
            self._add_steps(bodies[:half], t, at)
            self._add_steps(bodies[half:], t + half, at)

    def _wait(self, entry: _Entry) -> None:
        self._waiting.append(entry)
        self._grow(entry.size)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size >= self._window:
            self._room.clear()
        if self._append_now is None or self._ended:
            self._news.set()
        if self._append_now and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._end_turn)
            self._commit_now()

    def _end_turn(self) -> None:
        self._turn = None
        if self._append_now:
            self._commit_now()

    def _batch(self) -> list[Record]:
        """As many of the entries that wait as one append takes; nothing is added to them any more."""
        self._open = None
        taken, size = 0, 0
        for entry in self._waiting:
            size += entry.size + len(entry.bodies) + BLOCK // 512  # their commas, and a block's own members
            if taken and size > MAX_BATCH_BYTES:
                break
            taken += 1
        first = self.acknowledged.seq + 1
        return [
            Record(Cursor(self.term, seq), entry.body())
            for seq, entry in enumerate(self._waiting[:taken], first)
        ]

    async def _append(self, batch: list[Record], patience: float | None) -> None:
        """The same batch again after an unclear outcome is settled by the store."""
        pause, longest = BACK_OFF
        waited = 0.0
        while True:
            try:
                await self._log.append(self.name, self.acknowledged, batch)
                return
            except LogUnavailable as error:
                if patience is not None and waited >= patience:
                    raise
                if not waited:
                    log.warning("%s waits for the store: %s", self.name, error.detail)
                await asyncio.sleep(pause)
                waited += pause
                pause = min(pause * 2, longest)


def _check_size(size: int) -> None:
    if size > MAX_TOLD:
        raise LogError(f"The tool told {size} bytes at once; at most {MAX_TOLD} are kept.", code="too_large")
