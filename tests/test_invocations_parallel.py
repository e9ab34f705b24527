"""A hundred invocations at once with random cancels: each stream is dense, ends once, and is what the log holds."""

import asyncio
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol import sse
from protocol.cursor import Cursor
from roundtable.edge import keys
from roundtable.fanout.framing import INVOCATION, EventStream, encode
from roundtable.invocations.invocations import stream
from tests.redis_server import shared
from tests.serving import Client, Connect, serve
from tests.test_multiplex import PATH, Caller
from tests.ticking import give

MANY = 100
SEED = 4


def args(chance: random.Random) -> dict[str, Any]:
    """Short and long, small steps and large ones, one by one and in blocks; some fail, some would never end."""
    return {
        "steps": chance.choice([0, 1, 20, 200]),
        "size": chance.choice([0, 10, 3000]),
        "block": chance.choice([0, 0, 7]),
        "pause": chance.choice([0, 0, 0.002]),
        "then": chance.choice(["converge", "converge", "provider", "nothing", "hang"]),
    }


def on_sqlite(folder: Path) -> dict[str, Any]:
    return {"data": folder}


def on_redis(folder: Path) -> dict[str, Any]:
    shared().run("FLUSHALL")
    return {"data": folder, "redis": shared().url}


Settings = Callable[[Path], dict[str, Any]]
STORES = pytest.mark.parametrize("store", [on_sqlite, on_redis])


async def served(connect: Connect, settings: dict[str, Any]) -> Client:
    client = await serve(connect, **settings)
    give(client.app)
    return client


@STORES
async def test_over_as_many_connections(aiohttp_client: Connect, tmp_path: Path, store: Settings) -> None:
    client = await served(aiohttp_client, store(tmp_path))
    chance = random.Random(SEED)
    asked = [(args(chance), chance.uniform(0, 0.3)) for _ in range(MANY)]
    async with asyncio.timeout(60):
        told = await asyncio.gather(*(over_http(client, *each) for each in asked))
    for each in told:
        check([(frame.id or "", msgspec.json.decode(frame.data)) for frame in each])
        assert await logged(client, each[0]) == each


async def over_http(client: Client, args: dict[str, Any], cancel_after: float) -> list[sse.Frame]:
    decoder, told = sse.Decoder(), list[sse.Frame]()
    async with client.post("/invoke", json={"tool": "ticks", "args": args}) as response:
        assert response.status == 200
        cancelling = asyncio.create_task(cancel(client, response.headers["Location"], cancel_after))
        async for piece in response.content.iter_any():
            told += [frame for frame in decoder.feed(piece) if frame.id]
        await cancelling
    return told


async def cancel(client: Client, own: str, after: float) -> None:
    await asyncio.sleep(after)
    assert (await client.delete(own)).status == 204


async def logged(client: Client, first: sse.Frame) -> list[sse.Frame]:
    """What the log holds of it, as it is shown."""
    name = stream(msgspec.json.decode(first.data)["id"])
    log, place, wire = client.app[keys.LOG], 0, b""
    while records := await log.read(name, place):
        place = records[-1].cursor.seq
        wire += encode(INVOCATION, EventStream(), records)
    return list(sse.Decoder().feed(wire))


@STORES
async def test_over_one_socket(aiohttp_client: Connect, tmp_path: Path, store: Settings) -> None:
    client = await served(aiohttp_client, store(tmp_path))
    caller = Caller(await client.ws_connect(PATH, max_msg_size=0))
    chance = random.Random(SEED)
    names = [f"s{number}" for number in range(MANY)]
    for name in names:
        members: dict[str, Any] = {"credit": 30} if chance.random() < 0.5 else {}
        await caller.send("invoke", name, tool="ticks", args=args(chance), **members)
    cancelling = [asyncio.create_task(tell(caller, name, chance.uniform(0, 0.3))) for name in names]
    async with asyncio.timeout(60):
        while not all(map(caller.ended, names)):
            message = await caller.hear()
            if "cursor" in message and chance.random() < 0.2:
                await caller.send("credit", message["stream"], credit=10)
        await asyncio.gather(*cancelling)
    for name in names:
        told = [(each.pop("cursor"), each) for each in caller.told[name]]
        check([(cursor, {k: v for k, v in each.items() if k != "stream"}) for cursor, each in told])
        first = sse.Frame("init", msgspec.json.encode(told[0][1]).decode())
        held = [(frame.id, msgspec.json.decode(frame.data)) for frame in await logged(client, first)]
        assert [(cursor, {**each, "stream": name}) for cursor, each in held] == told


async def tell(caller: Caller, name: str, after: float) -> None:
    await asyncio.sleep(after)
    await caller.send("cancel", name)
    await caller.send("credit", name, credit=10_000)


def check(told: list[tuple[str, Any]]) -> None:
    """Begun once, ended once, no step left out or repeated, no place either."""
    types = [event["type"] for _, event in told]
    assert types[0] == "init"
    assert [each for each in types if each in ("converge", "error", "cancelled")] == types[-1:]
    steps = [event["t"] for _, event in told if event["type"] == "step"]
    assert steps == list(range(1, len(steps) + 1))
    assert told[-1][1]["t"] == len(steps)
    places = [Cursor.parse(cursor) for cursor, _ in told]
    assert [at.seq for at in places if not at.part] == list(range(1, places[-1].seq + 1))
    for at, after in itertools.pairwise(places):
        assert (after.seq, after.part) in (
            (at.seq, at.part + 1),
            (at.seq, 0),
            (at.seq + 1, 0),
            (at.seq + 1, 1),
        )
        assert (at.part == 0) == (after.seq == at.seq + 1)
