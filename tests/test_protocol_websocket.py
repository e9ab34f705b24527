"""Frames as a client's parser reads them, cut anywhere."""

import asyncio

import pytest
from aiohttp import WSMessage, WSMsgType
from aiohttp._websocket.models import WSMessageTextBytes
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import WebSocketReader
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol import events as e
from protocol import websocket
from protocol.cursor import Cursor
from roundtable.fanout.framing import FULL, MessageStream, View, encode, pieces
from roundtable.log.base import Record
from tests.fake_time import run
from tests.readers import delta, records

FRAMING = MessageStream()
Message = WSMessage | WSMessageTextBytes


def parse(*chunks: bytes) -> list[Message]:
    """What a real client makes of the chunks, which end with a whole frame."""

    async def scene() -> list[Message]:
        loop = asyncio.get_running_loop()
        queue = WebSocketDataQueue(BaseProtocol(loop), 1 << 30, loop=loop)
        reader = WebSocketReader(queue, 0, compress=False, decode_text=True)
        for chunk in chunks:
            assert reader.feed_data(chunk) == (False, b"")
        return [await queue.read() for _ in range(len(queue._buffer))]

    return run(scene())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_message_of_any_size_is_one_frame(size: int) -> None:
    wire = websocket.text(b"x" * size)
    assert parse(wire) == [WSMessage(WSMsgType.TEXT, "x" * size, "")]
    assert len(wire) - size == (2 if size < 126 else 4 if size < 1 << 16 else 10)


def test_frames_may_be_cut_at_every_byte() -> None:
    wire = (
        websocket.ping()
        + websocket.text(b"a" * 130)
        + websocket.pong(b"here?")
        + websocket.text("Schluß".encode())
        + websocket.close(4408, "Schluß")
    )
    whole = parse(wire)
    assert [message.data for message in whole] == [b"", "a" * 130, b"here?", "Schluß", 4408]
    assert whole[-1].extra == "Schluß"
    assert parse(*[bytes([byte]) for byte in wire]) == whole
    for at in range(1, len(wire)):
        assert parse(wire[:at], wire[at:]) == whole


@settings(max_examples=50)
@given(st.text(max_size=200))
def test_a_reason_is_cut_between_characters_to_what_fits(reason: str) -> None:
    wire = websocket.close(1001, reason.encode(errors="ignore").decode())
    assert len(wire) <= 2 + websocket.MAX_CONTROL
    (close,) = parse(wire)
    assert close.data == 1001
    assert close.extra is not None
    assert reason.encode(errors="ignore").decode().startswith(close.extra)


# The framing of entries


def test_the_fast_way_to_frame_equals_the_slow_one() -> None:
    made = records([delta('" and\n\u2028"'), e.RoundStarted(round=1), delta("x" * 70_000)])
    made.append(Record(Cursor(7, 4), b'{"type":"later.thing","at":1.000000,"x":1}'))
    slow = View("slow", FULL.frames)
    assert encode(FULL, FRAMING, made) == encode(slow, FRAMING, made)
    assert parse(encode(FULL, FRAMING, made[-1:]))[0].data == (
        '{"id":"7-4","type":"later.thing","at":1.000000,"x":1}'
    )


def test_only_what_moves_the_reader_has_an_id() -> None:
    beat = parse(FRAMING.notice(b"hb", b'{"type":"hb"}'))
    assert [message.type for message in beat] == [WSMsgType.PING, WSMsgType.TEXT]
    assert beat[1].data == '{"type":"hb"}'
    assert [message.data for message in parse(FRAMING.notice(b"end", b'{"type":"end"}'))] == [
        '{"type":"end"}'
    ]
    assert parse(FRAMING.mark(Cursor(7, 4)))[0].json() == {"id": "7-4", "type": "mark"}


def test_parts_are_numbered_and_the_last_is_the_entry() -> None:
    spoken = replace(delta("Hello there."), chunks=[(5, 0), (6, 120), (1, 300)])
    (record,) = records([spoken])
    told = [message.json() for message in parse(*pieces(FULL.parts or FULL.frames, FRAMING, record))]
    at = record.cursor
    assert [message["id"] for message in told] == [f"{at}.1", f"{at}.2", str(at)]
    assert [message["text"] for message in told] == ["Hello", " there", "."]
