"""A table replayed over real sockets; when what is shown is in `test_pacing.py`."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse
from msgspec.structs import replace

from protocol import sse
from protocol.cursor import Cursor
from tests.readers import delta
from tests.serving import QUICK, TABLES, Connect, convene, frames, problem, serve
from tests.wires import CLOSED, EventSource, House, WebSocket, Wire, housed, told
from tests.wires import WIRES as LIVE


class ReplayedEvents(EventSource):
    """A replay as an event stream."""

    path = "replay"


class ReplayedMessages(WebSocket):
    """A replay over a WebSocket."""

    path = "replay"


WIRES: list[Wire] = [ReplayedEvents(), ReplayedMessages()]
SPOKEN = replace(delta("abc"), chunks=[(1, 0), (1, 2), (1, 3)])


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with housed(tmp_path) as house:
        yield house


@pytest.fixture(params=WIRES, ids=["events", "ws"])
def wire(request: pytest.FixtureRequest) -> Wire:
    chosen: Wire = request.param
    return chosen


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("speed=0", "speed"),
        ("speed=0.09", "speed"),
        ("speed=100.1", "speed"),
        ("speed=-1", "speed"),
        ("speed=nan", "speed"),
        ("speed=inf", "speed"),
        ("speed=1e9", "speed"),
        ("speed=1_0", "speed"),
        ("speed=\u0662", "speed"),
        ("speed=", "speed"),
        ("speed=" + "9" * 5000, "speed"),
        ("max_gap=-1", "max_gap"),
        ("max_gap=3601", "max_gap"),
        ("after=x", "after"),
    ],
)
async def test_a_bad_parameter_is_named(
    tmp_path: Path, aiohttp_client: Connect, query: str, field: str
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    response = await client.get(f"{TABLES}/{await convene(client)}/replay?{query}")
    assert await problem(response) == (400, "invalid", field)


async def test_a_closed_table_is_replayed_to_its_end(house: House, wire: Wire) -> None:
    await house.say(50)
    await house.write(CLOSED)
    answer = await wire.read(f"{house.url}/{wire.path}?speed=100")
    assert answer.ids() == house.ids()
    assert answer.names()[-2:] == ["table.closed", "end"]
    assert answer.code in (None, 1000)


async def test_a_table_that_is_open_goes_on_live(house: House, wire: Wire) -> None:
    await house.say(20)
    reading = asyncio.create_task(wire.read(f"{house.url}/{wire.path}"))
    await house.until(spectators=1)
    await house.say(20)
    await house.write(CLOSED)
    assert (await reading).ids() == house.ids()


async def test_a_replay_left_at_any_id_goes_on_live_or_as_a_replay_without_loss(
    house: House, wire: Wire
) -> None:
    await house.write(*[SPOKEN] * 3, CLOSED)
    url = f"{house.url}/{wire.path}?speed=100"
    whole = await wire.read(url)
    last = house.last
    parts = [str(Cursor(last.term, seq, part)) for seq in (2, 3, 4) for part in (1, 2, 0)]
    assert whole.ids() == [str(Cursor(last.term, 1)), *parts, str(last)]
    for number, at in enumerate(whole.ids()[:-1], start=1):
        for other, address in [(wire, url), *((live, f"{house.url}/{live.path}") for live in LIVE)]:
            rest = await other.read(address, {"Last-Event-ID": at})
            assert said(up_to(whole.frames, at)) + said(rest.frames) == "abc" * 3
            if other is wire:
                assert rest.ids() == whole.ids()[number:]


def up_to(frames: list[sse.Frame], id: str) -> list[sse.Frame]:
    return frames[: [frame.id for frame in frames].index(id) + 1]


def said(frames: list[sse.Frame]) -> str:
    return "".join(json.loads(frame.data)["text"] for frame in frames if frame.event == "turn.delta")


async def test_a_replay_says_of_each_turn_what_was_said(tmp_path: Path, aiohttp_client: Connect) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    options = {"text": " ".join(map(str, range(300))), "rate": 0, "ttft": 0}
    table = await convene(client, panel=[{**QUICK, "options": options}], limits={"max_turns": 1})
    await frames(client, table)
    read = await (await client.get(f"{TABLES}/{table}")).json()
    url = str(client.make_url(f"{TABLES}/{table}/replay?speed=100&max_gap=0"))
    replayed = await ReplayedEvents().read(url)
    assert said(replayed.frames) == options["text"] == read["transcript"]["turns"][0]["text"]
    assert len([frame for frame in replayed.frames if frame.event == "turn.delta"]) >= 300  # word by word
    assert replayed.last_id == read["cursor"]


# Steering


async def steer(socket: ClientWebSocketResponse, kind: str, **members: object) -> dict[str, object]:
    """Ask for something; the state of the replay that is told."""
    await socket.send_json({"type": kind, "key": kind, **members})
    assert await told(socket, "outcome") == {"type": "outcome", "key": kind, "outcome": "done"}
    return await told(socket, "replay")


async def test_a_replay_is_steered_over_its_socket(house: House) -> None:
    await house.say_slowly(20)
    await house.write(CLOSED)
    url = f"{house.url}/replay?speed=0.1"
    async with ClientSession() as session, session.ws_connect(url) as socket:
        at = str(Cursor(house.last.term, 5))
        paused = await steer(socket, "pause")
        assert (paused["speed"], paused["paused"]) == (0.1, True)
        assert (await steer(socket, "seek", after=at))["after"] == at
        assert (await steer(socket, "speed", speed=100))["speed"] == 100
        assert not (await steer(socket, "play"))["paused"]
        seen = [message async for message in received(socket)]
    assert [message["id"] for message in seen if "id" in message] == house.ids(5)
    assert (seen[-1]["type"], socket.close_code) == ("end", 1000)


async def received(socket: ClientWebSocketResponse) -> AsyncIterator[dict[str, object]]:
    async for message in socket:
        yield json.loads(message.data)


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"type": "seek"}, "invalid", "after"),
        ({"type": "seek", "after": "x"}, "invalid", "after"),
        ({"type": "speed", "speed": 0}, "invalid", "speed"),
        ({"type": "speed", "speed": 101}, "invalid", "speed"),
        ({"type": "speed", "speed": "2"}, "invalid", "speed"),
        ({"type": "play", "x": 1}, "invalid", "x"),
        ({"type": "say", "text": "Hello"}, "invalid", "type"),
    ],
)
async def test_a_replay_refuses_what_it_cannot_do(
    house: House, asked: dict[str, object], code: str, field: str
) -> None:
    await house.say_slowly(2)
    async with ClientSession() as session, session.ws_connect(f"{house.url}/replay?speed=0.1") as socket:
        await socket.send_json({"key": "k", **asked})
        error = await told(socket, "error")
        assert (error["code"], error.get("field", ""), error["key"]) == (code, field, "k")


async def test_seeking_what_is_not_there_is_a_reset_and_the_present_has_no_steering(house: House) -> None:
    await house.say_slowly(5)
    async with ClientSession() as session, session.ws_connect(f"{house.url}/replay?speed=0.1") as socket:
        await socket.send_json({"type": "pause", "key": "1"})
        await socket.send_json({"type": "seek", "after": "5-5", "key": "2"})
        assert (await told(socket, "reset"))["cursor"] == str(house.last)
        await house.say(1)
        assert (await told(socket, "turn.delta"))["id"] == str(house.last)
        await socket.send_json({"type": "speed", "speed": 2, "key": "3"})
        assert (await told(socket, "error"))["code"] == "wrong_state"
