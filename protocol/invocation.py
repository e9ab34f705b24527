"""What can happen in an invocation: anything that streams, as one chain of steps with one end.

A stream `invocation/{id}` holds `init`, then any number of steps, then `converge`, `error` or `cancelled` and nothing
more. Steps that waited for the same append are logged together (`steps`) and shown one by one, at `term-seq.k`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from protocol.codec import body_type, encode
from protocol.errors import LogDamaged
from protocol.events import Event
from protocol.messages import Failure

KIND = "invocation"
Ending = Literal["converge", "error", "cancelled"]
ENDINGS = frozenset({b"converge", b"error", b"cancelled"})
"""Types of the last entry."""
HIDDEN = frozenset({b"term.began"})
"""Entries that are the log's own business and shown to nobody."""


class Init(Event, frozen=True, tag="init"):
    """It exists: what was asked of which address. `detach`: it outlives the connection of who asked."""

    id: str
    address: str
    args: dict[str, Any]
    detach: bool = False


class Queued(Event, frozen=True, tag="queued"):
    """It waits for its turn on this node; `ahead` counts those of the same caller that wait before it."""

    id: str
    ahead: int


class Step(Event, frozen=True, tag="step"):
    """Step `t`, counted from 1; its other members are the tool's."""

    t: int


class Entropy(Event, frozen=True, tag="entropy"):
    """How undecided the chain is after step `t`; `value` in nats unless the tool says otherwise in `of`."""

    id: str
    t: int
    value: float
    of: str = ""


class Paused(Event, frozen=True, tag="paused"):
    """No further step until `resumed`, by a person's or program's wish."""

    id: str
    t: int


class Resumed(Event, frozen=True, tag="resumed"):
    """Steps go on."""

    id: str
    t: int


class Converge(Event, frozen=True, tag="converge"):
    """The end that was aimed at: `final` is the result after `t` steps, `reason` why it is final."""

    id: str
    t: int
    final: Any
    reason: str


class Failed(Event, frozen=True, tag="error"):
    """The end by an error after `t` steps, which stay on record. `code` as in `protocol.errors`."""

    id: str
    t: int
    code: str
    detail: str
    retryable: bool = False


class Cancelled(Event, frozen=True, tag="cancelled"):
    """The end by a decision after `t` steps. `reason`: `command`, `caller_left`, or a tool's word."""

    id: str
    t: int
    reason: str = "command"


KNOWN = Init | Queued | Entropy | Paused | Resumed | Converge | Failed | Cancelled
"""All but the steps themselves, whose members are the tool's."""

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(KNOWN)


class _Steps(msgspec.Struct):
    steps: list[msgspec.Raw]


_steps_decoder = msgspec.json.Decoder(_Steps)


def failed(id: str, t: int, failure: Failure) -> Failed:
    """The end of an invocation by `failure`."""
    return Failed(id=id, t=t, code=failure.code, detail=failure.detail, retryable=failure.retryable)


def step(t: int, at: float, members: bytes) -> bytes:
    """The body of step `t` (from 1) at `at` (Unix seconds); `members` is a JSON object of the tool's, perhaps empty."""
    head = b'{"type":"step","at":%.6f,"t":%d' % (at, t)
    return head + b"}" if members == b"{}" else head + b"," + members[1:]


def steps(bodies: Sequence[bytes], t: int, at: float) -> bytes:
    """One body for several steps, the first of which is `t`."""
    return b'{"type":"steps","at":%.6f,"t":%d,"steps":[%b]}' % (at, t, b",".join(bodies))


def shown(body: bytes) -> Sequence[tuple[bytes, bytes]]:
    """What is shown of a logged body: `(event, data)` of each step, of the body itself, or nothing."""
    kind = body_type(body)
    if kind == b"steps":
        try:
            return [(b"step", bytes(each)) for each in _steps_decoder.decode(body).steps]
        except msgspec.MsgspecError as error:
            raise LogDamaged(f"An invocation's steps are not readable: {error}.") from error
    return () if kind in HIDDEN else ((kind, body),)


def decode(body: bytes) -> Event:
    """An event that is no step. Raises `LogDamaged`."""
    try:
        event: Event = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LogDamaged(f"An invocation's entry is not readable: {error}.") from error
    return event


def members(values: Mapping[str, Any]) -> bytes:
    """A tool's members of a step as JSON; `type`, `at` and `t` are ours."""
    return encode(values)
