"""Chat Completions' stream: the chunks of one answer as they stand on the wire, `data:` and all.

A step's words go out as the JSON they are in the log: nothing is decoded and encoded again for a token.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from protocol import codec, invocation
from protocol.messages import Usage
from protocol.views import openai
from protocol.views.openai import FinishReason, Retry, Step

DONE = b"data: [DONE]\n\n"
# Most steps: words and nothing else. What comes before them is ours and holds no quote.
_WORDS = re.compile(rb'\{"type":"step","at":[0-9.]+,"t":[0-9]+,"text":("(?:[^"\\]|\\.)++")\}')


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What every chunk of an answer begins with. `created` is in Unix seconds."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    roundtable: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class Chunks:
    """`Writer` of one answer's stream. With `usage` a last chunk tells it, and every other has a null there; `error`
    makes the body of an error of what failed."""

    def __init__(
        self, head: Head, *, usage: bool = False, error: Callable[[invocation.Failed], bytes]
    ) -> None:
        self._head, self._usage, self._error = head, usage, error
        self._close = (b',"usage":null' if usage else b"") + b"}\n\n"
        self._plain = b',"logprobs":null,"finish_reason":null}]' + self._close
        self._calls: dict[str, int] = {}
        self.failed: invocation.Failed | None = None
        self.retry: Retry | None = None
        self._open()

    def about(self, ours: Mapping[str, Any]) -> None:
        """As `Writer.about`."""
        self._head = msgspec.structs.replace(self._head, roundtable={**(self._head.roundtable or {}), **ours})
        self._open()

    def _open(self) -> None:
        self._bare = b"data: " + codec.encode(self._head)[:-1]
        self._delta = self._bare + b',"choices":[{"index":0,"delta":'

    def begin(self) -> bytes:
        """As `Writer.begin`: who speaks."""
        return self._chunk(b'{"role":"assistant","content":"","refusal":null}')

    def say(self, text: str) -> bytes:
        """As `Writer.say`."""
        return self._words(codec.encode(text))

    def told(self, body: bytes) -> bytes:
        """As `Writer.told`: none, one or several chunks."""
        return b"".join([self._event(kind, data) for kind, data in invocation.shown(body)])

    def end(self, reason: FinishReason, used: Usage | None) -> bytes:
        """As `Writer.end`: the last chunks, and that it is done."""
        last = b'{},"logprobs":null,"finish_reason":"%b"}]' % reason.encode()
        count = b""
        if self._usage and used is not None:
            count = b'%b,"choices":[],"usage":%b}\n\n' % (self._bare, codec.encode(openai.usage(used)))
        return self._delta + last + self._close + count + DONE

    def fail(self, failed: invocation.Failed) -> bytes:
        """As `Writer.fail`: OpenAI's packages raise it. No `[DONE]` follows, as it is not done."""
        return b"data: %b\n\n" % self._error(failed)

    def object(self) -> bytes:
        """As `Writer.object`: there is none."""
        return b""

    def _words(self, text: bytes) -> bytes:
        return b'%b{"content":%b}%b' % (self._delta, text, self._plain)

    def _chunk(self, delta: bytes) -> bytes:
        return self._delta + delta + self._plain

    def _event(self, kind: bytes, body: bytes) -> bytes:
        if kind == b"step":
            plain = _WORDS.fullmatch(body)
            return self._words(plain[1]) if plain else self._step(openai.step(body))
        if kind == b"converge":
            return openai.finish(self, openai.final(body))
        if kind in invocation.ENDINGS:
            self.failed = openai.failure(body)
        return b""

    def _step(self, step: Step) -> bytes:
        self.retry = step.retry
        if step.call:
            return self._chunk(codec.encode({"tool_calls": [self._fragment(step)]}))
        if step.thinking:
            return self._chunk(codec.encode({"reasoning_content": step.thinking}))
        if not step.logprobs:
            return self._words(codec.encode(step.text)) if step.text else b""
        said = codec.encode({"content": step.text})
        logprobs = codec.encode(openai.Logprobs(step.logprobs))
        return b'%b%b,"logprobs":%b,"finish_reason":null}]%b' % (self._delta, said, logprobs, self._close)

    def _fragment(self, step: Step) -> dict[str, Any]:
        """Part of a call: its id, type and name stand in the first one only."""
        if step.call in self._calls:
            return {"index": self._calls[step.call], "function": {"arguments": step.arguments}}
        index = self._calls[step.call] = len(self._calls)
        function = {"name": step.name, "arguments": step.arguments}
        return {"index": index, "id": step.call, "type": "function", "function": function}
