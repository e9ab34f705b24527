"""`/generate/stream`: a model on this machine goes on with a text, one frame per sampled token, then `[DONE]`.

It is an invocation of the tool `generate` that is not recorded and belongs to its connection. What goes wrong before
the first token is a problem document; later it is an `error` in the stream.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec
from aiohttp import HttpVersion11, web

from protocol import codec, invocation, sse
from protocol.cursor import ZERO
from protocol.errors import Invalid, LogError, NotFound, ProviderError, RoundtableError
from protocol.invocation import Converge, Failed
from protocol.messages import StopReason, Usage
from roundtable.edge import keys
from roundtable.edge.callers import HEARTBEAT, Callers, give, prepare
from roundtable.edge.limits import address, body
from roundtable.edge.operations import operation
from roundtable.edge.tables import json
from roundtable.fanout.framing import ChunkedEventStream, EventStream, View, encode
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.reading import Reading
from roundtable.invocations.invocations import Ask, Begun
from roundtable.invocations.throttle import Throttle
from roundtable.log.base import Record
from roundtable.tools.generate import Args

_BROKEN = invocation.ENDINGS - {b"converge"}
# What the process of a model refuses because of what was asked.
_ASKED_WRONGLY = {"bad_request", "context_overflow", "model_not_found", "not_configured"}


class Generation(Args, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /generate/stream`. Without `stream` the answer is one `Generated`."""

    stream: bool = True


class Counted(msgspec.Struct, frozen=True):
    """Tokens, by the names of OpenAI's completions."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Sampled(msgspec.Struct, frozen=True):
    """One frame. `text` is empty while a character is unfinished, and comes with the token that completes it."""

    index: int
    token: int
    text: str


class Ended(msgspec.Struct, frozen=True):
    """The last frame but `[DONE]`. `text` is what had been held back: the beginning of a stop sequence that did not
    come, or a replacement for a character that was not completed."""

    index: int
    text: str
    finish_reason: str
    usage: Counted


class Generated(msgspec.Struct, frozen=True):
    """The whole text, and the ids of the tokens it was made of."""

    model: str
    text: str
    tokens: list[int]
    finish_reason: str
    usage: Counted


class _Step(msgspec.Struct, frozen=True):
    t: int
    token: int
    text: str


class _Final(msgspec.Struct, frozen=True):
    text: str
    rest: str
    stop_reason: StopReason
    usage: Usage


_decoder = msgspec.json.Decoder(Generation)
_step_decoder = msgspec.json.Decoder(_Step)


class _Data(EventStream):
    """Frames of nothing but data; heartbeats are comments."""

    name = "data"

    def frame(self, cursor: object, event: bytes, data: bytes) -> bytes:
        return b"data: %b\n\n" % data

    def notice(self, event: bytes, data: bytes) -> bytes:
        return sse.comment(event.decode())

    def mark(self, cursor: object) -> bytes:
        return b""


class _ChunkedData(_Data, ChunkedEventStream):
    name = "data-chunked"


def _frames(record: Record) -> Sequence[tuple[bytes, bytes]]:
    frames: list[tuple[bytes, bytes]] = []
    for event, data in invocation.shown(record.body):
        match event:
            case b"step":
                step = _step_decoder.decode(data)
                frames.append((event, codec.encode(Sampled(step.t - 1, step.token, step.text))))
            case b"converge":
                t, final = _final(data)
                frames.append(
                    (event, codec.encode(Ended(t, final.rest, _reason(final), _counted(final.usage))))
                )
                frames.append((event, b"[DONE]"))
            case b"error" | b"cancelled":
                error = _error(data)
                about = {"code": error.code, "message": error.detail, "retryable": error.retryable}
                frames.append((event, codec.encode({"error": about})))
            case _:
                pass  # that it began, waits, pauses
    return frames


TOKENS = View("tokens", _frames, farewell=False)
_CHUNKED, _PLAIN = _ChunkedData(), _Data()


class Generating:
    """The handler of `/generate/stream`."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    @operation(tag="generate", body=Generation, answers={200: "text/event-stream"})
    async def stream(self, request: web.Request) -> web.StreamResponse:
        """`POST /generate/stream`: go on with a text; each sampled token as it is chosen."""
        asked: Generation = codec.decode_json(await body(request), _decoder)
        throttle = Throttle()
        async with self._begun(request, asked, throttle) as reading:
            first = await _first(reading)
            if first and codec.body_type(first[0].body) in _BROKEN:
                raise _error(first[0].body)
            if not asked.stream:
                return await _whole(asked, first, reading)
            response, outlet = await prepare(request)
            with suppress(ConnectionError, LogError):
                if outlet is not None:
                    framing = _CHUNKED if request.version >= HttpVersion11 else _PLAIN
                    await _open(outlet, framing, first)
                    await give(outlet, reading, TOKENS, framing, throttle)
            return response

    @asynccontextmanager
    async def _begun(
        self, request: web.Request, asked: Generation, throttle: Throttle
    ) -> AsyncIterator[Reading]:
        """The invocation, as long as its caller is there, and no longer."""
        invocations = request.app[keys.INVOCATIONS]
        args = msgspec.to_builtins(asked)
        del args["stream"]
        try:
            begun = await invocations.invoke(
                Ask("tool/generate", args, address(request), record=False, throttle=throttle)
            )
        except Invalid as error:
            raise Invalid(error.detail, field=error.field.removeprefix("args."), code=error.code) from error
        try:
            async with request.app[keys.FLEETING].reading(begun.stream, ZERO) as reading:
                if request.transport is None:
                    raise ConnectionResetError("the caller has left")
                with self._callers.watch(request.transport, lambda: invocations.drop(begun.id)):
                    yield reading
        finally:
            throttle.release()
            await _end(request, begun)


