"""A replay for one viewer: entries, and the parts they were made of, at the distance in time at which they happened.

It reads the log in small pages, shows what is due, and ends at the table's present, where the channel goes on. Nobody
shares it: no two viewers stand at the same moment.
"""

import asyncio
import contextlib
from collections import deque
from typing import NamedTuple

from protocol.codec import body_type, encode
from protocol.cursor import ZERO, Cursor
from protocol.errors import LogError, WrongState
from protocol.parts import parts
from roundtable.fanout.channel import Channel
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.pacing import Score
from roundtable.log.base import EventLog, Record

# Read from the log at a time, and so what waits in memory for one viewer. Entries, bytes (a single entry may be more).
PAGE, PAGE_BYTES = 64, 64 * 1024
# What is due at once goes in one piece, of so many bytes and one frame at the most.
BURST = 64 * 1024


class _Due(NamedTuple):
    cursor: Cursor
    frame: bytes
    at: float


class Playback:
    """`play` it as the lead-in of `Channel.follow`. What steers it meanwhile raises `WrongState` once that is over,
    and is confirmed by a notice `replay` before anything else is shown."""

    def __init__(self, log: EventLog, channel: Channel, score: Score) -> None:
        self._log, self._channel, self._score = log, channel, score
        self._clock = asyncio.get_running_loop().time
        self._cursor = ZERO
        self._page: deque[_Due] = deque()
        self._news = self._over = False
        self._first = b""  # what a seek brought, shown before what follows it
        self._woken = asyncio.Event()

    async def play(self, outlet: Outlet, cursor: Cursor) -> Cursor:
        """Show what follows `cursor` until the present is reached, or the node sends everyone away.

        Raises `LogError`, and `ConnectionError` like `Outlet.send`.
        """
        self._cursor = cursor
        self._channel.dismissed.add_done_callback(self._wake)
        beat_at = self._clock()
        try:
            while not self._channel.dismissed.done():
                if self._news:
                    await self._send(outlet, self._confirmation())
                elif self._clock() >= beat_at:
                    beat_at = self._clock() + self._channel.heartbeat
                    await self._send(outlet, self._channel.beat())
                elif self._page:
                    frames = self._take(self._clock())
                    await (self._send(outlet, frames) if frames else self._rest(beat_at))
                elif self._cursor.seq >= self._channel.head.seq:
                    break
                else:
                    await self._turn_page()
        finally:
            self._over = True
            self._channel.dismissed.remove_done_callback(self._wake)
        return self._cursor

    def change(self, *, speed: float | None = None, paused: bool | None = None) -> None:
        """Go on at another speed, stand still, or go on."""
        self._check()
        self._score.change(self._clock(), speed=speed, paused=paused)
        self._tell()

    def seek(self, cursor: Cursor, first: bytes) -> None:
        """Go on after the entry `cursor`, once `first` was shown."""
        self._check()
        self._cursor, self._first = cursor, first
        self._page.clear()
        self._score.restart(self._clock())
        self._tell()

    def _check(self) -> None:
        if self._over:
            raise WrongState("The replay has come to the table's present; open another one to go back.")

    def _tell(self) -> None:
        self._news = True
        self._wake()

    def _wake(self, _: object = None) -> None:
        self._woken.set()

    def _confirmation(self) -> bytes:
        tempo, first = self._score.tempo, self._first
        self._news, self._first = False, b""
        told = {
            "type": "replay",
            "speed": tempo.speed,
            "paused": self._score.paused,
            "after": str(self._cursor),
        }
        return self._channel.framing.notice(b"replay", encode(told)) + first

    async def _send(self, outlet: Outlet, frames: bytes) -> None:
        await outlet.send(self._channel.framing.wrap(frames))

    async def _rest(self, beat_at: float) -> None:
        """Until something is due or a heartbeat is, or the replay is steered or sent away."""
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(beat_at, self._score.due(self._page[0].at))):
                await self._woken.wait()

    def _take(self, now: float) -> bytes:
        frames, size = [], 0
        while self._page and size < BURST and self._score.due(self._page[0].at) <= now:
            self._cursor, frame, at = self._page.popleft()
            self._score.show(at, now)
            frames.append(frame)
            size += len(frame)
        return b"".join(frames)

    async def _turn_page(self) -> None:
        """Read on, no further than the channel has come."""
        start = self._cursor
        ahead = self._channel.head.seq - start.seq
        records = await self._log.read(
            self._channel.stream, start.seq, limit=min(PAGE, ahead), max_bytes=PAGE_BYTES
        )
        if not records:
            raise LogError(
                f"{self._channel.stream} holds nothing after {start}, but had {self._channel.head}."
            )
        if self._cursor is start:  # and nobody sought another place meanwhile
            self._page.extend(due for record in records for due in self._parts(record))

    def _parts(self, record: Record) -> list[_Due]:
        at, told = record.cursor, parts(record.body)
        cursors = [Cursor(at.term, at.seq, number % len(told)) for number in range(1, len(told) + 1)]
        frame = self._channel.framing.frame
        return [
            _Due(cursor, frame(cursor, body_type(body), body), when)
            for cursor, (body, when) in zip(cursors, told, strict=True)
        ]
