"""Bytes in, replies out, and the deadline of each exchange. What a real server does is in `test_log_redis.py`."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, ResponseError

from roundtable.log.redis_wire import Arg, Reply, Wire
from tests.fake_time import run

ANSWERS = b"*2\r\n$3\r\none\r\n*-1\r\n-ERR no such thing\r\n:5\r\n"
ASKED: list[tuple[Arg, ...]] = [("XREAD", "k"), ("EVALSHA", b"\xff"), ("XLEN", 5)]
LONG = 1e9  # a deadline that nobody reaches


class Socket(asyncio.Transport):
    """Keeps what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def told(replies: list[Reply]) -> str:
    return repr(replies)  # errors compare by identity


@pytest.mark.parametrize("at", range(1, len(ANSWERS)))
async def test_answers_may_come_in_any_pieces(at: int) -> None:
    socket = Socket()
    wire = Wire(socket)
    asked = wire.ask(ASKED, LONG)
    wire.data_received(ANSWERS[:at])
    assert not asked.done()
    wire.data_received(ANSWERS[at:])
    assert told(await asked) == told([[b"one", None], ResponseError("no such thing", status_code="ERR"), 5])
    assert wire.usable
    assert socket.sent.endswith(b"*2\r\n$7\r\nEVALSHA\r\n$1\r\n\xff\r\n*2\r\n$4\r\nXLEN\r\n$1\r\n5\r\n")


@pytest.mark.parametrize("said", [b":1\r\n", b"*2\r\n:1\r\n"])
async def test_what_nobody_asked_for_is_no_answer_to_the_next(said: bytes) -> None:
    wire = Wire(Socket())
    wire.data_received(said)
    assert not wire.usable
    surplus = Wire(Socket())
    asked = surplus.ask([("PING",)], LONG)
    surplus.data_received(b"+PONG\r\n" + said)
    assert await asked == [b"PONG"]
    assert not surplus.usable


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", InvalidResponse),
        (b":1\r\n-LOADING Redis is loading the dataset in memory\r\n", Disconnected),
    ],
)
async def test_a_connection_of_no_use_fails_and_is_not_used_again(
    said: bytes, failure: type[Exception]
) -> None:
    wire = Wire(Socket())
    asked = wire.ask(ASKED, LONG)
    wire.data_received(said)
    with pytest.raises(failure):
        await asked
    assert not wire.usable


async def test_who_waits_hears_that_the_server_hung_up() -> None:
    for reason in (None, ConnectionResetError("reset by peer")):
        wire = Wire(Socket())
        asked = wire.ask(ASKED, LONG)
        wire.connection_lost(reason)
        with pytest.raises(type(reason) if reason else Disconnected):
            await asked
        idle = Wire(Socket())
        idle.eof_received()
        idle.connection_lost(reason)
        assert not idle.usable


def test_each_exchange_has_its_own_deadline() -> None:
    async def scene() -> None:
        clock = asyncio.get_running_loop().time
        wire = Wire(Socket())
        asked = wire.ask([("PING",)], clock() + 4)
        wire.data_received(b"+PONG\r\n")
        await asked
        await asyncio.sleep(3)
        asked = wire.ask([("PING",)], clock() + 4)  # 7, while the first timer stands at 4
        await asyncio.sleep(3.9)
        assert not asked.done()
        wire.data_received(b"+PONG\r\n")
        await asked
        await asyncio.sleep(10)
        assert wire.usable  # nobody waited when the timer rang
        for seconds in (4, 1):
            again = Wire(Socket())
            again.ask([("PING",)], clock() + 4)
            again.data_received(b"+PONG\r\n")
            began, asked = clock(), again.ask([("PING",)], clock() + seconds)
            with pytest.raises(TimeoutError):
                await asked
            assert clock() - began == pytest.approx(seconds)
            assert not again.usable

    run(scene())
