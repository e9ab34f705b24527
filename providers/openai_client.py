"""OpenAI's official SDK, which both of its dialects are spoken through; no other file imports it.

Its client, the names of its errors, and the list of models, which every compatible server has.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

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


class _Models(msgspec.Struct):
    class Model(msgspec.Struct):
        id: str
        owned_by: str | None = None

    data: list[Model]


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
