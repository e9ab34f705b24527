"""The Chat Completions dialect over the official SDK: the request, the connection, and its typed errors.

What comes back is read by `chat.py` from the raw bytes. No retries and no deadline but for connecting: both
belong to the turn.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import httpx2
import msgspec
import openai

from protocol.errors import Invalid, ProviderError
from providers.base import Chunk, Request
from providers.chat import Completion
from providers.connection import TIMEOUT, listen, settings
from providers.failures import Failures, report, retry_after
from providers.options import read_chat
from providers.presets import Preset

# Lists of models are for people to choose from; OpenRouter's, the longest, has about 400.
MODELS_LIMIT = 500
# What the SDK raises on purpose; and by a key or an address that cannot be written into a request.
_REFUSED = (openai.OpenAIError, httpx2.InvalidURL, ValueError)


class _Models(msgspec.Struct):
    class Model(msgspec.Struct):
        id: str
        owned_by: str | None = None

    data: list[Model]


class _Foreign(openai.AsyncOpenAI):
    """For servers that are not OpenAI's: the SDK adds OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS
    to every request by itself."""

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": self.user_agent,
        }


class OpenAIProvider:
    """One server of this dialect. Holds one pool of connections; `now` (Unix seconds) reads dates in `retry-after`."""

    def __init__(self, preset: Preset, key: str = "", *, now: Callable[[], float] = time.time) -> None:
        self.name, self.local, self.destination = preset.name, preset.local, preset.seen_by
        self._preset, self._now = preset, now
        key_env = preset.key_envs[0] if preset.key_envs else ""
        self._failures = Failures(preset.title, preset.host, local=self.local, key_env=key_env, secret=key)
        self._client = (openai.AsyncOpenAI if preset.name == "openai" else _Foreign)(
            api_key=key or "none",  # local servers want no key, the SDK wants one
            base_url=preset.base_url,
            timeout=TIMEOUT,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(**settings(preset)),
        )

    def check(self, options: dict[str, Any]) -> None:
        """Raises `Invalid` when a panelist's options are not for this dialect."""
        read_chat(options)

    def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """See `providers.base.Provider.stream`."""
        completion = Completion(self._failures, request.model)
        return listen(partial(self._ask, request), completion, self._failures)

    async def models(self, within: float) -> list[str]:
        """The models a server lists, within so many seconds; raises `ProviderError`. No vendor charges for it."""
        try:
            async with asyncio.timeout(within):
                answer = await self._client.models.with_raw_response.list()
            listed = msgspec.json.decode(answer.content, type=_Models).data
        except TimeoutError:
            raise self._failures.timed_out() from None
        except msgspec.MsgspecError:
            raise self._failures.nonsense("something that is no list of models") from None
        except _REFUSED as error:
            raise self._failed(error, "") from None
        return [model.id for model in listed[:MODELS_LIMIT] if model.owned_by != "roundtable"]

    async def close(self) -> None:
        """Close every connection. A stream still open ends with `ProviderError`."""
        await self._client.close()

    async def _ask(self, request: Request) -> httpx2.Response:
        if self._client.is_closed():
            raise self._failures.cut()
        try:
            # `extra_body` is sent as it is and laid over the rest: the SDK checks and copies none of it.
            stream = await self._client.chat.completions.create(
                model=request.model, messages=[], stream=True, extra_body=self._body(request)
            )
        except Invalid as error:
            raise self._failures.refused(error.detail) from None
        except _REFUSED as error:
            # Not chained: the SDK's error prints the server's words, which may hold the key.
            raise self._failed(error, request.model) from None
        return stream.response

    def _body(self, request: Request) -> dict[str, Any]:
        body = read_chat(request.options).body()
        limits = [limit for limit in (request.max_tokens, body.pop("max_tokens", None)) if limit is not None]
        if limits:
            body[self._preset.limit] = min(limits)
        if "seed" in body:
            body[self._preset.seed] = body.pop("seed")
        if self._preset.stream_options:
            body["stream_options"] = self._preset.stream_options
        system = [{"role": "system", "content": request.system}] if request.system else []
        said = [{"role": message.role, "content": message.text} for message in request.messages]
        return {**body, "messages": [*system, *said]}

    def _failed(self, error: Exception, model: str) -> ProviderError:
        match error:
            case openai.APIStatusError():
                wait = retry_after(error.response.headers, self._now())
                return self._failures.reported(report(error.body, error.status_code), model, wait)
            case openai.APITimeoutError():
                return self._failures.timed_out()
            case openai.APIConnectionError() if isinstance(error.__cause__, httpx2.ConnectError):
                return self._failures.unreachable(error.__cause__)
            case openai.APIConnectionError():
                return self._failures.cut()
            case _:
                return self._failures.refused(f"The request cannot be sent: {type(error).__name__}")
