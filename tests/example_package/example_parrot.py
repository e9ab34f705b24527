"""A provider: its models say again what they were told last, a word at a time."""

from collections.abc import AsyncGenerator, Mapping

from protocol.messages import Usage
from providers.base import Chunk, Request, Stop, Text


class Parrot:
    """`parrot:NAME`, for any name. Made from the environment, where a real one finds its key."""

    name = "parrot"
    local = True
    destination = "this machine"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._before = environ.get("PARROT_SAYS", "")

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """The last message's words; closing it needs nothing, as nothing is held."""
        words = [self._before, *request.messages[-1].text.split()]
        for word in filter(None, words):
            yield Text(f"{word} ")
        yield Stop("end", Usage(input=len(words), output=len(words)))

    async def close(self) -> None:
        """Nothing is open."""
