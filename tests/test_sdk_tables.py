"""Tables through the SDK, over HTTP and in process: forks, kept panels, files, the lens, the verdict. One contract."""

import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from protocol.cursor import Cursor
from protocol.errors import Invalid, KeyReused, NotFound, WrongState
from protocol.messages import Limits, Panelist, Until
from protocol.transcript import Transcript
from roundtable.client import Client, Streams, SyncClient, local
from roundtable.config import Config, Panel
from roundtable.edge import app
from roundtable.material.forms import MAX_FILE
from tests import files


def seat(name: str, **more: Any) -> Panelist:
    return Panelist(name, f"scripted:{name.lower()}", options={"text": f"{name} is sure.", "rate": 0}, **more)


ADA, BEN, CLEO = seat("Ada"), seat("Ben"), seat("Cleo")
ONE = Limits(max_rounds=1)
HOUSE = {"house": Panel(panel=(ADA,), policy="floor_time", limits=Limits(max_turns=2))}


@pytest.fixture(params=["http", "local"])
async def streams(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Streams]:
    if request.param == "local":
        async with local(tmp_path / "d", config=Config(panels=HOUSE)) as streams:
            yield streams
        return
    config = Config(data=tmp_path / "d", panels=HOUSE)
    async with (
        TestServer(app.build(config)) as server,
        Client(str(server.make_url(""))) as client,
    ):
        yield client


async def held(streams: Streams, table: str) -> Transcript:
    """The table once it is over."""
    async for _ in streams.records(table):
        pass
    return await streams.transcript(table)


def spoken(table: Transcript) -> list[tuple[str, str]]:
    return [(turn.panelist, turn.model) for turn in table.turns]


# -- forks -----------------------------------------------------------------------------------------------------------


async def test_a_fork_has_what_was_said_and_its_changes(streams: Streams) -> None:
    table = streams.table((await streams.convene("Why?", [ADA, BEN], limits=ONE)).id)
    was = await held(streams, table.id)
    other = Panelist("Ben", "scripted:other", options={"rate": 0})
    fork = await table.fork(panel=[BEN, ADA, CLEO], message="And now?", author="Rosa", title="Again")
    now = await held(streams, fork.id)
    assert now.title == "Again"
    assert [turn.text for turn in now.turns][:2] == [turn.text for turn in was.turns]
    assert [turn.panelist for turn in now.turns][2:] == ["Ben", "Ada", "Cleo"]
    assert [(said.author, said.text) for said in now.messages] == [("Rosa", "And now?")]
    assert now.origin is not None
    assert (now.origin.table, now.origin.cursor) == (table.id, was.cursor)
    early = await table.fork(after=Cursor.parse(was.cursor), panel=[other], policy="parallel", limits=ONE)
    assert spoken(await held(streams, early.id))[2:] == [("Ben", "scripted:other")]
    assert [line.table for line in await table.forks()] == [fork.id, early.id]
    for wrong, field in (
        ({"after": "7-3"}, "after"),
        ({"message": " "}, "message.text"),
        ({"to": "Dag"}, "message.text"),
    ):
        with pytest.raises(Invalid) as refused:
            await table.fork(**wrong)
        assert refused.value.field == field
    with pytest.raises(NotFound):
        await streams.fork("nowhere")


# -- panels ----------------------------------------------------------------------------------------------------------


async def test_a_panel_is_kept_and_convened_by_its_name(streams: Streams) -> None:
    kept = await streams.save_panel(
        "review", [ADA, BEN], policy="parallel", limits=ONE, verdict=False, until=Until(loop=True)
    )
    assert kept == await streams.panel("review")
    assert [(each.name, each.source) for each in await streams.panels()] == [
        ("house", "config"),
        ("review", "saved"),
    ]
    now = await held(streams, (await streams.convene("Why?", saved="review")).id)
    assert (now.policy, now.limits, now.until.loop, now.then) == ("parallel", ONE, True, "close")
    now = await held(
        streams, (await streams.convene("Why?", [CLEO], saved="review", policy="round_robin")).id
    )
    assert (now.policy, [turn.panelist for turn in now.turns]) == ("round_robin", ["Cleo"])
    now = await held(streams, (await streams.convene("Why?", saved="house")).id)
    assert (now.policy, now.spent.turns) == ("floor_time", 2)
    await streams.delete_panel("review")
    with pytest.raises(NotFound):
        await streams.panel("review")
    with pytest.raises(Invalid, match="no panel 'review'"):
        await streams.convene("Why?", saved="review")
    with pytest.raises(WrongState):
        await streams.save_panel("house", [BEN])
    with pytest.raises(Invalid) as refused:
        await streams.save_panel("other", [Panelist("Ada", "nobody:x")])
    assert refused.value.field == "panel[0].model"


# -- files -----------------------------------------------------------------------------------------------------------


