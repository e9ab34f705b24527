"""Steps as they are logged together and told apart, whatever a tool says in them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import invocation, sse
from protocol.cursor import Cursor
from protocol.errors import LogDamaged
from roundtable.edge.invoking.strands import Strand
from roundtable.fanout.framing import INVOCATION, EventStream, encode, pieces
from roundtable.log.base import Record
from tests.tables import AT, TERM

OURS = ("type", "at", "t", "stream", "cursor")
NAMES = st.text(max_size=5).filter(lambda name: name not in OURS)
VALUES = st.dictionaries(NAMES, st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=9)), max_size=3)
STEPS = st.lists(VALUES, min_size=1, max_size=9)


def record(steps: list[Any], t: int) -> Record:
    members = [invocation.members(each) for each in steps]
    assert invocation.are_objects(members)
    return Record(Cursor(TERM, 7), invocation.block(invocation.steps(members, t, AT), t, AT))


@given(STEPS, st.integers(1, 10**9))
def test_what_was_logged_together_is_told_apart(steps: list[Any], t: int) -> None:
    logged = record(steps, t)
    wire = encode(INVOCATION, EventStream(), [logged])
    assert wire == b"".join(pieces(INVOCATION.frames, EventStream(), logged)), "as the slow way does"
    frames = list(sse.Decoder().feed(wire))
    said = [msgspec.json.decode(frame.data) for frame in frames]
    assert [each.pop("t") for each in said] == list(range(t, t + len(steps)))
    assert [{name: each[name] for name in each if name not in OURS} for each in said] == steps
    last = len(steps)
    assert [frame.id for frame in frames] == [
        str(Cursor(TERM, 7, part if part < last else 0)) for part in range(1, last + 1)
    ]
    assert invocation.reached(logged.body) == (t + last - 1, AT)


@given(STEPS, st.integers(0, 9), st.integers(1, 200))
def test_a_strand_sends_as_much_as_its_credit_and_skips_what_was_had(
    steps: list[Any], skip: int, size: int
) -> None:
    strand, whole = Strand("a", credit=2), Strand("a")
    for each, skipped in ((strand, skip), (whole, 0)):
        each.tell([record(steps, 1)], skipped)
    left = max(0, len(steps) - skip)
    sent = [strand.cut(size)]
    while strand.ready:
        sent.append(strand.cut(size))
    assert strand.credit == max(0, 2 - left)
    everything = []
    while whole.ready:
        everything.append(whole.cut(1))
    assert b"".join(sent) == b"".join(everything[skip : skip + 2])


@pytest.mark.parametrize(
    "members",
    [
        b"",
        b"[]",
        b"1",
        b'{"a":1',
        b'{"a":1}\n',
        b' {"a":1}',
        b'{"a":\r1}',
        b'{"a":1},{"b":2}',
        b'{"a":\xff}',
        *(b'{"a":1,"%b":%b}' % (name.encode(), value) for name in OURS for value in (b"1", b'""', b"null")),
    ],
)
def test_what_is_no_object_in_one_line_is_not_logged(members: bytes) -> None:
    assert not invocation.are_objects([b"{}", members])


@pytest.mark.parametrize("body", [b'{"type":"steps","at":1.0,"t":1,"steps":3}', b'{"type":"steps"'])
def test_what_is_damaged_is_said_to_be(body: bytes) -> None:
    for read in (invocation.shown, invocation.reached, invocation.unpack):
        with pytest.raises(LogDamaged):
            read(body)


def test_a_step_that_was_written_in_lines_still_makes_whole_frames() -> None:
    body = b'{"type":"steps","at":1.0,"t":1,"steps":[{"type":"step","t":1},\n{"type":"step",\r"t":2}]}'
    frames = list(sse.Decoder().feed(encode(INVOCATION, EventStream(), [Record(Cursor(TERM, 3), body)])))
    assert [msgspec.json.decode(frame.data)["t"] for frame in frames] == [1, 2]
