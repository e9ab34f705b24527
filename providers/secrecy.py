"""Where our own key must not go: into a sentence of ours, or into what a model is heard to say.

A server may echo the key in an error, whole or shortened, and stream it back as the model's words. No I/O.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from protocol.messages import Logprob, TopLogprob
from providers.base import Chunk, Stop, Text, Thinking, ToolCall

MARK = "[key]"
# Servers shorten a key when they echo it. Eight characters in a row are no coincidence, and fewer are no use.
PART = 8
# Shorter keys are words that local servers are given for want of one (`ollama`, `EMPTY`): a model may say them.
KEY_LENGTH = 16


class Secret:
    """One server's key; empty where it has none."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._parts = _parts(key)

    def scrub(self, text: str) -> str:
        """`text` without the key, nor any word that holds eight characters of it in a row."""
        if not self._key:
            return text
        text = text.replace(self._key, MARK)
        return re.sub(
            r"[^\s'\"]+", lambda word: MARK if any(p in word[0] for p in self._parts) else word[0], text
        )

    def scrubber(self) -> "Scrubber | None":
        """For one answer's chunks; None where there is nothing to keep out of them."""
        return Scrubber(self._key) if len(self._key) >= KEY_LENGTH else None


class Scrubber:
    """Takes the key out of one answer's words, however they are cut into chunks.

    Text, thinking and each tool call's arguments are read apart, as they are put together apart. The first seven
    characters of what may become the key are shown at once; what follows them waits until it is told apart, so
    words that end as the key begins are not delayed. At most a key's length is held of each. Tokens with their
    logarithms wait as long, and are left out where they spell the key.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._parts = _parts(key)
        self._text, self._thinking, self._spelt = _Words(key), _Words(key), _Words(key)
        self._arguments: dict[str, _Words] = {}
        self._tokens: list[Logprob] = []

    def chunks(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The same, without the key."""
        for chunk in chunks:
            match chunk:
                case Text():
                    yield from self._words(chunk)
                case Thinking():
                    if shown := self._thinking.feed(chunk.text):
                        yield chunk if shown is chunk.text else Thinking(shown)
                case ToolCall(call, name, arguments):
                    shown = self._arguments.setdefault(call, _Words(self._key)).feed(arguments)
                    if name or shown:
                        yield ToolCall(call, name, shown)
                case Stop():
                    yield chunk

    def _words(self, chunk: Text) -> Iterator[Text]:
        shown = self._text.feed(chunk.text)
        for token in chunk.logprobs:
            self._hold(token)
        if not shown:
            return
        if self._tokens and not self._spelt.waits:
            tokens, self._tokens = tuple(self._tokens), []
            yield Text(shown, tokens)
        else:
            yield chunk if shown is chunk.text and not chunk.logprobs else Text(shown)

    def _hold(self, token: Logprob) -> None:
        clean = tuple(other for other in token.top_logprobs if not self._tells(other))
        self._tokens.append(msgspec.structs.replace(token, top_logprobs=clean))
        if MARK in self._spelt.feed(token.token) or self._tells(token):
            self._tokens.clear()

    def _tells(self, token: Logprob | TopLogprob) -> bool:
        spelt = bytes(byte & 0xFF for byte in token.bytes or ()).decode(errors="replace")
        return any(part in token.token or part in spelt for part in self._parts)

    def rest(self) -> Iterator[Chunk]:
        """What was held back and is not the key, at the end of the answer."""
        if rest := self._thinking.rest():
            yield Thinking(rest)
        if rest := self._text.rest():
            yield Text(rest, tuple(self._tokens))
        for call, words in self._arguments.items():
            if rest := words.rest():
                yield ToolCall(call, "", rest)


def _parts(key: str) -> set[str]:
    starts = range(max(0, len(key) - PART) + 1)
    return {key[start : start + PART] for start in starts} if key else set()


class _Words:
    """One run of words. `_tail` is what of them may begin the key; its first `_shown` characters are out already."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._tail = ""
        self._shown = 0

    def feed(self, text: str) -> str:
        if not self._tail and self._key[0] not in text:
            return text
        words, said = self._tail + text, ""
        while (at := words.find(self._key)) >= 0:
            said += words[self._shown : at] + MARK
            words, self._shown = words[at + len(self._key) :], 0
        begins = self._begins(words)
        until = max(self._shown, min(begins + PART - 1, len(words)))
        said += words[self._shown : until]
        self._tail, self._shown = words[begins:], until - begins
        return said

    @property
    def waits(self) -> bool:
        """Whether so much of the key may have come that the rest of it is not to be shown."""
        return len(self._tail) >= PART

    def rest(self) -> str:
        rest, self._tail, self._shown = self._tail[self._shown :], "", 0
        return rest

    def _begins(self, words: str) -> int:
        """Where the longest end of `words` stands that the key begins with."""
        at = words.find(self._key[0], max(0, len(words) - len(self._key) + 1))
        while at >= 0 and not self._key.startswith(words[at:]):
            at = words.find(self._key[0], at + 1)
        return at if at >= 0 else len(words)
