"""The one pen of a table: what follows is noted at once, and appended to the log together.

A noted event is checked by the fold before it can be written, so an illegal log cannot be.
"""

import asyncio
import logging
from collections.abc import Callable

from protocol import events as e
from protocol.codec import encode_body
from protocol.cursor import ZERO, Cursor, next_term
from protocol.errors import LogUnavailable
from protocol.transcript import Transcript, apply
from roundtable.log.base import MAX_BATCH_BYTES, EventLog, Record

log = logging.getLogger("roundtable.writer")

# While the store cannot be written the table waits, and tries again after so many seconds: from, doubled, to.
BACK_OFF = (0.1, 5.0)


class Writer:
    """Writes stream `stream` from `transcript`, the fold of all it holds, on; a new one by default.

    `transcript` is as it will be when what is noted has been appended; `acknowledged` is the last place in the log.
    """

    def __init__(
        self, stream: str, log: EventLog, clock: Callable[[], float], transcript: Transcript | None = None
    ) -> None:
        self.transcript = transcript or Transcript()
        self._stream = stream
        self._log = log
        self._clock = clock
        self.acknowledged = Cursor.parse(self.transcript.cursor)
        self._next = ZERO
        self._noted: list[Record] = []

    @property
    def last(self) -> Cursor:
        """The place of the last event noted."""
        return Cursor.parse(self.transcript.cursor)

    def begin_term(self, owner: str, *, lost: int = 0, at: float | None = None) -> None:
        """Note that `owner` has taken the stream, which has lost so many acknowledged entries; a new term begins."""
        self._next = Cursor(next_term(self.acknowledged.term, self._clock()), self.acknowledged.seq + 1)
        self.note(e.TermBegan(owner=owner, lost=lost), at)

    def note(self, event: e.Event, at: float | None = None) -> None:
        """Put an event behind what is noted; `at` is now, in Unix seconds, unless given. Raises `IllegalMove`."""
        when = max(self._clock() if at is None else at, self.transcript.at)
        apply(self.transcript, e.Entry(self._next, when, event))
        self._noted.append(Record(self._next, encode_body(event, when)))
        self._next = self._next.next()

    async def commit(self, *, patient: bool = True) -> None:
        """Append what is noted, in batches that any store takes; then it is durable.

        Raises `Conflict` when another owner has written. While the store is away a patient writer waits for it, and
        another raises `LogUnavailable`.
        """
        while self._noted:
            batch = self._batch()
            await self._append(batch, patient=patient)
            self.acknowledged = batch[-1].cursor

    def _batch(self) -> list[Record]:
        size, count = len(self._noted[0].body), 1
        for record in self._noted[1:]:
            size += len(record.body)
            if size > MAX_BATCH_BYTES:
                break
            count += 1
        batch, self._noted = self._noted[:count], self._noted[count:]
        return batch

    async def _append(self, batch: list[Record], *, patient: bool) -> None:
        """The same batch again after an unclear outcome is settled by the store."""
        pause, longest = BACK_OFF
        while True:
            try:
                await self._log.append(self._stream, self.acknowledged, batch)
                return
            except LogUnavailable as error:
                if not patient:
                    raise
                if pause == BACK_OFF[0]:
                    log.warning("%s waits for the store: %s", self._stream, error.detail)
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)
