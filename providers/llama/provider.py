"""`llama:NAME`: a GGUF file in a configured folder, spoken by llama.cpp in a child process of its own.

A file that kills llama.cpp kills that child and the requests it had, and no table.
"""

import importlib.util
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from protocol.errors import Invalid, ProviderError
from providers import calling
from providers.base import Chunk, Request, Stop, Text, Token
from providers.llama import calls, wire
from providers.llama.child import Patience
from providers.llama.children import LOADED, Children
from providers.llama.files import ModelFile, ModelFiles
from providers.llama.options import Options, read_options
from providers.options import least, named, stops

INSTALL = "pip install 'roundtable[local]' (or make local)"


class LlamaProvider:
    """Models under `folders`. `environ` is what children inherit a little of; the rest is for tests."""

    name = "llama"
    local = True
    destination = "this machine (llama.cpp)"

    def __init__(
        self,
        folders: Sequence[Path],
        environ: Mapping[str, str],
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        most: int = LOADED,
    ) -> None:
        self.files = ModelFiles(folders)
        self.children = Children(environ, patience=patience, clock=clock, most=most)

    def check(self, options: Mapping[str, Any]) -> None:
        """Raises `Invalid`, naming the option, when it is unknown or wrong."""
        read_options(options)

    def find(self, model: str) -> ModelFile:
        """The model's file. Raises `Invalid`: no such file, or (`not_configured`) no folder or no llama.cpp."""
        if not installed():
            detail = f"llama.cpp is not installed: {INSTALL}, and restart."
            raise Invalid(detail, field="model", code="not_configured")
        return self.files.find(model)

    def window(self, model: str, options: dict[str, Any]) -> int | None:
        """As `providers.base.Windows`."""
        try:
            return self.children.context(self.files.find(model), read_options(options).loading)
        except Invalid:
            return None

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """One answer; its words come as they are made. Closing returns once llama.cpp has stopped, mid-prompt too."""
        file, options = self._asked(request)
        tools = () if request.tool_choice == "none" else request.tools
        # Where only one may be made, its end is the answer's.
        one_call = (calls.CLOSE,) if tools and not options.parallel_tool_calls else ()
        ask = wire.Ask(
            id=0,
            system=request.system,
            messages=request.messages,
            sampling=options.sampling,
            stop=(*stops(options.stop), *one_call),
            max_tokens=least(request.max_tokens, options.max_tokens),
            tools=tools,
            logprobs=options.top_logprobs if options.logprobs else None,
        )
        child = await self.children.obtain(file, options.loading)
        made = calls.Calls() if tools else None
        async with aclosing(child.answer(ask)) as chunks:
            async for chunk in chunks:
                for told in (chunk,) if made is None else made.feed(chunk):
                    yield told

    async def generate(
        self, model: str, prompt: str, max_tokens: int, options: dict[str, Any]
    ) -> AsyncGenerator[Token | Text | Stop]:
        """As `providers.base.Generates`; `options` are those of a panelist."""
        file, found = self._asked(Request(model, "", (), options=options))
        ask = wire.Ask(
            0, "", (), found.sampling, stops(found.stop), least(max_tokens, found.max_tokens), raw=prompt
        )
        child = await self.children.obtain(file, found.loading)
        async with aclosing(child.tokens(ask)) as tokens:
            async for token in tokens:
                yield token

    async def close(self) -> None:
        """End every child."""
        await self.children.close()

    def _asked(self, request: Request) -> tuple[ModelFile, Options]:
        try:
            calling.check(request)
            _check_choice(request.tool_choice)
            options = read_options(request.options)
        except Invalid as error:
            raise ProviderError(named(error), code="bad_request", retryable=False) from error
        try:
            return self.find(request.model), options
        except Invalid as error:
            code = error.code if error.code == "not_configured" else "model_not_found"
            raise ProviderError(error.detail, code=code, retryable=False) from error


def _check_choice(choice: str) -> None:
    """To demand a call of a model takes a grammar, which is not had here."""
    if choice not in ("auto", "none"):
        detail = "tool_choice: a model on this machine may call a tool, and cannot be made to."
        raise Invalid(detail, field="tool_choice")


def installed() -> bool:
    """Whether llama-cpp-python is there; it is not imported, and never in this process."""
    return importlib.util.find_spec("llama_cpp") is not None
