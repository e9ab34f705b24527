"""OpenAI's official SDK, which both of its dialects are spoken through; no other file imports it.

Its client, the names of its errors, and the list of models, which every compatible server has.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urljoin

import httpx2
import msgspec
import openai

from providers.base import Embedded
from providers.connection import TIMEOUT, settings
from providers.presets import Preset
from providers.server import Errors, ModelServer

# Lists of models are for people to choose from; OpenRouter's, the longest, has about 400.
MODELS_LIMIT = 500
# Bytes of an answer: twelve texts' vectors of the widest models (4,096 decimals of 22 characters) are a megabyte.
EMBEDDINGS_LIMIT = 8 << 20
_ERRORS = Errors(openai.OpenAIError, openai.APIStatusError, openai.APITimeoutError, openai.APIConnectionError)


class _Model(msgspec.Struct):
    """What a server lists, with how much it holds by the names of vLLM, of OpenRouter and others, of Groq, of LM Studio
    and of llama.cpp's; whatever they mean, only a number is one."""

    id: str
    owned_by: str | None = None
    max_model_len: Any = None
    context_length: Any = None
    context_window: Any = None
    loaded_context_length: Any = None
    meta: Any = None

    def window(self) -> int | None:
        """Tokens; None where it does not tell."""
        inner = self.meta.get("n_ctx") if isinstance(self.meta, dict) else None
        told = (
            self.loaded_context_length,
            self.max_model_len,
            self.context_length,
            self.context_window,
            inner,
        )
        return next((each for each in told if type(each) is int and each > 0), None)


class _Models(msgspec.Struct):
    data: list[_Model]


class _Loaded(msgspec.Struct):
    """Ollama's models in memory, as `/api/ps` tells them."""

    class Model(msgspec.Struct):
        name: str
        context_length: int = 0

    models: list[Model] = []


class _Embeddings(msgspec.Struct):
    class Embedding(msgspec.Struct):
        index: int
        embedding: list[float]

    class Usage(msgspec.Struct):
        prompt_tokens: int | None = None

    data: list[Embedding]
    usage: Usage | None = None


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
        self._windows: dict[str, int] = {}  # as listed last

    def window(self, model: str, options: dict[str, Any]) -> int | None:
        """As `providers.base.Windows`: what the server told when it was last asked for its models."""
        return self._windows.get(model, self._preset.window)

    async def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        """See `providers.base.Embeds`. Vectors as decimals: not every compatible server knows the other way."""
        if self._client.is_closed():
            raise self._failures.cut()
        try:
            read = msgspec.json.decode(await self._embeddings(model, texts), type=_Embeddings)
        except msgspec.MsgspecError:
            raise self._failures.nonsense("something that is no list of embeddings") from None
        except self._refused as error:
            raise self._failed(error, model) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError):
            raise self._failures.cut() from None
        vectors = {each.index: each.embedding for each in read.data}
        if sorted(vectors) != list(range(len(texts))):
            raise self._failures.nonsense("other embeddings than it was asked for")
        tokens = read.usage.prompt_tokens if read.usage else None
        return Embedded([vectors[index] for index in range(len(texts))], tokens)

    async def _embeddings(self, model: str, texts: Sequence[str]) -> bytes:
        read = bytearray()
        async with self._client.embeddings.with_streaming_response.create(
            model=model, input=list(texts), encoding_format="float"
        ) as answer:
            async for data in answer.iter_bytes():
                read += data
                if len(read) > EMBEDDINGS_LIMIT:
                    raise self._failures.nonsense("more embeddings than it was asked for")
        return bytes(read)

    async def models(self, within: float) -> list[str]:
        """The models a server lists, within so many seconds; raises `ProviderError`. No vendor charges for it."""
        try:
            async with asyncio.timeout(within):
                answer = await self._client.models.with_raw_response.list()
                listed = msgspec.json.decode(answer.content, type=_Models).data[:MODELS_LIMIT]
                self._windows = {each.id: tokens for each in listed if (tokens := each.window())}
        except TimeoutError:
            raise self._failures.timed_out() from None
        except msgspec.MsgspecError:
            raise self._failures.nonsense("something that is no list of models") from None
        except self._refused as error:
            raise self._failed(error, "") from None
        if self._preset.loaded:
            await self._look_into_memory(within)
        # Gemini lists `models/NAME` and is asked for NAME.
        return [model.id.removeprefix("models/") for model in listed if model.owned_by != "roundtable"]

    async def _look_into_memory(self, within: float) -> None:
        """How much those hold that are loaded; a server that does not say so is none the worse."""
        address = urljoin(self._preset.base_url, self._preset.loaded)
        try:
            async with asyncio.timeout(within):
                answer = await self._client.get(address, cast_to=httpx2.Response)
            found = msgspec.json.decode(answer.content, type=_Loaded).models[:MODELS_LIMIT]
        except (TimeoutError, msgspec.MsgspecError, *self._refused):
            return
        self._windows |= {each.name: each.context_length for each in found if each.context_length > 0}
