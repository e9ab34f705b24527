"""What `/generate/stream` shows: a frame for each token, the end, `[DONE]`. No request is handled here."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from protocol import codec, invocation, sse
from protocol.errors import Invalid, ProviderError, RoundtableError
from protocol.invocation import Cancelled, Converge, Failed
from protocol.messages import StopReason, Usage
from roundtable.fanout.framing import ChunkedEventStream, EventStream, View
from roundtable.log.base import Record

LEFT = "caller_left"
"""Why an invocation is cancelled whose connection is gone."""
# What the process of a model refuses because of what was asked.
_ASKED_WRONGLY = {"bad_request", "context_overflow", "model_not_found", "not_configured"}


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


class Fault(msgspec.Struct, frozen=True):
    """What failed, and whether asking again can help."""

    code: str
    message: str
    retryable: bool


class Broken(msgspec.Struct, frozen=True):
    """The last frame of what failed; no `[DONE]` follows."""

    error: Fault


FRAMES = Sampled | Ended | Broken | Literal["[DONE]"]


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
    model: str
    text: str
    rest: str
    stop_reason: StopReason
    usage: Usage | None


_step_decoder = msgspec.json.Decoder(_Step)


class Data(EventStream):
    """Frames of nothing but data; heartbeats are comments."""

    name = "data"

    def frame(self, cursor: object, event: bytes, data: bytes) -> bytes:
        """As `Framing.frame`."""
        return b"data: %b\n\n" % data

    def notice(self, event: bytes, data: bytes) -> bytes:
        """As `Framing.notice`."""
        return sse.comment(event.decode())

    def mark(self, cursor: object) -> bytes:
        """As `Framing.mark`."""
        return b""


class ChunkedData(Data, ChunkedEventStream):
    """The same in HTTP/1.1's chunks."""

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
                ended = Ended(t, final.rest, _reason(final), _counted(final.usage))
                frames += [(event, codec.encode(ended)), (event, b"[DONE]")]
            case b"error" | b"cancelled":
                frames.append((event, failure(error(data))))
            case _:
                pass  # that it began, waits, pauses
    return frames


TOKENS = View("tokens", _frames, farewell=False)
"""Each token, then the end and `[DONE]`; or an error."""


def _final(data: bytes) -> tuple[int, _Final]:
    event = invocation.decode(data)
    assert isinstance(event, Converge)
    return event.t, msgspec.convert(event.final, _Final)


def error(data: bytes) -> RoundtableError:
    """Why it came to no end. Raises `ConnectionError` when that is because its caller has left."""
    event = invocation.decode(data)
    if isinstance(event, Cancelled) and event.reason == LEFT:
        raise ConnectionResetError("the caller has left")
    if not isinstance(event, Failed):
        return ProviderError("It was stopped before its end.", code="unavailable", retryable=True)
    if event.code in _ASKED_WRONGLY:
        return Invalid(event.detail, code=event.code)
    return ProviderError(event.detail, code=event.code, retryable=event.retryable)


def failure(error: RoundtableError) -> bytes:
    """What failed, as a frame's data."""
    return codec.encode(Broken(Fault(error.code, error.detail, error.retryable)))


def _reason(final: _Final) -> str:
    return "length" if final.stop_reason == "length" else "stop"


def _counted(usage: Usage | None) -> Counted:
    usage = usage or Usage()
    return Counted(usage.input, usage.output, usage.input + usage.output)


def whole(bodies: Sequence[bytes]) -> Generated:
    """All of it at once, of everything that was told. Raises as `error` says."""
    told = [each for body in bodies for each in invocation.shown(body)]
    if not told or told[-1][0] != b"converge":
        raise error(bodies[-1])
    _, final = _final(told[-1][1])
    tokens = [_step_decoder.decode(data).token for event, data in told if event == b"step"]
    return Generated(final.model, final.text, tokens, _reason(final), _counted(final.usage))
