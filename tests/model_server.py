"""A compatible server whose models say what a test tells them, by what they are asked: scripted at the wire."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

Answer = Callable[[str, str], str]
"""From a model's name and the last message it was sent, what it says."""


class _Message(msgspec.Struct):
    role: str
    content: str


class Asked(msgspec.Struct):
    """A request as it came, as far as tests look at it."""

    model: str
    messages: list[_Message]
    max_tokens: int | None = None


class ModelServer:
    """`asked` are the requests so far, in the order in which they came."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[Asked] = []
        self.url = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Chat Completions, streamed: a word a frame."""
        asked = msgspec.json.decode(await request.read(), type=Asked)
        self.asked.append(asked)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        words = self._answer(asked.model, asked.messages[-1].content).split(" ")
        for number, word in enumerate(words):
            choice = {"index": 0, "delta": {"content": f" {word}" if number else word}, "finish_reason": None}
            await response.write(_frame({"choices": [choice]}))
        stop = {"index": 0, "delta": {}, "finish_reason": "stop"}
        usage = {"prompt_tokens": sum(len(message.content) for message in asked.messages) // 4,
                 "completion_tokens": len(words)}  # fmt: skip
        await response.write(_frame({"choices": [stop], "usage": usage}) + b"data: [DONE]\n\n")
        return response


def _frame(body: dict[str, object]) -> bytes:
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", **body}).encode() + b"\n\n"


@asynccontextmanager
async def models(answer: Answer) -> AsyncIterator[ModelServer]:
    """Serve them on a free port; `url` is what a configuration takes as `base_url`."""
    server = ModelServer(answer)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
