"""Threads through the SDK, over HTTP and in process: a conversation that is answered in one stream. One contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from protocol.errors import Invalid, KeyReused, NotFound
from protocol.messages import Limits, Panelist
from roundtable.client import Chunk, Client, Failed, Streams, local
from roundtable.config import Config
from roundtable.edge import app


@pytest.fixture(params=["http", "local"])
async def streams(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Streams]:
    if request.param == "local":
        async with local() as streams:
            yield streams
        return
    async with (
        TestServer(app.build(Config(data=tmp_path))) as server,
        Client(str(server.make_url(""))) as client,
    ):
        yield client


async def test_a_conversation(streams: Streams) -> None:
    thread, cursor = await streams.thread("scripted:x", title="Why?", system="Be brief.")
    address = f"thread/{thread}"
    events = [event async for event in streams.stream(address, "say", {"text": "Hello?"})]
    assert events[-1].type == "thread.rested"
    said = "".join(event.text for event in events)
    told: list[Chunk] = []
    assert await streams.stream_ask(address, "say", {"text": "Again."}, on_chunk=told.append) == said
    assert "".join(chunk["content"] for chunk in told[:-1]) == told[-1]["content"] == said
    messages = await streams.messages(thread)
    assert [message["text"] for message in messages] == ["Hello?", said, "Again.", said]
    assert [message["state"] for message in messages] == ["complete"] * 4
    follow = streams.stream(address, "follow", {"after": str(cursor)})
    assert [await anext(follow) for _ in range(3)][2].cursor <= events[1].cursor
    await follow.aclose()


async def test_what_is_posted_twice_is_said_once(streams: Streams) -> None:
    thread, _ = await streams.thread("scripted:x")
    posted = await streams.post(thread, "Once.", author="Eva", key="k")
    assert await streams.post(thread, "Once.", author="Eva", key="k") == posted
    assert (await streams.messages(thread))[0] == posted.message
    assert (posted.message["author"], posted.message["state"]) == ("Eva", "complete")
    with pytest.raises(KeyReused):
        await streams.post(thread, "Something else.", key="k")


async def test_an_answer_that_fails(streams: Streams) -> None:
    ada = Panelist("Ada", "scripted:x", options={"text": "a", "error": "quota"})
    thread, _ = await streams.thread(panel=[ada], limits=Limits(max_turns=1))
    with pytest.raises(Failed) as caught:
        await streams.stream_ask(f"thread/{thread}", "say", {"text": "Hello?"})
    assert caught.value.code == "quota"


async def test_a_thread_is_no_table_and_a_table_no_thread(streams: Streams) -> None:
    thread, _ = await streams.thread("scripted:x", record=False)
    table, _ = await streams.convene("Why?", [Panelist("Ada", "scripted:ada")], limits=Limits(max_rounds=1))
    for address in (f"roundtable/{thread}", f"thread/{table}"):
        with pytest.raises(NotFound):
            await anext(streams.stream(address, "follow"))
    for asked in (streams.post(table, "Hm."), streams.messages(table), streams.post("thread-nope", "Hm.")):
        with pytest.raises(NotFound):
            await asked
    assert [summary.id async for summary in streams.tables()] == [table]
    with pytest.raises(Invalid) as caught:
        await streams.post(thread, " ")
    assert caught.value.field == "text"
