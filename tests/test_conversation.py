"""How long a silent client is waited for, in fake time."""

import asyncio
from typing import cast

import pytest
from aiohttp import WSMessage, WSMsgType

from roundtable.edge.wires.conversation import ANSWER_WITHIN, MAX_UNDER_WAY, Close, Conversation, Socket
from roundtable.fanout.outlet import Outlet
from tests.fake_time import run
from tests.readers import Pipe

SILENCE = 25.0


class Client:
    """The reading end of a socket: says what it is told to say."""

    def __init__(self) -> None:
        self.said = asyncio.Queue[WSMessage]()

    async def receive(self) -> WSMessage:
        return await self.said.get()

    def say(self, kind: WSMsgType, data: object = b"") -> None:
        self.said.put_nowait(WSMessage(kind, data, ""))


class Scene:
    """A client, what it gets, and when its conversation ends."""

    def __init__(self) -> None:
        self.client, self.pipe = Client(), Pipe()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.outlet = Outlet(self.pipe, self.pipe.drain)
        self.conversation = Conversation(
            cast(Socket, self.client), self.outlet, self.answer, lambda: None, silence=SILENCE
        )
        self.listening = asyncio.create_task(self.conversation.listen())

    async def answer(self, _: bytes) -> bytes:
        await self.may_answer.wait()
        return b"{}"

    async def ended(self) -> tuple[Close | None, float]:
        return await self.listening, asyncio.get_running_loop().time()


def code(close: Close | None) -> int:
    assert close
    return close.code


def test_silence_ends_it() -> None:
    async def scene() -> None:
        close, at = await Scene().ended()
        assert (code(close), at) == (4408, SILENCE)

    run(scene())


@pytest.mark.parametrize("kind", [WSMsgType.PONG, WSMsgType.PING, WSMsgType.TEXT])
def test_any_word_is_a_sign_of_life(kind: WSMsgType) -> None:
    async def scene() -> None:
        talk = Scene()
        for _ in range(5):
            await asyncio.sleep(SILENCE - 1)
            talk.client.say(kind, "{}" if kind is WSMsgType.TEXT else b"")
        close, at = await talk.ended()
        assert (code(close), at) == (4408, 5 * (SILENCE - 1) + SILENCE)

    run(scene())


def test_who_is_still_taking_the_past_need_say_nothing() -> None:
    async def scene() -> None:
        talk = Scene()
        for _ in range(5):
            await asyncio.sleep(SILENCE - 1)
            await talk.outlet.send(b"a piece of the past")
        close, at = await talk.ended()
        assert (code(close), at) == (4408, 5 * (SILENCE - 1) + SILENCE)

    run(scene())


def test_who_hangs_up_is_told_nothing() -> None:
    async def scene() -> None:
        talk = Scene()
        talk.client.say(WSMsgType.CLOSED)
        assert await talk.ended() == (None, 0)

    run(scene())


def test_nobody_is_waited_for_longer_than_two_seconds_at_the_end() -> None:
    async def scene() -> None:
        talk = Scene()
        talk.listening.cancel()
        await talk.conversation.close(b"", Close(1001, "Bye."))
        assert asyncio.get_running_loop().time() == 2.0
        assert talk.pipe.received.endswith(b"Bye.")

    run(scene())


def test_what_is_under_way_at_the_end_is_done_and_not_answered_any_more() -> None:
    async def scene() -> None:
        talk = Scene()
        talk.may_answer.clear()
        talk.client.say(WSMsgType.TEXT, "{}")
        talk.client.say(WSMsgType.CLOSE, 1000)
        close, _ = await talk.ended()
        assert close
        closing = asyncio.create_task(talk.conversation.close(b"", close))
        await asyncio.sleep(1)
        settling = asyncio.create_task(talk.conversation.settle())
        talk.client.say(WSMsgType.CLOSED)
        await closing
        assert not settling.done()
        talk.may_answer.set()
        await settling
        assert talk.pipe.received == b"\x88\x02\x03\xe8"

    run(scene())


def test_a_burst_of_what_waits_for_nothing_is_never_too_much() -> None:
    async def scene() -> None:
        talk = Scene()
        for _ in range(10 * MAX_UNDER_WAY):
            talk.client.say(WSMsgType.TEXT, "{}")
        talk.client.say(WSMsgType.CLOSE, 1000)
        close, _ = await talk.ended()
        assert code(close) == 1000
        await talk.conversation.settle()
        assert b"too_many_requests" not in talk.pipe.received

    run(scene())


def test_what_hangs_is_given_up() -> None:
    async def scene() -> None:
        talk = Scene()
        talk.may_answer.clear()
        talk.client.say(WSMsgType.TEXT, "{}")
        await asyncio.sleep(1)
        await talk.conversation.settle()
        assert asyncio.get_running_loop().time() == ANSWER_WITHIN
        assert b'"timeout"' in talk.pipe.received

    run(scene())
