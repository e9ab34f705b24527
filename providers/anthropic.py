"""The Messages dialect over the official SDK: the client and the request.

What comes back is read by `messages_api.py` from the raw bytes.
"""

import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2

from providers.base import Request
from providers.connection import TIMEOUT, settings
from providers.messages_api import MessagesAnswer
from providers.messages_options import read_messages
from providers.presets import Preset
from providers.server import Errors, ModelServer

_ERRORS = Errors(
    anthropic.AnthropicError,
    anthropic.APIStatusError,
    anthropic.APITimeoutError,
    anthropic.APIConnectionError,
)


class _Foreign(anthropic.AsyncAnthropic):
    """For servers that are not Anthropic's: the SDK adds ANTHROPIC_CUSTOM_HEADERS to every request by itself."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._custom_headers = {}


class AnthropicProvider(ModelServer[anthropic.AsyncAnthropic]):
    """One server of this dialect."""

    reader = MessagesAnswer

    def __init__(self, preset: Preset, key: str = "", *, now: Callable[[], float] = time.time) -> None:
        client = (anthropic.AsyncAnthropic if preset.name == "anthropic" else _Foreign)(
            api_key=key or "none",  # else the SDK takes what it finds: ANTHROPIC_AUTH_TOKEN, profiles on disk
            base_url=preset.base_url.rstrip("/").removesuffix("/v1"),  # the SDK adds it
            timeout=TIMEOUT,
            max_retries=0,
            open_telemetry=False,  # its spans end with the SDK's reading, which is not used
            http_client=anthropic.DefaultAsyncHttpxClient(**settings(preset)),
        )
        super().__init__(preset, key, client, _ERRORS, now)

    def check(self, options: dict[str, Any]) -> None:
        read_messages(options)

    async def _send(self, request: Request) -> httpx2.Response:
        # `extra_body` is sent as it is and laid over the rest: the SDK checks and copies none of it.
        stream = await self._client.messages.create(
            model=request.model, max_tokens=0, messages=[], stream=True, extra_body=_body(request)
        )
        return stream.response


def _body(request: Request) -> dict[str, Any]:
    """The request, with two marks up to which the vendor may cache it.

    The last message says who has the floor and changes; what is before it begins this panelist's next request too.
    Too short a prompt is not cached, and a mark in it costs nothing.
    """
    body = read_messages(request.options, request.max_tokens).body()
    if request.system:
        body["system"] = _cached(request.system)
    said: list[dict[str, Any]] = [
        {"role": message.role, "content": message.text} for message in request.messages
    ]
    for message in said[-2:-1]:
        message["content"] = _cached(message["content"])
    return {**body, "messages": said}


def _cached(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
