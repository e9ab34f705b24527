"""Row 8: how soon llama.cpp has stopped computing for someone who does not listen any more, beside what is promised.

From the decision to the child's word that it is over: while it reads a long prompt, and between two of its words.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from protocol.messages import Message
from providers.base import Chunk, Request
from providers.llama.provider import LlamaProvider, installed
from tests import tiny_gguf
from tests.bench.figures import Figure

TURNS = 12
# Milliseconds at the median: what a person takes for at once.
GOAL = 50.0
# A model that takes some seconds to read the prompt below, so that every stop falls within it.
LAYERS, WIDTH, HIDDEN, CONTEXT = 4, 512, 2048, 8192
PROMPT = "word " * 1_000
# Until it is well into the prompt, or the answer. Seconds.
LATER = 0.3


def measure(repeat: int) -> Iterator[Figure]:
    """Milliseconds."""
    if not installed():
        return
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in (("LAYERS", LAYERS), ("WIDTH", WIDTH), ("HIDDEN", HIDDEN), ("CONTEXT", CONTEXT)):
            patch.setattr(tiny_gguf, name, value)
        tiny_gguf.write(Path(folder, "bench.gguf"))
        reading, speaking = asyncio.run(_measure(Path(folder), max(2, repeat * TURNS // 3)))
    yield Figure("llama.cpp stopped in a prompt, beside the promise", "ms", reading, [GOAL], 1.0)
    yield Figure("llama.cpp stopped between words", "ms", speaking, [GOAL], 1.0)


async def _measure(folder: Path, turns: int) -> tuple[list[float], list[float]]:
    provider = LlamaProvider([folder], os.environ)
    reading = [await _stop(provider, f"{number} {PROMPT}", wait_for_word=False) for number in range(turns)]
    speaking = [await _stop(provider, f"{number} Well?", wait_for_word=True) for number in range(turns)]
    await provider.close()
    return reading, speaking


async def _stop(provider: LlamaProvider, text: str, *, wait_for_word: bool) -> float:
    request = Request("bench", "Be brief.", (Message("user", text),), options={"context": CONTEXT})
    chunks = provider.stream(request)
    waiting = asyncio.create_task(_first(chunks))
    if wait_for_word:
        await waiting
    await asyncio.sleep(LATER)
    began = time.perf_counter()
    if wait_for_word:
        await chunks.aclose()
    else:
        if waiting.done():
            raise RuntimeError(f"it was not reading any more: {waiting.exception()}")
        waiting.cancel()
        await asyncio.wait([waiting])
    while any(child.open for child in provider.children.all):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.0005)
    return 1000 * (time.perf_counter() - began)


async def _first(chunks: AsyncGenerator[Chunk]) -> None:
    await anext(chunks)
