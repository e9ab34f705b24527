"""What has come for one request and waits to be fetched."""

import asyncio
from collections.abc import AsyncGenerator

from protocol.errors import ProviderError
from providers.base import Chunk, Stop, Text


class Mail:
    """What has come for a request and was not fetched yet: at most one answer's text, joined, and its end."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._end: Stop | ProviderError | None = None
        self._news = asyncio.Event()
        self.over = asyncio.Event()
        self.asked = False

    def put(self, news: str | Stop | ProviderError) -> None:
        """Text, or the end; only the first end counts."""
        if isinstance(news, str):
            self._text.append(news)
        elif self._end is None:
            self._end = news
            self.over.set()
        self._news.set()

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """Everything to the end; what waits together comes as one chunk."""
        while True:
            while self._text:
                text, self._text = "".join(self._text), []
                yield Text(text)
            if isinstance(self._end, ProviderError):
                raise self._end
            if self._end is not None:
                yield self._end
                return
            self._news.clear()
            await self._news.wait()
