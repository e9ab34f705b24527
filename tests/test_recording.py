"""Exports read back, and replayed at their own pace."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import codec
from protocol import events as e
from protocol.cursor import Cursor
from protocol.errors import Invalid
from roundtable import exporting, recording
from roundtable.cli.replay import play
from roundtable.fanout.pacing import Tempo
from roundtable.log.base import Record
from tests.command_line import SCENE, records
from tests.tables import AT, TERM

T1: dict[str, Any] = {"turn": "t1", "panelist": "Ada", "attempt": 1}


def read(data: bytes) -> list[Record]:
    return list(recording.read(io.BytesIO(data)))


def test_what_was_exported_is_read_back_byte_for_byte() -> None:
    assert read(exporting.lines(records(SCENE))) == records(SCENE)


@given(
    st.dictionaries(
        st.text().filter(lambda name: name not in {"id", "type", "at"}), st.integers() | st.text()
    )
)
def test_an_event_of_a_later_version_comes_back_as_it_was(members: dict[str, Any]) -> None:
    record = Record(Cursor(7, 1), codec.encode({"type": "x.y", "at": 1.0, **members}))
    assert read(exporting.lines([record])) == [record]


def test_another_program_may_have_ordered_the_members() -> None:
    entries = [json.loads(line) for line in exporting.lines(records(SCENE)).split(b"\n")[:-1]]
    shuffled = b"\r\n\n".join(
        json.dumps(dict(reversed(entry.items())), indent=None).encode() for entry in entries
    )
    assert [codec.decode_body(*record) for record in read(shuffled)] == SCENE


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"# Why?\n", "Line 1 is no entry"),
        (b"\xff\xfe\n", "Line 1 is no entry"),
        (b"[" * 100_000, "Line 1 is no entry"),
        (b'{"id":"7-1"}', "Line 1 is no entry"),
        (b'{"id":"seven","type":"x","at":1}', "not a cursor"),
        (b'{"id":"7-1","type":"x","at":1}\n{"id":', "Line 2 is no entry"),
        (b'{"id":"7-1","type":"turn.delta","at":1}', "Line 1 is no entry"),
        (b'{"cursor":"7-1","transcript":{}}', "holds no times"),
    ],
    ids=range(9),
)
def test_what_cannot_be_replayed(data: bytes, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        read(data)


class Stage:
    """A clock that moves only while somebody waits, and what was shown when."""

    def __init__(self) -> None:
        self.now = 100.0
        self.shown: list[tuple[float, str]] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def show(self, record: Record, part: bytes) -> None:
        event = codec.decode_body(record.cursor, part).event
        text = event.text if isinstance(event, e.TurnDelta) else codec.event_type(event)
        self.shown.append((round(self.now - 100, 6), text))

    def play(self, *recorded: Record, **tempo: float) -> list[tuple[float, str]]:
        play(recorded, Tempo(**tempo), self.show, clock=lambda: self.now, sleep=self.sleep)
        return self.shown


def at(seq: int, seconds: float, event: e.Event) -> Record:
    return Record(Cursor(TERM, seq), codec.encode_body(event, AT + seconds))


def test_words_logged_together_come_as_they_were_said() -> None:
    delta = e.TurnDelta(**T1, text="one two three", chunks=[(4, 0), (4, 500), (5, 2000)])
    done = e.TurnCompleted(turn="t1", panelist="Ada", text="")
    shown = Stage().play(at(1, 0, delta), at(2, 3, done), speed=2.0)
    assert shown == [(0, "one "), (0.25, "two "), (1.0, "three"), (1.5, "turn.completed")]


def test_silence_is_cut_and_what_was_left_out_is_none() -> None:
    paused, resumed = e.TablePaused(), e.TableResumed()
    shown = Stage().play(at(1, 0, paused), at(2, 3600, resumed), at(9, 7200, paused), max_gap=5.0)
    assert shown == [(0, "table.paused"), (5, "table.resumed"), (5, "table.paused")]
