"""Speaks a script at a pace, and fails on request: for the demo, for tests and for load. No model, no network.

`scripted:NAME` works for any NAME; without a script of its own, a demo voice's name plays that part.
A token here is a word with the white space before it, so counts are exact and the text joins again.
"""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Protocol
from zlib import crc32

import msgspec

from protocol import codec
from protocol.errors import Invalid, ProviderError
from protocol.messages import Logprob, StopReason, TopLogprob, Usage
from providers import calling, demo
from providers.base import Chunk, Embedded, Request, Stop, Text, Thinking, ToolCall
from providers.failures import RETRYABLE
from providers.options import (
    LIMIT,
    Bias,
    One,
    Penalty,
    Share,
    Stops,
    Temperature,
    Tokens,
    Top,
    least,
    named,
    read,
    renamed,
    stops,
)

PLAIN_RATE = 20.0  # tokens per second of an ordinary script: about what a mid-sized hosted model does
DEMO_RATE = 10.0  # words per second: quick reading, slow enough to watch the light pass from seat to seat
DEMO_TTFT = 0.8  # seconds before the first word: a breath
DEMO_PAUSE = 0.35  # seconds after a sentence
JITTER = 0.3  # a seed varies each step by up to this share, so the mean pace stays
TICK = 0.002  # seconds; what is due sooner goes out at once: a timer is hardly finer, and each costs a turn
BURST = 64  # tokens between two turns of the loop when nothing has to be waited for
FRAGMENT = 16  # characters of JSON in one fragment of a tool call
DIMENSIONS = 256  # of an embedding: of a sentence's words few fall together
MOST_CALLS = 128  # in one turn: as many as tools may be given to OpenAI's models

_TOKEN = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")
_SENTENCE_END = re.compile(r"[.!?…:]['’\"”“»)*]*\s*\Z")

Code = Literal[
    "auth", "model_not_found", "rate_limited", "quota", "unavailable", "bad_request", "context_overflow",
    "content_filter", "timeout", "connection", "malformed", "not_configured",
]  # fmt: skip

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call to make."""

    name: str
    arguments: dict[str, Any] = {}


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What any client sends any model. A script is right when these are, and says what it says: nothing is chosen."""

    temperature: Temperature | None = None
    top_p: Share | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: Bias = {}
    response_format: dict[str, Any] = {}
    parallel_tool_calls: bool = True
    reasoning_effort: str = ""
    user: str = ""
    n: One = 1


class Options(Taken, frozen=True, forbid_unknown_fields=True):
    """A script. `text` is said every turn, of `lines` the n-th own turn says one, in a circle. Where what is
    asked holds one of the `cues`, its text is said instead.

    `rate` is in tokens per second (0: as fast as possible), `ttft` in seconds; `seed` varies the pace.
    `fail_after` and `hang_after` count tokens, thinking included; `error` alone fails before the first.
    `usage` replaces what was counted; "none" is a server that told nothing.
    `tool` is called after the text; `calls` are made instead of it, and it is said once they have their results.
    `stop` ends the text before it; of its `logprobs` each is 0, since a script is certain.
    """

    text: str | None = None
    lines: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None
    cues: dict[str, str] = {}
    rate: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    ttft: _Seconds | None = None
    seed: int | None = None
    max_tokens: Tokens | None = None
    stop: Stops | None = None
    thinking: str = ""
    tool: Tool | None = None
    calls: Annotated[tuple[Tool, ...], msgspec.Meta(max_length=MOST_CALLS)] = ()
    logprobs: bool = False
    top_logprobs: Top | None = None
    stop_reason: StopReason | None = None
    usage: Usage | Literal["none"] | None = None
    error: Code | None = None
    fail_after: _Count | None = None
    hang_after: _Count | None = None
    retryable: bool | None = None
    retry_after: _Seconds | None = None

    @property
    def has_script(self) -> bool:
        """Whether it says what to play; without, a demo voice's name plays that part."""
        return any((self.text is not None, self.lines is not None, self.tool is not None, self.cues))

    @property
    def fails_at(self) -> int | None:
        """After how many tokens it fails; None when it does not."""
        return 0 if self.error is not None and self.fail_after is None else self.fail_after


