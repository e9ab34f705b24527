"""The Messages dialect over the official SDK: the request, the connection, and its typed errors.

What comes back is read by `messages_api.py` from the raw bytes. No retries and no deadline but for connecting: both
belong to the turn.
"""

import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import anthropic
import httpx2

from protocol.errors import Invalid, ProviderError
from providers.base import Chunk, Request
from providers.connection import TIMEOUT, listen, settings
from providers.failures import Failures, report, retry_after
from providers.messages_api import Reply
from providers.options import read_messages
from providers.presets import Preset

# What the SDK raises on purpose; and by a key or an address that cannot be written into a request.
_REFUSED = (anthropic.AnthropicError, httpx2.InvalidURL, ValueError)


class _Foreign(anthropic.AsyncAnthropic):
    """For servers that are not Anthropic's: the SDK adds ANTHROPIC_CUSTOM_HEADERS to every request by itself."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._custom_headers = {}


class AnthropicProvider:
    """One server of this dialect. Holds one pool of connections; `now` (Unix seconds) reads dates in `retry-after`."""

    def __init__(self, preset: Preset, key: str = "", *, now: Callable[[], float] = time.time) -> None:
        self.name, self.local, self.destination = preset.name, preset.local, preset.seen_by
        self._now = now
        key_env = preset.key_envs[0] if preset.key_envs else ""
        self._failures = Failures(preset.title, preset.host, local=self.local, key_env=key_env, secret=key)
        self._client = (anthropic.AsyncAnthropic if preset.name == "anthropic" else _Foreign)(
            api_key=key or "none",  # else the SDK takes what it finds: ANTHROPIC_AUTH_TOKEN, profiles on disk
            base_url=preset.base_url.rstrip("/").removesuffix("/v1"),  # the SDK adds it
            timeout=TIMEOUT,
            max_retries=0,
            open_telemetry=False,  # its spans end with the SDK's reading, which is not used
            http_client=anthropic.DefaultAsyncHttpxClient(**settings(preset)),
        )

    def check(self, options: dict[str, Any]) -> None:
        """Raises `Invalid` when a panelist's options are not for this dialect."""
        read_messages(options)

    def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """See `providers.base.Provider.stream`."""
        return listen(partial(self._ask, request), Reply(self._failures, request.model), self._failures)

    async def close(self) -> None:
        """Close every connection. A stream still open ends with `ProviderError`."""
        await self._client.close()

    async def _ask(self, request: Request) -> httpx2.Response:
        if self._client.is_closed():
            raise self._failures.cut()
        try:
            # `extra_body` is sent as it is and laid over the rest: the SDK checks and copies none of it.
            stream = await self._client.messages.create(
                model=request.model, max_tokens=0, messages=[], stream=True, extra_body=_body(request)
            )
        except Invalid as error:
            raise self._failures.refused(error.detail) from None
        except _REFUSED as error:
            # Not chained: the SDK's error prints the server's words, which may hold the key.
            raise self._failed(error, request.model) from None
        return stream.response

    def _failed(self, error: Exception, model: str) -> ProviderError:
        match error:
            case anthropic.APIStatusError():
                wait = retry_after(error.response.headers, self._now())
                return self._failures.reported(report(error.body, error.status_code), model, wait)
            case anthropic.APITimeoutError():
                return self._failures.timed_out()
            case anthropic.APIConnectionError() if isinstance(error.__cause__, httpx2.ConnectError):
                return self._failures.unreachable(error.__cause__)
            case anthropic.APIConnectionError():
                return self._failures.cut()
            case _:
                return self._failures.refused(f"The request cannot be sent: {type(error).__name__}")


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
