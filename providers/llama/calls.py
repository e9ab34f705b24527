"""Tool calls in a model's words: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, as Qwen, Hermes and others
were trained to write them (github.com/NousResearch/Hermes-Function-Calling). What is no such call stays text.
"""

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from protocol.messages import Logprob
from providers.base import Chunk, Stop, Text, ToolCall
from providers.llama.text import overlap

OPEN, CLOSE = "<tool_call>", "</tool_call>"


class _Written(msgspec.Struct, frozen=True):
    name: str
    arguments: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(_Written)


class Calls:
    """One answer: feed its chunks, get them with the calls told apart. Holds back what may become one: at most one
    answer, which the context bounds."""

    def __init__(self) -> None:
        self._held = ""
        self._tokens: list[Logprob] = []
        self._made = False

    def feed(self, chunk: Chunk) -> Iterator[Chunk]:
        """What is known after this chunk."""
        if isinstance(chunk, Text):
            self._held += chunk.text
            self._tokens += chunk.logprobs
            while (at := self._held.find(OPEN)) >= 0 and (end := self._held.find(CLOSE, at)) >= 0:
                yield from self._words(self._held[:at])
                yield from self._call(self._held[at : end + len(CLOSE)])
                self._held = self._held[end + len(CLOSE) :]
            until = at if at >= 0 else len(self._held) - overlap(self._held, OPEN)
            yield from self._words(self._held[:until])
            self._held = self._held[until:]
        elif isinstance(chunk, Stop):
            yield from self._end(chunk)
        else:
            yield chunk

    def _end(self, stop: Stop) -> Iterator[Chunk]:
        # The end of the answer, or a stop sequence that ends the only call, stands for its closing.
        if self._held.startswith(OPEN) and stop.reason in ("end", "stop_sequence"):
            yield from self._call(self._held)
        else:
            yield from self._words(self._held)
        made = self._made and stop.reason != "length"
        yield Stop("tool_calls", stop.usage) if made else stop

    def _call(self, written: str) -> Iterator[Chunk]:
        try:
            call = _decoder.decode(written.removeprefix(OPEN).removesuffix(CLOSE).strip())
        except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            yield from self._words(written)
            return
        self._made = True
        self._tokens.clear()  # those that wrote it
        yield ToolCall(
            f"call_{secrets.token_hex(8)}", call.name, msgspec.json.encode(call.arguments).decode()
        )

    def _words(self, words: str) -> Iterator[Chunk]:
        if self._made and not words.strip():  # line ends between calls
            return
        if words:
            tokens, self._tokens = tuple(self._tokens), []
            yield Text(words, tokens)