async def _first(reading: Reading) -> list[Record]:
    """What was told first, beside that it began; nothing when that takes longer than one should wait for a head."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEARTBEAT):
            while records := await reading.take():
                if told := [record for record in records if _is_told(record)]:
                    return told
    return []


def _is_told(record: Record) -> bool:
    return codec.body_type(record.body) in {b"step", b"steps", *invocation.ENDINGS}


async def _open(outlet: Outlet, framing: EventStream, first: Sequence[Record]) -> None:
    await outlet.send(framing.wrap(sse.comment() + encode(TOKENS, framing, first)))


async def _whole(asked: Generation, first: Sequence[Record], reading: Reading) -> web.Response:
    tokens: list[int] = []
    last = b""
    async for record in _chained(first, reading):
        for event, data in invocation.shown(record.body):
            if event == b"step":
                tokens.append(_step_decoder.decode(data).token)
        last = record.body
    if codec.body_type(last) != b"converge":
        raise _error(last)
    _, final = _final(last)
    return json(Generated(asked.model, final.text, tokens, _reason(final), _counted(final.usage)))


async def _chained(first: Sequence[Record], reading: Reading) -> AsyncIterator[Record]:
    for record in first:
        yield record
    async for record in reading:
        yield record


async def _end(request: web.Request, begun: Begun) -> None:
    """Stop it if it has not ended, and forget it."""
    invocations = request.app[keys.INVOCATIONS]
    with suppress(NotFound):  # it has ended
        await invocations.cancel(begun.id, "caller_left")
    await invocations.forget(begun.id)


def _final(data: bytes) -> tuple[int, _Final]:
    event = invocation.decode(data)
    assert isinstance(event, Converge)
    return event.t, msgspec.convert(event.final, _Final)


def _error(data: bytes) -> RoundtableError:
    event = invocation.decode(data)
    if not isinstance(event, Failed):
        return ProviderError("It was stopped before its end.", code="unavailable", retryable=True)
    if event.code in _ASKED_WRONGLY:
        return Invalid(event.detail, code=event.code)
    return ProviderError(event.detail, code=event.code, retryable=event.retryable)


def _reason(final: _Final) -> str:
    return "length" if final.stop_reason == "length" else "stop"


def _counted(usage: Usage) -> Counted:
    return Counted(usage.input, usage.output, usage.input + usage.output)
