"""Every command over HTTP, over a WebSocket, from Python and from the command line: taken once, or refused with why."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from protocol import codec, commands
from protocol import events as e
from protocol.messages import Panelist
from roundtable.client import Client as Sdk
from roundtable.config import Config
from roundtable.edge import app
from roundtable.edge.tables.tables import _COMMANDS
from tests.command_line import call
from tests.serving import SLOW, TABLES, Client, Connect, convene, problem, serve, tell

ADA = {**SLOW, "name": "Ada"}
CLEO = {"name": "Cleo", "model": "scripted:cleo", "options": {"ttft": 3600}}
# In an order in which each has an effect at a table where Ada has the floor and Ben is next.
SCRIPT: list[tuple[dict[str, Any], str]] = [
    ({"type": "title", "title": "Letters"}, "table.titled"),
    ({"type": "raise_hand", "author": "Rosa"}, "hand.raised"),
    ({"type": "lower_hand", "author": "Rosa"}, "hand.lowered"),
    ({"type": "extend", "limits": {"max_rounds": 6}}, "limits.changed"),
    ({"type": "mute", "panelist": "Ben"}, "panel.changed"),
    ({"type": "unmute", "panelist": "Ben"}, "panel.changed"),
    ({"type": "add", "seat": CLEO}, "panel.changed"),
    ({"type": "swap", "panelist": "Cleo", "seat": {**CLEO, "name": "Dag"}}, "panel.changed"),
    ({"type": "remove", "panelist": "Dag"}, "panel.changed"),
    ({"type": "say", "text": "Well?", "to": "Ben"}, "message.posted"),
    ({"type": "barge_in", "text": "One moment.", "author": "Rosa"}, "turn.cancelled"),
    ({"type": "skip"}, "turn.cancelled"),
    ({"type": "pause"}, "table.paused"),
    ({"type": "resume"}, "table.resumed"),
    ({"type": "retry", "turn": "t1"}, "turn.queued"),
    ({"type": "close"}, "table.closed"),
]


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


async def test_each_has_its_effect_once_over_http(client: Client) -> None:
    table = await convene(client, panel=[ADA, SLOW])
    for number, (command, effect) in enumerate(SCRIPT):
        answer = await tell(client, table, f"k{number}", **command)
        done = await answer.json()
        assert (answer.status, done.get("event", {}).get("type")) == (200, effect), done
        assert done["event"]["command"] == f"k{number}"
    again = await tell(client, table, "k6", **SCRIPT[6][0])
    assert (again.status, (await again.json())["event"]["seat"]["name"]) == (200, "Cleo")
    assert await problem(await tell(client, table, "k6", type="pause")) == (422, "key_reused", "")


async def test_each_has_its_effect_over_a_websocket(client: Client) -> None:
    table = await convene(client, panel=[ADA, SLOW])
    async with client.ws_connect(f"{TABLES}/{table}/ws?after=now") as socket:
        for number, (command, effect) in enumerate(SCRIPT[:-1]):
            await socket.send_json({**command, "key": f"k{number}"})
            while (told := await socket.receive_json(timeout=10))["type"] not in ("outcome", "error"):
                pass
            assert (told["type"], told.get("event", {}).get("type")) == ("outcome", effect), told


def test_each_is_tried_here() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in commands.ANY.__args__}
    assert {command["type"] for command in _COMMANDS.values()} == kinds
    assert {command["type"] for command, _ in SCRIPT} == kinds - {
        "cancel",
        "stress_test",
        "verdict",
        "stress",
    }  # test_host, below
    for command in _COMMANDS.values():
        codec.decode_command(codec.encode(command))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"type": "say", "text": "x" * 20_001}, "text"),
    ({"type": "say", "text": "x", "author": "Ben"}, "author"),
    ({"type": "barge_in", "text": " \n"}, "text"),
    ({"type": "barge_in", "to": "Ben"}, "text"),
    ({"type": "barge_in", "text": "x", "to": "Nobody"}, "to"),
    ({"type": "barge_in", "author": "BEN"}, "author"),
    ({"type": "raise_hand", "author": "a\nb"}, "author"),
    ({"type": "lower_hand", "author": "x" * 41}, "author"),
    ({"type": "skip", "panelist": "Nobody"}, "panelist"),
    ({"type": "mute"}, "panelist"),
    ({"type": "mute", "panelist": ""}, "panelist"),
    ({"type": "unmute", "panelist": "Nobody"}, "panelist"),
    ({"type": "remove", "panelist": "ben"}, "panelist"),
    ({"type": "add"}, "seat"),
    ({"type": "add", "seat": {"name": "Cleo"}}, "seat.model"),
    ({"type": "add", "seat": {**CLEO, "modle": "x"}}, "seat.modle"),
    ({"type": "add", "seat": {**CLEO, "name": "[C]"}}, "seat.name"),
    ({"type": "add", "seat": {**CLEO, "name": "host"}}, "seat.name"),
    ({"type": "add", "seat": {**CLEO, "name": "BEN"}}, "seat.name"),
    ({"type": "add", "seat": {**CLEO, "model": "nobody:x"}}, "seat.model"),
    ({"type": "add", "seat": {**CLEO, "options": {"tempo": 1}}}, "seat.options.tempo"),
    ({"type": "add", "seat": {**CLEO, "persona": "x" * 4_001}}, "seat.persona"),
    ({"type": "add", "seat": {**CLEO, "role": "king"}}, "seat.role"),
    ({"type": "add", "seat": {**CLEO, "role": "chair"}}, "seat.role"),
    ({"type": "add", "seat": {**CLEO, "name": "Kim"}}, "seat.name"),
    ({"type": "swap", "panelist": "Nobody", "seat": CLEO}, "panelist"),
    ({"type": "swap", "panelist": "Ben", "seat": {**CLEO, "model": "x"}}, "seat.model"),
    ({"type": "extend", "limits": {}}, "limits"),
    ({"type": "extend", "limits": {"max_rounds": 0}}, "limits.max_rounds"),
    ({"type": "extend", "limits": {"max_dollars": 1e13}}, "limits.max_dollars"),
    ({"type": "extend", "limits": {"rounds": 1}}, "limits.rounds"),
    ({"type": "title", "title": "x" * 201}, "title"),
]


async def test_what_no_table_could_do_is_not_accepted(client: Client) -> None:
    table = await convene(client, panel=[SLOW, {**ADA, "role": "chair"}])
    await tell(client, table, "said", type="say", text="I am here.", author="Kim")
    for command, field in WRONG:
        status, _, named = await problem(await tell(client, table, "k", **command))
        assert (status, named) == (400, field), command
    inbox = await (await client.get(f"{TABLES}/{table}")).json()
    assert inbox["transcript"]["inbox"] == 1, "none of it reached the table"


async def test_what_this_table_cannot_do_now_is_refused_with_why(client: Client) -> None:
    table = await convene(client)
    asked: list[dict[str, Any]] = [
        {"type": "mute", "panelist": "Ben"}, {"type": "remove", "panelist": "Ben"}, {"type": "verdict"},
        {"type": "unmute", "panelist": "Ben"}, {"type": "lower_hand"}, {"type": "add", "seat": SLOW},
        {"type": "retry", "turn": "t1"}, {"type": "resume"},
    ]  # fmt: skip
    for number, command in enumerate(asked):
        assert await problem(await tell(client, table, f"k{number}", **command)) == (409, "wrong_state", "")


# -- from Python and from the command line -------------------------------------------------------------------------


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with TestServer(app.build(Config(data=tmp_path))) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_a_table_of_the_sdk(url: str) -> None:
    ada = Panelist("Ada", "scripted:ada", options={"ttft": 3600})
    async with Sdk(url) as client:
        table = client.table((await client.convene("Why?", [ada, Panelist("Ben", "scripted:ben")])).id)
        told = [
            await table.title("Letters"), await table.raise_hand(), await table.lower_hand(),
            await table.say("Hm?", to="Ben", author="Kim"), await table.extend(max_rounds=7), await table.mute("Ben"),
            await table.unmute("Ben"), await table.add(Panelist("Cleo", "scripted:c")), await table.remove("Cleo"),
            await table.swap("Ben", Panelist("Dag", "scripted:d", options={"ttft": 3600})), await table.pause(),
            await table.resume(), await table.barge_in("Stop.", key="mine"), await table.skip(),
            await table.retry("t1"), await table.close(),
        ]  # fmt: skip
        assert [codec.event_type(entry.event) for entry in told if entry] == [
            "table.titled", "hand.raised", "hand.lowered", "message.posted", "limits.changed", "panel.changed",
            "panel.changed", "panel.changed", "panel.changed", "panel.changed", "table.paused", "table.resumed",
            "turn.cancelled", "turn.cancelled", "turn.queued", "table.closed",
        ]  # fmt: skip
        barged = told[12]
        assert barged is not None
        assert isinstance(barged.event, e.TurnCancelled)
        assert barged.event.command == "mine"
        transcript = await client.transcript(table.id)
    assert (transcript.title, transcript.limits.max_rounds, transcript.removed) == (
        "Letters",
        7,
        ["Cleo", "Ben"],
    )


async def test_a_table_is_told_from_the_command_line(url: str) -> None:
    async with Sdk(url) as client:
        table = (await client.convene("Why?", [Panelist("Ada", "scripted:ada", options={"ttft": 3600})])).id
    for words, effect in (
        (["title", "Letters"], "table.titled"),
        (["extend", "max_rounds=9", "max_dollars=2.5"], "limits.changed"),
        (["add", "Dag", "scripted:d", "--persona", "A cook."], "panel.changed"),
        (["say", "Dag?", "--to", "Dag", "--author", "Rosa"], "message.posted"),
        (["put", __file__, "--author", "Rosa"], "material.added"),
    ):
        said = await asyncio.to_thread(call, "tell", f"{url}/t/{table}", *words, "--json")
        assert (said.code, said.err) == (0, "")
        assert json.loads(said.out)["type"] == effect
    said = await asyncio.to_thread(call, "tell", table, "--server", url, "close")
    assert (said.code, said.out) == (0, "")
    assert "done: table.closed" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pause", "now"], "takes no 'now'"),
        (["mute", "Ada", "--to", "Ben"], "put to nobody"),
        (["extend", "max_rounds"], "LIMIT=NUMBER"),
        (["add", "Dag"], "model"),
        (["mute"], "mute needs its panelist; "),
        (["extend", "max_round=3"], "There is no limit 'max_round'; there is max_turns"),
        (["put"], "put takes one file"),
        (["put", "x", "--to", "Ada"], "put takes one file"),
    ],
)
def test_what_makes_no_command_is_told(words: list[str], told: str) -> None:
    said = call("tell", "x", *words)
    assert said.code == 2
    assert told in said.err
