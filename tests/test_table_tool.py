"""A whole roundtable as an invocation, by a real server: convened, followed, spoken to, and let go."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol import sse
from protocol.asked import AskedSeat
from roundtable.edge import keys
from roundtable.hosting.convening import Convene
from roundtable.hosting.host import stream
from roundtable.tools.table import ConveneTable
from tests.serving import QUICK, SLOW, Client, Connect, convene, serve
from tests.tables import until
from tests.tools import ALONE, heard

SEAT = msgspec.convert(SLOW, AskedSeat)
HELD = {"topic": "Why?", "panel": [QUICK], "limits": {"max_rounds": 1}}


async def invoke(client: Client, tool: str, **args: Any) -> list[Any]:
    """Everything it tells after `init`."""
    async with client.post("/invoke", json={"tool": tool, "args": args}) as response:
        assert response.status == 200, await response.text()
        decoder = sse.Decoder()
        frames = [frame async for piece in response.content.iter_any() for frame in decoder.feed(piece)]
    return [msgspec.json.decode(frame.data) for frame in frames if frame.event][1:]


def types(told: list[Any]) -> list[str]:
    """The entries that were relayed."""
    return [each["entry"]["type"] for each in told if "entry" in each]


@pytest.fixture
async def client(aiohttp_client: Connect, tmp_path: Path) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


async def test_a_table_is_convened_and_is_its_entries(client: Client) -> None:
    first, *told, end = await invoke(client, "convene", **HELD)
    assert types(told)[:2] == ["term.began", "table.opened"]
    assert types(told)[-2:] == ["turn.completed", "table.closed"]
    assert end["reason"] == "closed"
    turn = {"turn": "t1", "panelist": "Ada", "end": "completed", "text": "Hello there."}
    assert end["final"] == {"table": first["table"], "turns": [turn]}


async def test_a_result_has_the_verdict_and_no_paperwork(client: Client) -> None:
    panel = [QUICK, {**QUICK, "name": "Ben"}]
    *_, end = await invoke(client, "convene", **HELD | {"panel": panel}, verdict=True)
    assert [turn["panelist"] for turn in end["final"]["turns"]] == ["Ada", "Ben", "Ada"]
    given = end["final"]["verdict"]
    assert (given["answer"], given["claims"], given["source"]) == ("Hello there.", [], "")
    assert given["header"] == "2 of 2 answered; Ada, one of the panel, chaired."


async def test_a_table_at_rest_is_a_result_and_a_word_wakes_it(client: Client) -> None:
    (first, *_, end) = await invoke(client, "convene", **HELD, then="rest")
    assert end["reason"] == "rested"
    address = f"roundtable/{first['table']}"
    (again,) = await invoke(client, address)
    assert (again["reason"], again["final"]["turns"]) == ("rested", [])
    *told, end = await invoke(client, address, say="And then?", to="Ada")
    assert "message.posted" in types(told)[:2], "a new term may begin before it"
    assert types(told)[-1] == "table.rested"
    since = end["final"]["turns"]
    assert {turn["text"] for turn in since} == {"Hello there."}
    *told, end = await invoke(client, address, after="0-0")
    assert types(told).count("table.rested") == 2
    assert end["final"]["turns"][1:] == since


async def test_who_cancels_closes_the_table_that_was_convened_and_no_other(client: Client) -> None:
    app = client.app
    host, log = app[keys.HOST], app[keys.LOG]
    table = await convene(client)
    body = {"tool": "convene", "args": {"topic": "Why?", "panel": [SLOW]}}
    async with (
        client.post("/invoke", json={"tool": f"roundtable/{table}", "args": {"after": "0-0"}}) as following,
        client.post("/invoke", json=body) as holding,
    ):
        held = ""
        async for line in holding.content:
            if b'"t":1,"table":' in line:
                held = msgspec.json.decode(line.removeprefix(b"data: "))["table"]
                break
        for response in (following, holding):
            assert (await client.delete(response.headers["Location"])).status == 204
    closed = await until(log, stream(held), lambda transcript: transcript.status == "closed")
    assert closed.ended_reason == "command"
    assert (await host.transcript(table)).status == "open"


@pytest.mark.parametrize("after", range(4))
async def test_a_table_whose_invocation_ends_while_it_is_convened_is_closed(
    client: Client, after: int
) -> None:
    app = client.app
    host, log = app[keys.HOST], app[keys.LOG]
    convening = ConveneTable(host, app[keys.BROADCAST], lambda _: None).run(Convene("Why?", [SEAT]), ALONE)
    pulling = asyncio.create_task(heard(convening))
    for _ in range(after):
        await asyncio.sleep(0)
    for _ in range(2):
        pulling.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([pulling])
    async with asyncio.timeout(20):
        while any(task.get_name() == "convene" for task in asyncio.all_tasks()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
    for table in (await host.summaries()).tables:
        await until(log, stream(table.id), lambda transcript: transcript.status == "closed")
    assert len((await host.summaries()).tables) == (after > 0)


@pytest.mark.parametrize(
    ("tool", "args", "field"),
    [
        ("convene", {"topic": "Why?", "record": False}, "args.record"),
        ("convene", {"topic": "Why?", "panle": []}, "args.panle"),
        ("roundtable/abc-off-record", {}, "args.table"),
        ("roundtable/abc", {"after": "yesterday"}, "args.after"),
        ("roundtable/abc", {"to": "Ada"}, "args.say"),
    ],
)
async def test_what_cannot_be_is_refused_at_once(
    client: Client, tool: str, args: dict[str, Any], field: str
) -> None:
    response = await client.post("/invoke", json={"tool": tool, "args": args})
    assert (response.status, (await response.json())["field"]) == (400, field)


async def test_what_only_the_table_can_know_is_an_error_in_the_stream(client: Client) -> None:
    closed = (await invoke(client, "convene", **HELD))[0]["table"]
    for tool, args, code in (
        ("roundtable/nowhere", {}, "not_found"),
        (f"roundtable/{closed}", {"say": "Hello?"}, "wrong_state"),
        (f"roundtable/{closed}", {"say": "Hello?", "to": "Cleo"}, "invalid"),
        (f"roundtable/{closed}", {"after": "1-1"}, "unknown_cursor"),
        ("convene", {"topic": " "}, "invalid"),
    ):
        assert [each["code"] for each in await invoke(client, tool, **args)] == [code]
