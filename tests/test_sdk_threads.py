"""Threads through the SDK: a conversation that is answered in one stream."""

from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from roundtable.client import Chunk, Client, Failed
from roundtable.config import Config
from roundtable.edge import app
from roundtable.hosting.host import Host

pytestmark = pytest.mark.skipif(not hasattr(Host, "begin_thread"), reason="this server has no threads")


async def test_a_conversation(tmp_path: Path) -> None:
    async with (
        TestServer(app.build(Config(data=tmp_path))) as server,
        Client(str(server.make_url(""))) as client,
    ):
        thread, cursor = await client.thread("scripted:x", title="Why?", system="Be brief.")
        address = f"thread/{thread}"
        events = [event async for event in client.stream(address, "say", {"text": "Hello?"})]
        assert events[-1].type == "thread.rested"
        said = "".join(event.text for event in events)
        told: list[Chunk] = []
        assert await client.stream_ask(address, "say", {"text": "Again."}, on_chunk=told.append) == said
        assert "".join(chunk["content"] for chunk in told[:-1]) == told[-1]["content"] == said
        messages = await client.messages(thread)
        assert [message["text"] for message in messages] == ["Hello?", said, "Again.", said]
        follow = client.stream(address, "follow", {"after": str(cursor)})
        assert [await anext(follow) for _ in range(3)][2].cursor <= events[1].cursor
        await follow.aclose()
        posted = await client.post(thread, "Once.", key="k")
        assert await client.post(thread, "Once.", key="k") == posted


async def test_an_answer_that_fails(tmp_path: Path) -> None:
    async with (
        TestServer(app.build(Config(data=tmp_path))) as server,
        Client(str(server.make_url(""))) as client,
    ):
        panel = [{"name": "Ada", "model": "scripted:x", "options": {"text": "a", "error": "quota"}}]
        thread, _ = await client._made("/v1/threads", {"panel": panel})
        with pytest.raises(Failed) as caught:
            await client.stream_ask(f"thread/{thread}", "say", {"text": "Hello?"})
        assert caught.value.code == "quota"
