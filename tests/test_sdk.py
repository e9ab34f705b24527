"""What a program can ask, over HTTP and in process: one contract."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestServer

from protocol import commands
from protocol.errors import Invalid, NotFound, RoundtableError, WrongState
from protocol.findings import VerdictGiven
from protocol.messages import Limits, Panelist, Until
from protocol.transcript import fold
from roundtable.client import (
    Cancelled,
    CannotStream,
    Chunk,
    Client,
    Failed,
    Reset,
    Streams,
    TimedOut,
    local,
)
from roundtable.config import Config
from roundtable.edge import app
from roundtable.sdk import answering
from roundtable.tools.base import Context, Final, Step, Steps, Told, Tool
from roundtable.tools.toolbox import Toolbox
from tests.waiting import standstill

QUICK = {"prompt": "Why?", "options": {"text": "Hello there you.", "rate": 0, "ttft": 0}}
SLOW = {"prompt": "Why?", "options": {"text": "Hello there you.", "ttft": 3600}}
FAILS = {
    "prompt": "Why?",
    "options": {"text": "One two three.", "rate": 0, "fail_after": 2, "error": "quota"},
}
ADA = Panelist("Ada", "scripted:ada", options={"text": "Hello there.", "rate": 0, "ttft": 0})
BEN = Panelist("Ben", "scripted:ben", options={"text": "Not again.", "rate": 0, "ttft": 0})


class NoArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    steps: int = 0


class Endless:
    """Steps as fast as they are taken, and says whether it still runs."""

    name, title, summary, args = "endless", "Endless", "Never ends.", NoArgs

    def __init__(self) -> None:
        self.made = 0
        self.began, self.closed = asyncio.Event(), asyncio.Event()

    async def run(self, args: NoArgs, context: Context) -> AsyncGenerator[Told]:
        try:
            while not args.steps or self.made < args.steps:
                self.made += 1
                self.began.set()
                yield Steps([b'{"filling":"%b"}' % (b"x" * 4000)])
                await asyncio.sleep(0)
            yield Final({"made": self.made}, "steps")
        finally:
            self.closed.set()


class Talks:
    """Two voices, and a result without words."""

    name, title, summary, args = "talks", "Talks", "Some steps.", NoArgs

    async def run(self, args: NoArgs, context: Context) -> AsyncGenerator[Told]:
        for word in ("one ", "two"):
            yield Step({"text": word})
        yield Final({"count": 2}, "steps")


class Place:
    """A `Streams`, and the tool behind it."""

    def __init__(self, streams: Streams, endless: Endless) -> None:
        self.streams, self.endless = streams, endless


@pytest.fixture(params=["http", "local"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    endless = Endless()
    tools: list[Tool] = [endless, Talks()]
    if request.param == "local":
        async with local(tmp_path, tools=tools) as streams:
            yield Place(streams, endless)
        return
    init = Toolbox.__init__
    monkeypatch.setattr(Toolbox, "__init__", lambda box, given: init(box, [*given, *tools]))
    async with (
        TestServer(app.build(Config(data=tmp_path))) as server,
        Client(str(server.make_url(""))) as client,
    ):
        yield Place(client, endless)


@pytest.fixture
def streams(place: Place) -> Streams:
    return place.streams


async def reason_of(streams: Streams, invocation: str) -> dict[str, Any]:
    """How an invocation ended."""
    async with asyncio.timeout(20):
        return dict([event async for event in streams.follow(invocation)][-1].data)


# -- streams -------------------------------------------------------------------------------------------------------


async def test_an_invocation_from_its_init_to_its_end(streams: Streams) -> None:
    events = [event async for event in streams.stream("panelist/scripted:ada", "complete", QUICK)]
    assert [event.type for event in events] == ["init", "step", "step", "step", "converge"]
    assert "".join(event.text for event in events) == events[-1].data["final"]["text"] == "Hello there you."
    assert [event.data["t"] for event in events[1:]] == [1, 2, 3, 3]
    assert all(event.at > 0 for event in events)
    again = [event async for event in streams.follow(events[0].data["id"])]
    assert again == events
    for index, event in enumerate(events):
        rest = [event async for event in streams.follow(events[0].data["id"], event.cursor)]
        assert rest == events[index + 1 :]


async def test_steps_that_were_logged_together_are_told_apart(streams: Streams) -> None:
    events = [event async for event in streams.stream("tool/endless", "run", {"steps": 200})]
    assert [event.data["t"] for event in events if event.type == "step"] == list(range(1, 201))
    places = [(event.cursor.seq, event.cursor.part or 1 << 20) for event in events]
    assert places == sorted(set(places))
    parts = [event for event in events if event.cursor.part]
    assert parts
    follow = streams.follow(events[0].data["id"], parts[0].cursor)
    assert [event async for event in follow] == events[events.index(parts[0]) + 1 :]


async def test_who_closes_the_stream_ends_the_invocation(place: Place) -> None:
    async with aclosing(place.streams.stream("tool/endless", "run")) as events:
        id = (await anext(events)).data["id"]
        await anext(events)
    async with asyncio.timeout(20):
        await place.endless.closed.wait()
    assert (await reason_of(place.streams, id))["reason"] in ("command", "caller_left")


async def test_who_does_not_read_holds_the_tool_back(place: Place) -> None:
    async with aclosing(place.streams.stream("tool/endless", "run")) as events:
        await anext(events)
        made = await standstill(lambda: place.endless.made)
        assert made < 4000  # of 4 kB each: what the throttle and the sockets hold
        for _ in range(made + 10):  # and goes on as it is read
            await anext(events)
        assert place.endless.made > made


async def test_left_to_itself_and_cancelled_by_its_id(streams: Streams) -> None:
    id = await streams.invoke("panelist/scripted:ada", SLOW)
    await streams.cancel(id)
    await streams.cancel(id)
    assert (await reason_of(streams, id))["reason"] == "command"
    with pytest.raises(NotFound):
        await streams.cancel("0" * 16)


@pytest.mark.parametrize(
    ("address", "payload"), [("tool/talks", {}), ("panelist/scripted:ada", QUICK)], ids=["tool", "panelist"]
)
async def test_what_is_invoked_may_be_asked_for_so(
    streams: Streams, address: str, payload: dict[str, Any]
) -> None:
    events = [event async for event in streams.stream(address, "invoke", payload)]
    assert (events[0].type, events[-1].type) == ("init", "converge")


@pytest.mark.parametrize(
    ("address", "type", "field"),
    [
        ("panelist/scripted:ada", "follow", "type"),
        ("nothing/x", "run", "address"),
        ("tool", "run", "address"),
    ],
)
async def test_what_cannot_stream_says_so_at_once(
    streams: Streams, address: str, type: str, field: str
) -> None:
    with pytest.raises(CannotStream) as caught:
        streams.stream(address, type)
    assert caught.value.field == field


async def test_refusals_are_typed(streams: Streams) -> None:
    with pytest.raises(NotFound):
        await anext(streams.stream("tool/compleat", "run"))
    with pytest.raises(Invalid) as caught:
        await anext(streams.stream("tool/talks", "run", {"stepz": 1}))
    assert caught.value.field == "args.stepz"
    with pytest.raises(Invalid) as caught:
        streams.stream("roundtable/x", "say", {"txt": "Hm."})
    with pytest.raises(NotFound):
        await anext(streams.follow("nope"))
    with pytest.raises(NotFound):
        await anext(streams.stream("roundtable/nope", "follow"))


async def test_what_there_is(streams: Streams) -> None:
    tools = {tool["name"]: tool for tool in await streams.tools()}
    assert {"complete", "endless", "talks"} <= set(tools)
    assert tools["talks"]["address"] == "tool/talks"
    assert "steps" in str(tools["talks"]["args"])
    runs = [[event async for event in streams.stream("tool/talks", "run")] for _ in range(2)]
    ids = [events[0].data["id"] for events in runs]
    listed = [line async for line in streams.invocations()]
    assert [line["id"] for line in listed] == ids[::-1]
    assert [line["state"] for line in listed] == ["converge", "converge"]


# -- tables --------------------------------------------------------------------------------------------------------


async def test_a_table_as_a_stream_and_as_entries(streams: Streams) -> None:
    table, _ = await streams.convene("Why?", [ADA], limits=Limits(max_rounds=1), seed=7)
    entries = [entry async for entry in streams.events(table)]
    events = [event async for event in streams.stream(f"roundtable/{table}", "follow")]
    assert [event.cursor for event in events] == [entry.cursor for entry in entries]
    assert "".join(event.text for event in events) == "Hello there."
    assert fold(entries) == await streams.transcript(table)
    assert [summary.id async for summary in streams.tables()] == [table]
    after = {"after": str(events[-2].cursor)}
    rest = streams.stream(f"roundtable/{table}", "follow", after)
    assert [event async for event in rest] == events[-1:]
    assert await streams.head(table) == events[-1].cursor
    with pytest.raises(Reset):
        await anext(streams.stream(f"roundtable/{table}", "follow", {"after": "7-3"}))
    with pytest.raises(WrongState):
        await anext(streams.stream(f"roundtable/{table}", "say", {"text": "Hm."}))


async def test_what_is_said_at_a_table_is_answered(streams: Streams) -> None:
    table, _ = await streams.convene("Why?", [ADA, BEN], limits=Limits(max_rounds=1), then="rest")
    async with aclosing(streams.events(table)) as entries:
        async for entry in entries:
            if "Rested" in type(entry.event).__name__:
                break
    heard = await streams.stream_ask(f"roundtable/{table}", "say", {"text": "And now?"})
    assert heard == "Ada: Hello there.\n\nBen: Not again."
    await streams.command(table, commands.Close())


async def test_a_table_may_come_to_a_verdict(streams: Streams) -> None:
    """What the chair wrote for the table is no part of the answer, whichever way it is heard."""
    both = [{"panelist": name, "claim": "c1", "stance": "support"} for name in ("Ada", "Ben")]
    record = json.dumps({"claims": [{"claim": "c1", "text": "It holds."}], "stances": both})
    options = {"text": "## Answer\nIt holds.", "rate": 0, "ttft": 0, "cues": {"keep the record": record}}
    chair = Panelist("Dag", "scripted:dag", options=options, role="chair")
    table, _ = await streams.convene(
        "Why?",
        [ADA, BEN, chair],
        title="Reasons",
        verdict=True,
        until=Until(consensus=True),
        limits=Limits(max_rounds=3),
    )
    answer = await answering.ask(streams.stream(f"roundtable/{table}", "follow"), None, None)
    assert answer == "Ada: Hello there.\n\nBen: Not again.\n\nDag: ## Answer\nIt holds."
    held = await streams.transcript(table)
    assert (held.title, held.ended_reason, held.until.consensus) == ("Reasons", "consensus", True)
    assert [given.answer for given in held.found(VerdictGiven)] == ["It holds."]


# -- answers as a whole --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_answer_piece_by_piece(streams: Streams, asynchronous: bool) -> None:
    told: list[Chunk] = []

    async def later(chunk: Chunk) -> None:
        await asyncio.sleep(0)
        told.append(chunk)

    on_chunk = later if asynchronous else told.append
    said = await streams.stream_ask("panelist/scripted:ada", "complete", QUICK, on_chunk=on_chunk)
    assert said == "Hello there you."
    assert [chunk["type"] for chunk in told] == ["token", "token", "token", "done"]
    assert "".join(chunk["content"] for chunk in told[:-1]) == told[-1]["content"] == said
    assert all(chunk["error"] is None for chunk in told)
    assert all(chunk["timestamp"] > 1e9 for chunk in told)


async def test_a_result_without_words_is_its_json(streams: Streams) -> None:
    assert await streams.stream_ask("tool/talks", "run") == '{"count":2}'


async def test_an_answer_that_fails_is_one_error(streams: Streams) -> None:
    told: list[Chunk] = []
    with pytest.raises(Failed) as caught:
        await streams.stream_ask("panelist/scripted:ada", "complete", FAILS, on_chunk=told.append)
    assert caught.value.code == "quota"
    assert [chunk["type"] for chunk in told] == ["token", "token", "error"]
    assert told[-1]["content"] == "One two"
    assert told[-1]["error"] is not None
    assert told[-1]["error"]["code"] == "quota"


async def test_a_timeout_ends_what_was_invoked(place: Place) -> None:
    told: list[Chunk] = []
    with pytest.raises(TimedOut):
        await place.streams.stream_ask("tool/endless", "run", on_chunk=told.append, timeout=0.05)
    assert [chunk["error"] and chunk["error"]["code"] for chunk in told] == ["timeout"]
    async with asyncio.timeout(20):
        await place.endless.closed.wait()


async def test_cancelled_by_another_and_by_its_own_task(place: Place) -> None:
    told: list[Chunk] = []
    streams = place.streams
    ask = asyncio.create_task(
        streams.stream_ask("panelist/scripted:ada", "complete", SLOW, on_chunk=told.append)
    )
    other = asyncio.create_task(streams.stream_ask("tool/endless", "run", on_chunk=told.append))
    async with asyncio.timeout(20):
        await place.endless.began.wait()
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other
    async with asyncio.timeout(20):
        await place.endless.closed.wait()
    assert [chunk["error"] and chunk["error"]["code"] for chunk in told] == ["cancelled"]
    ask.cancel()
    await asyncio.wait([ask])
    assert len(told) == 2


async def test_a_callback_that_breaks_ends_it_and_hears_no_more(place: Place) -> None:
    told: list[Chunk] = []

    def broken(chunk: Chunk) -> None:
        told.append(chunk)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await place.streams.stream_ask("tool/talks", "run", on_chunk=broken)
    assert [chunk["type"] for chunk in told] == ["token"]


async def test_cancelled_by_somebody_else(streams: Streams) -> None:
    async def end_it() -> None:
        async with aclosing(streams.stream("panelist/scripted:ada", "complete", SLOW)) as events:
            await streams.cancel((await anext(events)).data["id"])
            assert [event.type async for event in events] == ["cancelled"]

    await end_it()
    id = await streams.invoke("panelist/scripted:ada", SLOW)
    follow = asyncio.create_task(streams.stream_ask(f"invocation/{id}", "follow"))
    await streams.cancel(id)
    with pytest.raises(Cancelled):
        await follow


def test_every_error_of_an_answer_is_ours() -> None:
    assert all(issubclass(kind, RoundtableError) for kind in (Cancelled, Failed, TimedOut, CannotStream))
