"""`/invoke`: what a caller sees, from `init` to the end."""

from pathlib import Path

import msgspec

from protocol import sse
from tests.serving import Connect, problem, serve

SAY = {
    "model": "scripted:ada",
    "prompt": "Why?",
    "options": {"text": "Hello there you.", "rate": 0, "ttft": 0},
}


async def test_an_invocation_from_its_init_to_its_end(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    async with client.post("/invoke", json={"tool": "complete", "args": SAY}) as response:
        assert response.content_type == "text/event-stream"
        decoder = sse.Decoder()
        frames = [frame async for piece in response.content.iter_any() for frame in decoder.feed(piece)]
    told = [msgspec.json.decode(frame.data) for frame in frames if frame.event]
    assert [frame.event for frame in frames if frame.event] == ["init", "step", "step", "step", "converge"]
    assert [each["t"] for each in told[1:]] == [1, 2, 3, 3]
    assert told[-1]["final"]["text"] == "Hello there you."


async def test_an_address_that_is_not_there(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    response = await client.post("/invoke", json={"tool": "compleat", "args": {}})
    assert (await problem(response))[:2] == (404, "not_found")
