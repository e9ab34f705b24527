"""A model server whose model's name says what it does, and which notes when its caller has gone."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

WORDS = ["One", " two", " three."]
# Seconds between words that never end, and between looks whether somebody still listens.
PACE, LOOK = 0.01, 0.001


class Upstream:
    """`left` holds, in Unix seconds, when each caller of an endless answer was gone."""

    def __init__(self) -> None:
        self.url = ""
        self.left: list[float] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`, always streamed."""
        asked = await request.json()
        if asked["model"] == "limited":
            error = {"error": {"message": "Too many.", "type": "requests", "code": "rate_limit_exceeded"}}
            return web.json_response(error, status=429, headers={"Retry-After": "7"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await getattr(self, f"_{asked['model']}")(request, response, asked)
        return response

    async def _words(self, request: web.Request, response: web.StreamResponse, asked: Any) -> None:
        for word in WORDS:
            await _send(response, {"delta": {"content": word}})
        await _stop(response, "stop")

    async def _broken(self, request: web.Request, response: web.StreamResponse, asked: Any) -> None:
        await _send(response, {"delta": {"content": WORDS[0]}})
        await response.write(
            b'data: {"error":{"message":"The machine is on fire.","code":"server_error"}}\n\n'
        )

    async def _tool(self, request: web.Request, response: web.StreamResponse, asked: Any) -> None:
        if asked["messages"][-1]["role"] == "tool":
            await _send(response, {"delta": {"content": f"It is {asked['messages'][-1]['content']}."}})
            await _stop(response, "stop")
            return
        head = {"index": 0, "id": "call_7", "type": "function", "function": {"name": "look", "arguments": ""}}
        await _send(response, {"delta": {"tool_calls": [head]}})
        for piece in ('{"where":', '"here"}'):
            await _send(response, {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}})
        await _stop(response, "tool_calls")

    async def _logprobs(self, request: web.Request, response: web.StreamResponse, asked: Any) -> None:
        for word in WORDS:
            token = {"token": word, "logprob": -0.5, "bytes": list(word.encode()), "top_logprobs": []}
            await _send(response, {"delta": {"content": word}, "logprobs": {"content": [token]}})
        await _stop(response, "stop")

    async def _endless(self, request: web.Request, response: web.StreamResponse, asked: Any) -> None:
        transport = request.transport
        assert transport is not None
        due = 0.0
        try:
            while not transport.is_closing():
                if time.monotonic() >= due:
                    due = time.monotonic() + PACE
                    await _send(response, {"delta": {"content": "word "}})
                await asyncio.sleep(LOOK)
        except ConnectionError:
            pass
        self.left.append(time.time())


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """One on a free port."""
    server, app = Upstream(), web.Application()
    app.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


async def _send(response: web.StreamResponse, choice: dict[str, Any]) -> None:
    chunk = {"choices": [{"index": 0, "finish_reason": None, **choice}]}
    await response.write(b"data: %b\n\n" % json.dumps(chunk).encode())


async def _stop(response: web.StreamResponse, reason: str) -> None:
    await _send(response, {"delta": {}, "finish_reason": reason})
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    await response.write(
        b"data: %b\n\ndata: [DONE]\n\n" % json.dumps({"choices": [], "usage": usage}).encode()
    )
