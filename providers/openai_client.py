"""OpenAI's official SDK, which both of its dialects are spoken through; no other file imports it.

Its client, the names of its errors, and the list of models, which every compatible server has.
"""

import asyncio
import time
from collections.abc import Callable

import msgspec
import openai

from providers.connection import TIMEOUT, settings
from providers.presets import Preset
from providers.server import Errors, ModelServer

# Lists of models are for people to choose from; OpenRouter's, the longest, has about 400.
MODELS_LIMIT = 500
_ERRORS = Errors(openai.OpenAIError, openai.APIStatusError, openai.APITimeoutError, openai.APIConnectionError)


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


class OpenAIServer(ModelServer[openai.AsyncOpenAI]):
    """One server that OpenAI's SDK can speak to, in either of the two dialects."""

    def __init__(self, preset: Preset, key: str = "", *, now: Callable[[], float] = time.time) -> None:
        client = (openai.AsyncOpenAI if preset.name == "openai" else _Foreign)(
            api_key=key or "none",  # local servers want no key, the SDK wants one
            base_url=preset.base_url,
            timeout=TIMEOUT,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(**settings(preset)),
        )
        super().__init__(preset, key, client, _ERRORS, now)

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
        except self._refused as error:
            raise self._failed(error, "") from None
        # Gemini lists `models/NAME` and is asked for NAME.
        return [
            model.id.removeprefix("models/")
            for model in listed[:MODELS_LIMIT]
            if model.owned_by != "roundtable"
        ]
