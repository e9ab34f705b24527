"""Many invocations over one WebSocket: each stream its own, none in another's way."""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from roundtable.edge import keys
from roundtable.edge.invoking import multiplex, strands
from roundtable.edge.invoking.desk import WINDOW
from tests.serving import Client, Connect, problem, serve
from tests.ticking import Ticks, give
from tests.waiting import standstill, until

PATH = "/v1/invocations/ws"
ENDS = ("converge", "error", "cancelled")


class Caller:
    """A client of one socket: what it got, by stream."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.told: dict[str, list[Any]] = defaultdict(list)
        self.answers: list[Any] = []

    async def send(self, type: str, stream: str, **members: Any) -> None:
        await self.socket.send_json({"type": type, "stream": stream, **members})

    async def ticks(self, stream: str, credit: int | None = None, **args: Any) -> None:
        await self.send(
            "invoke", stream, tool="ticks", args=args, **({} if credit is None else {"credit": credit})
        )

    async def hear(self) -> Any:
        async with asyncio.timeout(20):
            message = await self.socket.receive_json()
        if "cursor" in message:
            self.told[message["stream"]].append(message)
        elif message["type"] != "hb":
            self.answers.append(message)
        return message

    async def until_ended(self, *streams: str) -> None:
        while not all(self.ended(stream) for stream in streams):
            await self.hear()

    async def answer(self, key: str) -> Any:
        """The answer to the message `key`, which is sent before."""
        while not (found := [each for each in self.answers if each["key"] == key]):
            await self.hear()
        return found[0]

    def ended(self, stream: str) -> bool:
        return bool(self.told[stream]) and self.told[stream][-1]["type"] in (*ENDS, "end")

    def types(self, stream: str) -> list[str]:
        return [each["type"] for each in self.told[stream]]


@pytest.fixture
async def client(aiohttp_client: Connect, tmp_path: Path) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


@pytest.fixture
def ticks(client: Client) -> Ticks:
    return give(client.app)


@pytest.fixture
async def caller(client: Client, ticks: Ticks) -> Caller:
    return Caller(await client.ws_connect(PATH))


async def test_streams_are_told_apart_and_each_is_whole(caller: Caller) -> None:
    for name, steps in (("a", 5), ("b", 300), ("ü\n", 0)):
        await caller.ticks(name, steps=steps, block=50)
    await caller.until_ended("a", "b", "ü\n")
    for name, steps in (("a", 5), ("b", 300), ("ü\n", 0)):
        assert caller.types(name) == ["init", *["step"] * steps, "converge"]
        assert [each["t"] for each in caller.told[name][1:-1]] == list(range(1, steps + 1))
        assert len({each["cursor"] for each in caller.told[name]}) == steps + 2


async def test_a_stream_without_credit_sends_nothing_and_its_tool_stops(caller: Caller, ticks: Ticks) -> None:
    await caller.ticks("held", credit=3, steps=10_000, size=1000)
    await caller.ticks("free", steps=50)
    await caller.until_ended("free")
    assert await standstill(lambda: ticks.taken) * 1000 < 3 * WINDOW + 64 * 1024
    while len(caller.told["held"]) < 3:  # perhaps it came behind the end of the other
        await caller.hear()
    assert caller.types("held") == ["init", "step", "step"]
    await caller.send("credit", "held", credit=2)
    while len(caller.told["held"]) < 5:
        await caller.hear()
    await caller.send("cancel", "held", key="c")
    assert (await caller.answer("c"))["outcome"] == "done"
    await until(lambda: ticks.open == 0)
    await caller.send("credit", "held", credit=10_000)
    await caller.until_ended("held")
    steps = [each["t"] for each in caller.told["held"] if each["type"] == "step"]
    assert steps == list(range(1, len(caller.told["held"]) - 1))


async def test_the_end_needs_no_credit(caller: Caller) -> None:
    await caller.ticks("a", credit=4, steps=3)
    await caller.until_ended("a")
    assert caller.types("a") == ["init", "step", "step", "step", "converge"]


async def test_credit_is_never_one_message_too_many(
    client: Client, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiplex, "AT_ONCE", 1)
    caller = Caller(await client.ws_connect(PATH))
    await caller.ticks("a", credit=1, steps=100)
    for _ in range(100):  # in one breath, while the stream is begun
        await caller.send("credit", "a", credit=1)
    await caller.until_ended("a")
    assert [each for each in caller.answers if each["type"] == "error"] == []


async def test_who_cancels_needs_no_credit_to_hear_the_end(caller: Caller) -> None:
    await caller.ticks("a", credit=3, steps=1_000, block=10, then="hang")
    while len(caller.told["a"]) < 3:
        await caller.hear()
    await caller.send("cancel", "a")
    await caller.until_ended("a")
    *steps, end = caller.told["a"][1:]
    assert [each["t"] for each in steps] == list(range(1, end["t"] + 1))
    assert end["type"] == "cancelled"


async def test_a_fast_stream_does_not_starve_a_slow_one(caller: Caller) -> None:
    await caller.ticks("fast", steps=20_000, block=1000, size=100)
    while len(caller.told["fast"]) < 100:
        await caller.hear()
    await caller.ticks("slow", steps=5)
    await caller.until_ended("slow")
    assert not caller.ended("fast")
    await caller.until_ended("fast")
    assert len(caller.told["fast"]) == 20_002


async def test_pausing_and_going_on_mid_step(caller: Caller) -> None:
    await caller.ticks("a", steps=1_000, pause=0.001)
    await caller.send("pause", "a")
    while "paused" not in caller.types("a"):
        await caller.hear()
    await caller.send("resume", "a")
    while caller.types("a")[-1] != "step" or "resumed" not in caller.types("a"):
        await caller.hear()
    await caller.send("cancel", "a")
    await caller.until_ended("a")
    ends = [each["type"] for each in caller.told["a"] if each["type"] != "step"]
    assert ends == ["init", "paused", "resumed", "cancelled"]


async def test_following_from_within_an_entry_and_from_the_end(caller: Caller) -> None:
    await caller.ticks("a", steps=20, block=10)
    await caller.until_ended("a")
    whole = caller.told["a"]
    for name, at in (("b", 0), ("c", 7), ("d", 20)):
        await caller.send("follow", name, invocation=whole[0]["id"], after=whole[at]["cursor"])
        await caller.until_ended(name)
        assert [{**each, "stream": "a"} for each in caller.told[name]] == whole[at + 1 :]
    await caller.send("follow", "e", invocation=whole[0]["id"], after=whole[-1]["cursor"])
    await caller.until_ended("e")
    assert caller.types("e") == ["end"]


async def test_what_cannot_be_done_is_said_and_the_socket_stays(caller: Caller) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"type": "invoke", "stream": "a", "tool": "tics"}, "not_found"),
        ({"type": "invoke", "stream": "a", "tool": "ticks", "args": {"stebs": 1}}, "invalid"),
        ({"type": "invoke", "stream": "", "tool": "ticks"}, "invalid"),
        ({"type": "follow", "stream": "a", "invocation": "nothing"}, "not_found"),
        ({"type": "follow", "stream": "a", "invocation": "x", "after": "then"}, "invalid"),
        ({"type": "credit", "stream": "a", "credit": 0}, "invalid"),
        ({"type": "pause", "stream": "a"}, "not_found"),
        ({"type": "explode", "stream": "a"}, "invalid"),
    ]
    for number, (message, code) in enumerate(wrong):
        await caller.socket.send_json({**message, "key": f"k{number}"})
        answer = await caller.answer(f"k{number}")
        assert (answer["type"], answer["code"], answer["stream"]) == ("error", code, message["stream"])
    await caller.ticks("a", then="hang")
    await caller.send("invoke", "a", tool="ticks", key="again")
    assert (await caller.answer("again"))["code"] == "wrong_state"
    await caller.send("cancel", "a")
    await caller.until_ended("a")
    await caller.ticks("a")  # the name is free again
    await caller.until_ended("a")


async def test_leaving_a_stream_is_hanging_up_for_it_alone(caller: Caller, ticks: Ticks) -> None:
    await caller.ticks("a", then="hang")
    await caller.ticks("b", then="hang")
    await until(lambda: ticks.taken == 6)
    await caller.send("leave", "a", key="l")
    assert (await caller.answer("l"))["outcome"] == "done"
    await until(lambda: ticks.open == 1)
    await caller.send("cancel", "b")
    await caller.until_ended("b")


async def test_the_socket_takes_with_it_what_belongs_to_it(
    client: Client, caller: Caller, ticks: Ticks
) -> None:
    for number in range(20):
        await caller.ticks(f"s{number}", then="hang", credit=number % 3)
    await caller.send("invoke", "kept", tool="ticks", args={"then": "hang"}, detach=True, key="kept")
    kept = (await caller.answer("kept"))["invocation"]
    await until(lambda: ticks.taken == 63)
    await caller.socket.close()
    await until(lambda: ticks.open == 1)
    lines = (await (await client.get("/v1/invocations?limit=100")).json())["invocations"]
    assert {line["id"]: line["state"] for line in lines if line["state"] != "cancelled"} == {kept: "running"}
    assert (await client.delete(f"/invoke/{kept}")).status == 204


async def test_a_server_that_stops_tells_every_stream_and_the_socket(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    app = client.app
    give(app)
    caller, idle = Caller(await client.ws_connect(PATH)), await client.ws_connect(PATH)
    await caller.ticks("a", then="hang")
    await caller.hear()
    stopping = asyncio.create_task(app.shutdown())
    await caller.until_ended("a")
    assert caller.told["a"][-1]["reason"] == "stopping"
    while (message := await caller.hear())["type"] != "retry":
        pass
    assert message["wait"] > 0
    assert (await caller.socket.receive()).type is WSMsgType.CLOSE
    assert (await idle.receive_json())["type"] == "retry"
    assert (await idle.receive()).data == 1001
    await caller.socket.close()
    await idle.close()
    await stopping


async def test_a_plain_get_is_told_what_this_address_speaks(client: Client) -> None:
    assert (await problem(await client.get(PATH)))[:2] == (426, "upgrade_required")


async def test_silence_is_broken_by_a_heartbeat(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strands, "HEARTBEAT", 0.01)
    await caller.ticks("a")
    await caller.until_ended("a")
    while (await caller.hear())["type"] != "hb":
        pass


async def test_what_is_not_recorded_is_forgotten_with_its_stream(client: Client, caller: Caller) -> None:
    await caller.send("invoke", "a", tool="ticks", record=False)
    await caller.until_ended("a")
    app = client.app
    memory = app[keys.INVOCATIONS]._memory
    async with asyncio.timeout(20):
        while await memory.streams("invocation"):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    assert await app[keys.LOG].streams("invocation") == []