async def test_files_are_on_the_table_and_given_back(streams: Streams, tmp_path: Path) -> None:
    (tmp_path / "letters.csv").write_bytes(b"3;old;new")
    picture = ("red.png", files.png())
    id, _ = await streams.convene(
        "What of it?", [ADA], files=[tmp_path / "letters.csv", picture], then="rest"
    )
    table = streams.table(id)
    await table.put(("more.txt", b"More."), author="Rosa", key="k")
    await table.put(("more.txt", b"More."), author="Rosa", key="k")
    with pytest.raises(KeyReused):
        await table.put(("more.txt", b"Less."), author="Rosa", key="k")
    there = (await table.transcript()).materials
    assert [(each.material, each.name, each.form) for each in there] == [
        ("d1", "letters.csv", "text"), ("d2", "red.png", "image"), ("d3", "more.txt", "text"),
    ]  # fmt: skip
    assert await table.material("d2") == files.png()
    with pytest.raises(NotFound):
        await table.material("d9")
    await table.close()


@pytest.mark.parametrize("size", [None, MAX_FILE + 1])
async def test_a_file_that_cannot_be_sent(streams: Streams, tmp_path: Path, size: int | None) -> None:
    if size:
        (tmp_path / "x").write_bytes(b" " * size)
    with pytest.raises(Invalid, match=r"larger than 5 MiB|No such file"):
        await streams.convene("Why?", files=[tmp_path / "x"])
    assert [table async for table in streams.tables()] == []


# -- the lens, the verdict ---------------------------------------------------------------------------------------


async def test_what_a_model_was_sent(streams: Streams) -> None:
    table = streams.table((await streams.convene("Why?", [ADA, BEN], limits=ONE)).id)
    await held(streams, table.id)
    seen = await table.prompt("t2")
    assert (seen.panelist, seen.model, seen.matches) == ("Ben", "scripted:ben", True)
    assert "Ada is sure." in seen.messages[-1].text
    with pytest.raises(NotFound):
        await table.prompt("t9")
    with pytest.raises(NotFound):
        await streams.prompt("nowhere", "t1")


async def test_the_verdict_is_there_or_not(streams: Streams) -> None:
    table = streams.table((await streams.convene("Why?", [ADA, BEN], limits=ONE, verdict=False)).id)
    await held(streams, table.id)
    assert await table.verdict_given() is None
    fork = streams.table((await table.fork(verdict=True, then="close")).id)
    await held(streams, fork.id)
    given = await fork.verdict_given()
    assert given is not None
    assert given.answered == ["Ada", "Ben"]


async def test_seats_have_offices_and_substitutes(streams: Streams) -> None:
    chair = seat("Dag", role="chair", fallback=["scripted:other"])
    id, _ = await streams.convene("Why?", [ADA, BEN, chair], limits=ONE)
    now = await held(streams, id)
    assert now.panel[2] == chair
    assert [turn.panelist for turn in now.turns] == ["Ada", "Ben"]
    with pytest.raises(Invalid) as refused:
        await streams.convene("Why?", [seat("Ada", tools=["nowhere.*"])])
    assert refused.value.field.startswith("panel[0]")


# -- numbers that are none -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
async def test_what_json_cannot_say_is_refused_by_name(streams: Streams, value: float) -> None:
    """`null` would be sent for it, which means that there is no limit."""
    odd = Panelist("Ada", "scripted:ada", options={"pace": [1.0, {"rate": value}]})
    for asked, field in (
        (streams.convene("Why?", [ADA], limits=Limits(max_dollars=value)), "limits.max_dollars"),
        (streams.convene("Why?", [ADA, odd]), "panel[1].options.pace[1].rate"),
        (streams.convene("Why?", [ADA], until=Until(convergence=value)), "until.convergence"),
        (streams.save_panel("x", [ADA], limits=Limits(max_seconds=value)), "limits.max_seconds"),
        (streams.thread("scripted:x", limits=Limits(max_dollars=value)), "limits.max_dollars"),
        (streams.invoke("panelist/scripted:x", {"prompt": "Why?", "options": {"rate": value}}), "args.options.rate"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            await asked
        assert refused.value.field == field
    with pytest.raises(Invalid, match=r"payload\.options\.rate"):
        streams.stream("panelist/scripted:x", "complete", {"prompt": "Why?", "options": {"rate": value}})
    assert [table async for table in streams.tables()] == []
    table = streams.table((await streams.convene("Why?", [ADA], limits=ONE, then="rest")).id)
    with pytest.raises(Invalid) as refused:
        await table.extend(max_dollars=value)
    assert refused.value.field == "limits.max_dollars"
    await table.close()


def test_without_async_as_well() -> None:
    with SyncClient(local()) as client:
        client.call("save_panel", "one", [ADA], limits=ONE)
        assert [kept.name for kept in client.call("panels")] == ["one"]
        table = client.call("convene", "Why?", saved="one").id
        client.call("records", table)
        assert client.call("prompt", table, "t1").matches
        assert client.call("fork", table, message="And now?").id != table
