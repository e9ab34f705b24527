"""The Chat Completions dialect: the request. What comes back is read by `chat_api.py`."""

from typing import Any

import httpx2

from providers.base import Request
from providers.chat_api import ChatAnswer
from providers.openai_client import OpenAIServer
from providers.openai_options import read_chat
from providers.options import least


class OpenAIProvider(OpenAIServer):
    """One server of this dialect: OpenAI's own, or one of the many compatible ones."""

    reader = ChatAnswer

    def check(self, options: dict[str, Any]) -> None:
        read_chat(options)

    async def _send(self, request: Request) -> httpx2.Response:
        # `extra_body` is sent as it is and laid over the rest: the SDK checks and copies none of it.
        stream = await self._client.chat.completions.create(
            model=request.model, messages=[], stream=True, extra_body=self._body(request)
        )
        return stream.response

    def _body(self, request: Request) -> dict[str, Any]:
        body = read_chat(request.options).body()
        limit = least(request.max_tokens, body.pop("max_tokens", None))
        if limit is not None:
            body[self._preset.limit] = limit
        if "seed" in body:
            body[self._preset.seed] = body.pop("seed")
        if self._preset.stream_options:
            body["stream_options"] = self._preset.stream_options
        system = [{"role": "system", "content": request.system}] if request.system else []
        said = [{"role": message.role, "content": message.text} for message in request.messages]
        return {**body, "messages": [*system, *said]}
