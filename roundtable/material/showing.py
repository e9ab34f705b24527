"""Shows pictures to a model that sees: their bytes are put into a request just before it is sent."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from msgspec.structs import replace

from protocol.errors import LogError, NotFound, ProviderError
from protocol.messages import Image, Message
from providers.base import Chunk, Provider, Request

Open = Callable[[str], Awaitable[str]]
"""A picture's bytes in base64, by their SHA-256."""


def sees(provider: Provider) -> bool:
    """Whether pictures can be sent through this provider: it says so by an attribute `images`."""
    return bool(getattr(provider, "images", False))


class Showing:
    """Implements `Provider` by another that sees."""

    def __init__(self, provider: Provider, opened: Open) -> None:
        self._provider, self._open = provider, opened
        self.name, self.local, self.destination = provider.name, provider.local, provider.destination

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """As the other's, once the pictures are there. Raises `ProviderError`."""
        try:
            messages = tuple([await self._shown(message) for message in request.messages])
        except (LogError, NotFound) as error:
            raise ProviderError(
                f"A picture on the table cannot be read: {error.detail}", code="internal", retryable=True
            ) from error
        async with aclosing(self._provider.stream(replace(request, messages=messages))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        """The other's, which is not ours to close."""

    async def _shown(self, message: Message) -> Message:
        if not message.images:
            return message
        return replace(message, images=tuple([await self._opened(image) for image in message.images]))

    async def _opened(self, image: Image) -> Image:
        return replace(image, data=await self._open(image.sha256))
