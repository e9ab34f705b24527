"""The one pen of an invocation: what happens while an append is under way goes together in the next.

After the end nothing is written any more: whoever comes first ends it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

from protocol import codec, invocation
from protocol.cursor import ZERO, Cursor, next_term
from protocol.errors import LogUnavailable
from protocol.events import Event
from roundtable.log.base import MAX_BATCH_BYTES, EventLog, Record

log = logging.getLogger("roundtable.invocations")

# Steps in one entry, as bytes: what a reader takes at once.
BLOCK = 64 * 1024
# What may wait to be written before the tool is asked for no more. Bytes.
MAX_WAITING = 2 * MAX_BATCH_BYTES
# While the store cannot be written, between attempts: from, doubled, to. Seconds.
BACK_OFF = (0.1, 5.0)


class _Told(NamedTuple):
    is_step: bool
    t: int
    at: float
    body: bytes


class Chain:
    """Writes stream `name`, new unless `last` is its end. `t` counts steps; `run` it in a task, until it is ended."""

    def __init__(
        self, name: str, log: EventLog, clock: Callable[[], float], *, last: Cursor = ZERO, t: int = 0
    ) -> None:
        self.name, self.t = name, t
        self.acknowledged = last
        self.on_written: Callable[[int, int], None] = lambda _seq, _size: None
        """Told of each entry in the log: its number and its bytes."""
        self._term = next_term(last.term, clock())
        self._log, self._clock = log, clock
        self._at = 0.0
        self._waiting: list[_Told] = []
        self._size = 0
        self._ended = False
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self.written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the end is in the log."""

    @property
    def ended(self) -> bool:
        """Whether its end has been told."""
        return self._ended

    def step(self, members: bytes) -> None:
        """The next step; its members as a JSON object."""
        if not self._ended:
            self.t += 1
            at = self._now()
            self._wait(True, at, invocation.step(self.t, at, members))

    def tell(self, event: Event) -> None:
        """Anything but a step. After an end nothing is told."""
        if not self._ended:
            at = self._now()
            body = codec.encode_body(event, at)
            self._ended = codec.body_type(body) in invocation.ENDINGS
            self._wait(False, at, body)

    async def room(self) -> None:
        """Until there is room for more."""
        await self._room.wait()

    async def run(self) -> None:
        """Write what is told, until the end is in the log. Raises `Conflict` when another has written."""
        while not (self._ended and not self._waiting):
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
            await self.commit()
        self.written.set_result(None)

    async def commit(self, *, patient: bool = True) -> None:
        """Append what waits; then it is durable."""
        while self._waiting:
            batch = self._batch()
            await self._append(batch, patient=patient)
            self.acknowledged = batch[-1].cursor
            for cursor, body in batch:
                self.on_written(cursor.seq, len(body))
            self._room.set()

    def _now(self) -> float:
        self._at = max(self._clock(), self._at)
        return self._at

    def _wait(self, is_step: bool, at: float, body: bytes) -> None:
        self._waiting.append(_Told(is_step, self.t, at, body))
        self._size += len(body)
        if self._size >= MAX_WAITING:
            self._room.clear()
        self._news.set()

    def _batch(self) -> list[Record]:
        """What waits, in as few entries as it fits, and no more than one append takes."""
        taken, size = 0, 0
        for told in self._waiting:
            size += len(told.body)
            if taken and size > MAX_BATCH_BYTES * 3 // 4:  # the rest is for the blocks' own bytes
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._size -= sum(len(told.body) for told in batch)
        first = self.acknowledged.seq + 1
        return [Record(Cursor(self._term, seq), body) for seq, body in enumerate(_entries(batch), first)]

    async def _append(self, batch: list[Record], *, patient: bool) -> None:
        """The same batch again after an unclear outcome is settled by the store."""
        pause, longest = BACK_OFF
        while True:
            try:
                await self._log.append(self.name, self.acknowledged, batch)
                return
            except LogUnavailable as error:
                if not patient:
                    raise
                if pause == BACK_OFF[0]:
                    log.warning("%s waits for the store: %s", self.name, error.detail)
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)


def _entries(told: list[_Told]) -> Iterator[bytes]:
    """Bodies to be logged: steps that stand together in blocks, everything else by itself."""
    block = list[_Told]()
    size = 0
    for each in told:
        if block and (not each.is_step or size + len(each.body) > BLOCK):
            yield _block(block)
            block, size = [], 0
        if each.is_step:
            block.append(each)
            size += len(each.body)
        else:
            yield each.body
    if block:
        yield _block(block)


def _block(block: list[_Told]) -> bytes:
    if len(block) == 1:
        return block[0].body
    return invocation.steps([each.body for each in block], block[0].t, block[0].at)
