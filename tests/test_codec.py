"""Bodies: what is written is read again, and what cannot be read is named."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import codec, commands
from protocol import events as e
from protocol.cursor import Cursor
from protocol.errors import Invalid, LogDamaged
from protocol.messages import Cost, Failure, Limits, Panelist, Usage

AT = 1763675000.5
EVENTS = [
    e.TermBegan(owner="here"),
    e.TableOpened(
        table="x", topic="Why?", panel=[Panelist("Ada", "scripted:a")], policy="round_robin", limits=Limits()
    ),
    e.TablePaused(reason="command", command="k", inbox=1),
    e.TurnQueued(turn="t1", panelist="Ada"),
    e.TurnDelta(turn="t1", panelist="Ada", attempt=1, text=' \u2028"\\\n', chunks=[(2, 0), (3, 17)]),
    e.TurnCompleted(turn="t1", panelist="Ada", text="x", usage=Usage(3, 4), cost=Cost(0.1)),
    e.TurnFailed(turn="t1", panelist="Ada", error=Failure("timeout", "Too slow.", True)),
    e.CommandSubmitted(key="k", command=commands.Say("hi", to="Ada")),
]


@pytest.mark.parametrize("event", EVENTS, ids=codec.event_type)
def test_an_event_survives_and_its_type_and_time_stand_first(event: e.Event) -> None:
    body = codec.encode_body(event, AT)
    assert codec.decode_body(Cursor(1, 1), body) == e.Entry(Cursor(1, 1), AT, event)
    assert codec.body_type(body).decode() == codec.event_type(event)
    assert list(json.loads(body))[:2] == ["type", "at"]
    assert b"\n" not in body  # so a body is one line of SSE data


def test_a_delta_looks_as_the_contract_says() -> None:
    body = codec.encode_body(e.TurnDelta(turn="t3", panelist="Ada", attempt=1, text=" and"), AT)
    expected = {"type": "turn.delta", "at": AT, "turn": "t3", "panelist": "Ada", "attempt": 1, "text": " and"}
    assert json.loads(body) == expected


def test_an_unknown_event_keeps_its_bytes() -> None:
    body = b'{"type":"mood.sensed","at":5,"claim":"c1","later":[1]}'
    entry = codec.decode_body(Cursor(1, 1), body)
    assert entry.event == e.Unknown(type="mood.sensed", body=body)
    assert codec.encode_body(entry.event, 99.0) == body
    assert codec.event_type(entry.event) == "mood.sensed"


def test_a_known_event_may_have_gained_members() -> None:
    body = codec.encode_body(EVENTS[0], AT)[:-1] + b',"since":3}'
    assert codec.decode_body(Cursor(1, 1), body).event == EVENTS[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"type":"turn.delta"}',
        b'{"type":"turn.delta","at":1}',
        b'{"type":7,"at":1}',
    ],
)
def test_what_is_no_event_is_damage(body: bytes) -> None:
    with pytest.raises(LogDamaged):
        codec.decode_body(Cursor(1, 1), body)


@given(st.binary(max_size=60))
def test_no_bytes_do_worse_than_damage(body: bytes) -> None:
    with contextlib.suppress(LogDamaged):
        codec.decode_body(Cursor(1, 1), body)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b'{"type":"say","text":3}', "text"),
        (b'{"type":"say"}', "text"),
        (b'{"type":"say","text":"x","tone":1}', "tone"),
        (b'{"type":"shout"}', "type"),
        (b'{"text":"x"}', "type"),
        (b"[]", ""),
        (b"{", ""),
        (b'{"type":"say","text":"\xff"}', ""),
    ],
)
def test_a_wrong_command_names_its_field(data: bytes, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        codec.decode_command(data)
    assert caught.value.field == field


def test_every_event_has_a_tag_of_its_own() -> None:
    tags = [struct.__struct_config__.tag for struct in e.KNOWN.__args__]
    assert len(set(tags)) == len(tags)
    assert all(issubclass(struct, msgspec.Struct) for struct in e.KNOWN.__args__)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"type":"a","id":"x"}', b'{"id":"1-2","type":"a","own_id":"x"}'),
        (b'{"type":"a","message":{"id":"x"}}', b'{"id":"1-2","type":"a","message":{"id":"x"}}'),
        (b'{"type":"a","text":"\\"id\\":1"}', b'{"id":"1-2","type":"a","text":"\\"id\\":1"}'),
        (b'{"type":"a","id":', b'{"id":"1-2","type":"a","id":'),
    ],
    ids=["own", "nested", "said", "damaged"],
)
def test_the_id_of_a_message_is_its_place(data: bytes, told: bytes) -> None:
    assert codec.message(Cursor(1, 2), data) == told
