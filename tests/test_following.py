"""A reader and the ways a connection can end. No sockets: what a server would send is given, cut anywhere."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from protocol import codec, sse
from protocol.codec import body_type
from protocol.cursor import ZERO, Cursor
from protocol.errors import NotFound, RoundtableError
from roundtable.log.base import Record
from roundtable.sdk.backoff import FIRST, LONGEST, LONGEST_TOLD, Backoff
from roundtable.sdk.following import Connect, Following, Reset
from roundtable.sdk.refusals import Unreachable
from tests.tables import ADA, entries, opened, turn

TABLE = [
    Record(entry.cursor, codec.encode_body(entry.event, entry.at))
    for entry in entries([*opened(ADA), *turn(1, "Ada", "Two\u2028lines\nand 🦆.")])
]
Answer = Callable[[Cursor], bytes | RoundtableError | None]

END = sse.encode(b'{"type":"end"}', event="end")
HB = sse.encode(b'{"type":"hb"}', event="hb")


def frame(record: Record) -> bytes:
    return sse.encode(record.body, event="x", id=str(record.cursor))


def after(cursor: Cursor) -> bytes:
    """What a server sends to a reader who has come to `cursor`."""
    return sse.comment() + b"".join(map(frame, TABLE[cursor.seq :])) + END


def server(answer: Answer, asked: list[Cursor]) -> Connect:
    """Connections on which `answer` comes byte by byte, and then the end."""

    @asynccontextmanager
    async def connect(at: Cursor) -> AsyncIterator[AsyncIterator[bytes] | None]:
        asked.append(at)
        wire = answer(at)
        if isinstance(wire, RoundtableError):
            raise wire
        yield None if wire is None else pieces(wire)

    async def pieces(wire: bytes) -> AsyncIterator[bytes]:
        for index in range(len(wire)):
            yield wire[index : index + 1]

    return connect


# An invocation, whose block of three steps is told in parts, and whose first entry nobody is shown.
CHAIN = [
    Record(Cursor(7, 2), b'{"type":"init"}'),
    Record(Cursor(7, 3, 1), b'{"type":"step","t":1}'),
    Record(Cursor(7, 3, 2), b'{"type":"step","t":2}'),
    Record(Cursor(7, 3), b'{"type":"step","t":3}'),
    Record(Cursor(7, 4), b'{"type":"step","t":4}'),
    Record(Cursor(9, 6), b'{"type":"error"}'),
]


def told(records: list[Record]) -> bytes:
    return b"".join(
        sse.encode(each.body, event=body_type(each.body).decode(), id=str(each.cursor)) for each in records
    )


def rest(cursor: Cursor) -> bytes:
    """What a server sends of the invocation after `cursor`."""
    at = (cursor.seq, cursor.part or 99)
    after = [each for each in CHAIN if (each.cursor.seq, each.cursor.part or 99) > at]
    return sse.comment() + HB + sse.encode(id=str(cursor)) + told(after)


class Reading:
    """What one reader got, waited for and was told; time passes only while it waits."""

    def __init__(self, answer: Answer, patience: float | None = None, **options: Any) -> None:
        self.got: list[Record] = []
        self.error: RoundtableError | None = None
        self.asked: list[Cursor] = []
        self.waits: list[float] = []
        self.links: list[str] = []
        self._following = Following(
            server(answer, self.asked), ZERO, patience=patience, link=self.links.append, sleep=self._sleep,
            clock=lambda: sum(self.waits), **options,
        )  # fmt: skip
        asyncio.run(self._read())

    async def _read(self) -> None:
        try:
            async for record in self._following.records():
                self.got.append(record)
        except RoundtableError as error:
            self.error = error

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def in_turn(*answers: bytes | RoundtableError | None) -> Answer:
    left = iter(answers)
    return lambda _: next(left)


def test_a_server_that_cuts_at_every_byte() -> None:
    cut = count()
    reading = Reading(lambda at: after(at)[: next(cut)])
    assert reading.error is None
    assert reading.got == TABLE
    assert len(reading.asked) > 100
    assert reading.asked == sorted(reading.asked)
    assert reading.links[0] == "The server ended the stream."
    assert reading.links.count("") == len(reading.asked) - 1


def test_a_server_that_cuts_an_invocation_at_every_byte() -> None:
    cut = count()
    reading = Reading(lambda at: rest(at)[: next(cut)], dense=False, endings={"error"})
    assert reading.error is None
    assert reading.got == CHAIN
    assert {str(at) for at in reading.asked} >= {"7-2", "7-3.1", "7-3.2", "7-3", "7-4"}


def test_a_part_that_is_missing_is_asked_for_again() -> None:
    reading = Reading(
        in_turn(told(CHAIN[:1] + CHAIN[2:]), rest(CHAIN[0].cursor)), dense=False, endings={"error"}
    )
    assert reading.got == CHAIN
    assert reading.asked == [ZERO, CHAIN[0].cursor]


def test_a_bare_id_moves_the_reader() -> None:
    wire = told(CHAIN[:-1]) + sse.encode(id="9-5")
    reading = Reading(in_turn(wire, rest(Cursor(9, 5))), dense=False, endings={"error"})
    assert reading.got == CHAIN
    assert reading.asked == [ZERO, Cursor(9, 5)]


def test_204_is_the_end() -> None:
    reading = Reading(in_turn(b"".join(map(frame, TABLE)), None))
    assert (reading.got, reading.error) == (TABLE, None)


def test_what_it_has_is_not_given_twice_and_a_gap_is_not_believed() -> None:
    wire = frame(TABLE[0]) + frame(TABLE[1]) + frame(TABLE[0]) + frame(TABLE[1]) + frame(TABLE[3])
    reading = Reading(in_turn(wire, after(TABLE[1].cursor)))
    assert reading.got == TABLE
    assert reading.asked == [ZERO, TABLE[1].cursor]
    assert "jumped" in reading.links[0]


@pytest.mark.parametrize("identity", ["x", "-1-2", "9" * 30 + "-1"])
def test_what_is_no_cursor_is_not_believed(identity: str) -> None:
    wire = frame(TABLE[0]) + sse.encode(TABLE[1].body, id=identity)
    assert Reading(in_turn(wire, after(TABLE[0].cursor))).got == TABLE


def test_a_reset_is_raised_with_where_to_go_on() -> None:
    told = b'{"type":"reset","reason":"unknown_cursor","cursor":"7-3"}'
    reading = Reading(in_turn(frame(TABLE[0]), sse.encode(told, event="reset") + sse.encode(id="7-3")))
    assert isinstance(reading.error, Reset)
    assert (reading.error.reason, reading.error.cursor) == ("unknown_cursor", Cursor(7, 3))


def test_a_reset_that_cannot_be_read_is_no_reset() -> None:
    assert Reading(in_turn(sse.encode(b"{}", event="reset"), after(ZERO))).got == TABLE


def test_the_first_attempt_is_the_only_one() -> None:
    reading = Reading(in_turn(Unreachable("Nobody.")))
    assert isinstance(reading.error, Unreachable)
    assert reading.waits == []


def test_later_only_what_no_retry_mends_ends_it() -> None:
    reading = Reading(in_turn(HB, Unreachable("a"), Unreachable("b"), frame(TABLE[0]), NotFound("Deleted.")))
    assert isinstance(reading.error, NotFound)
    assert reading.got == TABLE[:1]
    assert reading.links == ["The server ended the stream.", "", "The server ended the stream."]


def test_patience_runs_out_when_nothing_comes_but_not_while_something_does() -> None:
    silent = Reading(lambda _: sse.comment(), patience=100)
    assert isinstance(silent.error, Unreachable)
    assert 100 < sum(silent.waits) <= 100 + LONGEST
    beats = iter([HB] * 1000)
    assert Reading(lambda at: next(beats, after(at)), patience=100).got == TABLE


def test_the_servers_word_on_when_to_come_back_is_kept() -> None:
    assert Reading(in_turn(sse.encode(retry=12_345), after(ZERO))).waits == [12.345]


def test_waits_double_at_random_and_stay_bounded() -> None:
    backoff = Backoff(random.Random(7))
    waits = [backoff.wait() for _ in range(2000)]
    assert waits[0] <= FIRST
    assert all(wait <= LONGEST for wait in waits)
    assert max(waits) > 0.99 * LONGEST
    assert len(set(waits)) == len(waits)
    assert backoff.wait(told=1e9) == LONGEST_TOLD
    backoff.progressed()
    assert backoff.wait() <= FIRST
