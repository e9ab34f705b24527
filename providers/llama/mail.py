"""What has come for one request and waits to be fetched."""

import asyncio
from collections.abc import AsyncGenerator

from protocol.errors import ProviderError
from providers.base import Chunk, Stop, Text, Token
from providers.llama.wire import Said


class Mail:
    """What has come for a request and was not fetched yet: at most one answer's words, and its end."""

    def __init__(self) -> None:
        self._said: list[Said] = []
        self._end: Stop | ProviderError | None = None
        self._news = asyncio.Event()
        self.over = asyncio.Event()
        self.asked = False

    def put(self, news: Said | Stop | ProviderError) -> None:
        """Words, or the end; only the first end counts."""
        if isinstance(news, Said):
            self._said.append(news)
        elif self._end is None:
            self._end = news
            self.over.set()
        self._news.set()

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """Everything to the end; what waits together comes as one chunk."""
        while said := await self._next():
            tokens = tuple(token for one in said for token in one.logprobs)
            yield Text("".join([one.text for one in said]), tokens)
        yield self._stop()

    async def tokens(self) -> AsyncGenerator[Token | Text | Stop]:
        """Everything to the end, each token by itself; `Text` is what was held back of the last ones."""
        while said := await self._next():
            for one in said:
                yield Text(one.text) if one.token < 0 else Token(one.token, one.text)
        yield self._stop()

    async def _next(self) -> list[Said]:
        """What waits, as soon as there is anything; nothing at the end."""
        while not (self._said or self._end):
            self._news.clear()
            await self._news.wait()
        said, self._said = self._said, []
        return said

    def _stop(self) -> Stop:
        if isinstance(self._end, Stop):
            return self._end
        assert self._end is not None
        raise self._end
