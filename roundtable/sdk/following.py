"""One reader of one event stream of ours over as many connections as it takes: each entry once, in order.

Knows no HTTP: `connect` gives the bytes of a stream that begins after a cursor. It keeps WHATWG HTML, section 9.2
(`Last-Event-ID`, `retry`, 204), with our `end`, `reset` and `hb` on top.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager
from math import inf

import msgspec

from protocol import sse
from protocol.cursor import Cursor
from protocol.errors import Invalid, RoundtableError
from roundtable.log.base import Record
from roundtable.sdk.backoff import Backoff
from roundtable.sdk.refusals import Unreachable

Connect = Callable[[Cursor], AbstractAsyncContextManager[AsyncIterator[bytes] | None]]
"""Opens the stream after a cursor; None says that there is nothing more to come (204). Raises `Unreachable`, also from
the iterator, and what the server refuses with."""


class Reset(RoundtableError):
    """The log no longer holds the cursor that was to be resumed after: what was read may not have happened.

    Drop it, read the transcript, which is at `cursor` or later, and go on after the transcript's own cursor.
    """

    code = "reset"

    def __init__(self, reason: str, cursor: Cursor) -> None:
        super().__init__(
            f"The log no longer holds what was read ({reason[:60]}); begin again from the transcript."
        )
        self.reason, self.cursor = reason, cursor


class _Told(msgspec.Struct):
    reason: str
    cursor: str


_told_decoder = msgspec.json.Decoder(_Told)


class Following:
    """`patience`: seconds without a sign of life after which it gives up; None is never. `link` is told why the
    connection was lost, and `""` when it stands again.

    `dense`: every entry of the log comes, in one frame each. Otherwise some may be left out, and one may come in parts,
    at `term-seq.k` and at last `term-seq`. `endings` are the events after which nothing comes, where no `end` says so.
    """

    def __init__(
        self,
        connect: Connect,
        after: Cursor,
        *,
        patience: float | None,
        link: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
        dense: bool = True,
        endings: Collection[str] = (),
    ) -> None:
        self._connect, self._at = connect, Cursor(after.term, after.seq) if dense else after
        self._dense, self._endings = dense, endings
        self._patience, self._link, self._sleep, self._clock = patience, link, sleep, clock
        self._backoff = Backoff()
        self._alive: float | None = None  # when the server last gave a sign of life; None before the first
        self._lost = self._ended = False

    async def records(self) -> AsyncGenerator[Record]:
        """What follows, to the table's end. The first attempt raises what goes wrong; later ones only what no retry
        mends, or the last reason when patience has run out, and `Reset`."""
        while True:
            decoder = sse.Decoder()
            why: RoundtableError = Unreachable("The server ended the stream.")
            try:
                async with self._connect(self._at) as pieces:
                    self._connected()
                    if pieces is None:
                        return
                    async for piece in pieces:
                        for record in self._taken(decoder, piece):
                            yield record
                        if self._ended:
                            return
                        self._moved(decoder.last_id)
            except Reset:
                raise
            except RoundtableError as error:
                if self._alive is None or not error.retryable:
                    raise
                why = error
            if self._ended:
                return
            await self._pause(why, decoder.retry)

    def _connected(self) -> None:
        if self._alive is None:
            self._alive = self._clock()
        if self._lost:
            self._lost = False
            self._link("")

    def _taken(self, decoder: sse.Decoder, piece: bytes) -> Iterator[Record]:
        for frame in decoder.feed(piece):
            if frame.event == "end":
                self._ended = True
            elif frame.event == "reset":
                raise _reset(frame)
            elif frame.event == "hb":
                self._progressed()
            elif frame.id and (record := self._next(frame.id, frame.data)):
                self._progressed()
                self._ended = frame.event in self._endings
                yield record

    def _next(self, identity: str, data: str) -> Record | None:
        """The record, unless we have it. A gap is a connection that cannot be trusted."""
        cursor = _cursor(identity)
        if _place(cursor) <= _place(self._at):
            return None
        if not self._follows(cursor):
            raise Unreachable(f"The stream jumped from {self._at} to {cursor}.")
        self._at = cursor
        return Record(cursor, data.encode())

    def _follows(self, cursor: Cursor) -> bool:
        if self._dense:
            return cursor.seq == self._at.seq + 1 and not cursor.part
        part = self._at.part + 1 if cursor.seq == self._at.seq else 1
        return cursor.part in (0, part)

    def _moved(self, identity: str) -> None:
        """A bare `id:` moves a reader over what he is not shown."""
        if not self._dense and identity and _place(cursor := _cursor(identity)) > _place(self._at):
            self._at = cursor

    def _progressed(self) -> None:
        self._alive = self._clock()
        self._backoff.progressed()

    async def _pause(self, why: RoundtableError, retry: int | None) -> None:
        assert self._alive is not None, "a connection stood"
        if self._patience is not None and self._clock() - self._alive > self._patience:
            raise why
        if not self._lost:
            self._lost = True
            self._link(why.detail)
        told = None if retry is None else retry / 1000
        await self._sleep(self._backoff.wait(told))


def _cursor(identity: str) -> Cursor:
    try:
        return Cursor.parse(identity)
    except Invalid as error:
        raise Unreachable(f"The server sent what is no cursor: {identity[:60]!r}.") from error


def _place(cursor: Cursor) -> tuple[int, float]:
    """How far a reader is who has come to `cursor`: the whole entry is behind all its parts."""
    return cursor.seq, cursor.part or inf


def _reset(frame: sse.Frame) -> RoundtableError:
    try:
        told = _told_decoder.decode(frame.data)
        return Reset(told.reason, Cursor.parse(told.cursor))
    except (msgspec.MsgspecError, Invalid):
        return Unreachable("The server sent a reset that cannot be read.")