class Clock(Protocol):
    """Time in seconds, from any origin."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class LoopClock:
    """The running event loop's clock."""

    def now(self) -> float:
        """Seconds, monotonic."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 lets others run once."""
        await asyncio.sleep(seconds)


class ScriptedProvider:
    """Plays scripts. A stream that is open when it closes ends at its next wait."""

    name = "scripted"
    local = True
    destination = "this machine (scripted; no model is running)"
    images = True

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or LoopClock()
        self._closed = asyncio.Event()

    def check(self, options: Mapping[str, Any]) -> None:
        """Raises `Invalid`, naming the option, when it is unknown or wrong."""
        read_options(options)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """Play one turn. Deadlines are absolute, so a slow reader shifts no later word."""
        options = _asked(request)
        turn = sum(message.role == "assistant" for message in request.messages)
        calls = _calls(request, options)
        spoken, reason = ([], "tool_calls") if calls else _spoken(request, options, turn)
        chunks: list[Chunk] = [
            *(Thinking(token) for token in _TOKEN.findall(options.thinking)),
            *(Text(token, _logprobs(token, options)) for token in spoken),
        ]
        usage = _usage(request, thinking=len(chunks) - len(spoken), text=len(spoken))
        chunks += _told(
            request, calls or (() if options.tool is None or reason == "length" else (options.tool,))
        )
        breaks_at = min((at for at in (options.fails_at, options.hang_after) if at is not None), default=None)

        pace, seed = _pace(request, options), f"{options.seed}/{request.speaker}/{turn}"
        start, burst = self._clock.now(), 0
        await self._wait(pace.ttft)
        for due, chunk in _schedule(chunks[:breaks_at], pace, seed):
            ahead = start + due - self._clock.now()
            if ahead > TICK or burst == BURST:
                await self._wait(max(0.0, ahead))
                burst = 0
            burst += 1
            yield chunk
        if breaks_at is not None and breaks_at <= len(chunks):
            raise await self._failure(options, breaks_at)
        yield Stop(reason, None if options.usage == "none" else options.usage or usage)

    async def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        """See `providers.base.Embeds`: by the words in common, in whatever order."""
        words = [text.casefold().split() for text in texts]
        return Embedded([_direction(each) for each in words], sum(map(len, words)))

    async def close(self) -> None:
        """End what is open."""
        self._closed.set()

    async def _wait(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if self._closed.is_set():
            raise ProviderError("The scripted voices were closed.", code="connection")

    async def _failure(self, options: Options, at: int) -> ProviderError:
        if options.hang_after == at:
            await self._closed.wait()
            await self._wait(0)
        code = options.error or "unavailable"
        retryable = code in RETRYABLE if options.retryable is None else options.retryable
        return ProviderError(
            f"The script fails here, as it was told to: {code} after {at} tokens.",
            code=code,
            retryable=retryable,
            retry_after=options.retry_after,
        )


def read_options(options: Mapping[str, Any]) -> Options:
    """The options; raises `Invalid` naming the one that is unknown or wrong."""
    asked = read(renamed(dict(options), LIMIT), Options)
    if asked.text is not None and asked.lines is not None:
        raise Invalid("A script has either `text` or `lines`, not both.", field="options.lines")
    return asked


def _asked(request: Request) -> Options:
    try:
        calling.check(request)
        return read_options(request.options)
    except Invalid as error:
        raise ProviderError(named(error), code="bad_request", retryable=False) from error


def _spoken(request: Request, options: Options, turn: int) -> tuple[list[str], StopReason]:
    """The turn's tokens as far as they may be said, and why they end."""
    text = _text(request, options, turn)
    ends: StopReason = options.stop_reason or ("tool_calls" if options.tool else "end")
    if found := [at for stop in stops(options.stop) if (at := text.find(stop)) >= 0]:
        text, ends = text[: min(found)], "stop_sequence"
    tokens: list[str] = _TOKEN.findall(text)
    limit = least(request.max_tokens, options.max_tokens)
    if limit is not None and limit < len(tokens):
        return tokens[:limit], "length"
    return tokens, ends


def _text(request: Request, options: Options, turn: int) -> str:
    asked = request.messages[-1].text if request.messages else ""
    if cue := next((cue for cue in options.cues if cue in asked), None):
        return options.cues[cue]
    if options.text is not None:
        return options.text
    if options.lines is not None:
        return options.lines[turn % len(options.lines)]
    if options.tool is not None:
        return ""
    if request.model in demo.VOICES:
        return demo.perform(request, turn)
    return f"This is scripted:{request.model[:60]}, a voice without a script. No model is running."


def _calls(request: Request, options: Options) -> tuple[Tool, ...]:
    """Those made before anything is said: the script's, or else the one that is demanded. Not after their results."""
    if request.tool_choice == "none" or (request.messages and request.messages[-1].role == "tool"):
        return ()
    if options.calls or request.tool_choice == "auto":
        return options.calls if options.parallel_tool_calls else options.calls[:1]
    wanted = request.tools[0].name if request.tool_choice == "required" else request.tool_choice
    return (Tool(wanted),)


def _told(request: Request, calls: Iterable[Tool]) -> Iterator[ToolCall]:
    first = 1 + sum(len(message.calls) for message in request.messages)
    for number, tool in enumerate(calls, first):
        yield ToolCall(f"call_{number}", name=_as_given(request, tool.name))
        arguments = codec.encode(tool.arguments).decode()
        for at in range(0, len(arguments), FRAGMENT):
            yield ToolCall(f"call_{number}", arguments=arguments[at : at + FRAGMENT])


def _direction(words: Sequence[str]) -> list[float]:
    vector = [0.0] * DIMENSIONS
    for word in words or [""]:
        vector[crc32(word.encode(errors="replace")) % DIMENSIONS] += 1.0
    return vector


def _as_given(request: Request, name: str) -> str:
    """`server.tool` is what people call what a model is given as `server__tool`."""
    given = name.replace(".", "__")
    return given if any(tool.name == given for tool in request.tools) else name


def _logprobs(token: str, options: Options) -> tuple[Logprob, ...]:
    if not options.logprobs:
        return ()
    data = list(token.encode())
    return (Logprob(token, 0.0, data, (TopLogprob(token, 0.0, data),) if options.top_logprobs else ()),)


def _usage(request: Request, *, thinking: int, text: int) -> Usage:
    prompt = [request.system, *(message.text for message in request.messages)]
    return Usage(input=sum(len(part.split()) for part in prompt), output=thinking + text, thinking=thinking)


class _Pace(NamedTuple):
    """`step` and `pause` (after a sentence) in seconds; `jitter` as a share of the step."""

    ttft: float
    step: float
    pause: float = 0.0
    jitter: float = 0.0


def _pace(request: Request, options: Options) -> _Pace:
    """A demo voice reads at its own pace; who names a rate gets exactly that."""
    if request.model in demo.VOICES and not options.has_script and options.rate is None:
        ttft = DEMO_TTFT if options.ttft is None else options.ttft
        return _Pace(ttft, 1 / DEMO_RATE, DEMO_PAUSE, JITTER)
    rate = PLAIN_RATE if options.rate is None else options.rate
    return _Pace(
        options.ttft or 0.0, 1 / rate if rate else 0.0, jitter=JITTER if options.seed is not None else 0.0
    )


def _schedule(chunks: Iterable[Chunk], pace: _Pace, seed: str) -> Iterator[tuple[float, Chunk]]:
    """Each chunk with the seconds after the start at which it is due."""
    dice = random.Random(seed)
    due = pace.ttft
    for chunk in chunks:
        yield due, chunk
        due += pace.step * (1 + dice.uniform(-pace.jitter, pace.jitter))
        if pace.pause and isinstance(chunk, Text) and _SENTENCE_END.search(chunk.text):
            due += pace.pause
