"""One connection, several who write to it: nothing falls into the middle of anything."""

import asyncio

import pytest

from roundtable.fanout import outlet as outlet_file
from roundtable.fanout.outlet import PATIENCE, Outlet
from tests.fake_time import run
from tests.readers import Pipe, settle

LONG = b"long" * outlet_file.PIECE  # four pieces


def slow(pipe: Pipe, room: int) -> Outlet:
    """An outlet whose reader takes so many bytes and then waits."""
    pipe.room = room
    pipe.stall()
    return Outlet(pipe, pipe.drain)


async def settled(*tasks: asyncio.Task[None]) -> list[BaseException | None]:
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def test_who_answers_waits_for_the_whole_of_what_is_being_sent() -> None:
    async def scene() -> None:
        pipe = Pipe()
        outlet = slow(pipe, outlet_file.PIECE + 7)
        sending = asyncio.create_task(outlet.send(LONG))
        await settle()
        telling = [asyncio.create_task(outlet.tell(b"%d" % number)) for number in range(3)]
        await settle()
        assert pipe.received == LONG[: len(pipe.received)] != LONG
        pipe.read()
        assert await settled(sending, *telling) == [None] * 4
        assert pipe.received == LONG + b"012"

    run(scene())


def test_an_answer_goes_in_one_call_however_long_it_is() -> None:
    async def scene() -> None:
        pipe = Pipe()
        outlet = slow(pipe, 0)
        telling = asyncio.create_task(outlet.tell(LONG))
        await settle()
        assert pipe.buffer == LONG
        pipe.read()
        await telling

    run(scene())


@pytest.mark.parametrize(("room", "aborted"), [(7, True), (len(LONG), False)])
def test_half_of_something_is_never_followed_by_anything(room: int, aborted: bool) -> None:
    async def scene() -> None:
        pipe = Pipe()
        outlet = slow(pipe, room)
        sending = asyncio.create_task(outlet.send(LONG))
        await settle()
        sending.cancel()
        await settled(sending)
        assert pipe.aborted == aborted

    run(scene())


def test_nothing_is_said_after_the_last_words() -> None:
    async def scene() -> None:
        pipe = Pipe()
        outlet = Outlet(pipe, pipe.drain)
        late = asyncio.create_task(outlet.tell(b"late"))
        async with outlet._turn:
            await settle()
            last = asyncio.create_task(outlet.tell(b"last", last=True))
            later = asyncio.create_task(outlet.send(b"later"))
        _, _, refused = await settled(late, last, later)
        assert isinstance(refused, ConnectionResetError)
        assert pipe.received == b"latelast"

    run(scene())


def test_who_waits_behind_one_who_is_not_read_is_told_so() -> None:
    async def scene() -> None:
        pipe = Pipe()
        outlet = slow(pipe, 0)
        failures = await settled(
            asyncio.create_task(outlet.send(LONG)), asyncio.create_task(outlet.tell(b"answer"))
        )
        assert isinstance(failures[0], ConnectionAbortedError)
        assert isinstance(failures[1], ConnectionError)
        assert asyncio.get_running_loop().time() == pytest.approx(PATIENCE)

    run(scene())


def test_it_is_known_when_a_reader_last_took_something() -> None:
    async def scene() -> None:
        pipe = Pipe()
        outlet = slow(pipe, 0)
        sending = asyncio.create_task(outlet.send(b"x"))
        await asyncio.sleep(9)
        assert outlet.taken_at == 0
        pipe.read()
        await sending
        assert outlet.taken_at == pytest.approx(9)

    run(scene())
