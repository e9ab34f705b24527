"""What can happen in an invocation: anything that streams, as one chain of steps with one end.

A stream `invocation/{id}` holds `init`, then any number of steps, then `converge`, `error` or `cancelled` and nothing
more. Steps that waited for the same append are logged together (`steps`) and shown one by one, at `term-seq.k`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from protocol.codec import body_type, encode
from protocol.errors import Fault, LogDamaged
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
    """The end by an error after `t` steps, which stay on record. `code` and `fault` as in `protocol.errors`; `field`
    names the wrong argument, if that is what it was."""

    id: str
    t: int
    code: str
    detail: str
    retryable: bool = False
    fault: Fault = "ours"
    field: str = ""


class Cancelled(Event, frozen=True, tag="cancelled"):
    """The end by a decision after `t` steps. `reason`: `command`, `caller_left`, `stopping`, or a tool's word."""

    id: str
    t: int
    reason: str = "command"


KNOWN = Init | Queued | Entropy | Paused | Resumed | Converge | Failed | Cancelled
"""All but the steps themselves, whose members are the tool's."""

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(KNOWN)


class _Steps(msgspec.Struct):
    steps: list[msgspec.Raw]


class _Told(msgspec.Struct):
    at: float
    t: int = 0
    steps: list[msgspec.Raw] = []


_Taken = Annotated[int, msgspec.Meta(ge=1, le=0)] | msgspec.UnsetType  # which nothing is


class _Object(msgspec.Struct):
    """Anything between braces, without the members that are ours: here, and around it on a WebSocket."""

    type: _Taken = msgspec.UNSET
    at: _Taken = msgspec.UNSET
    t: _Taken = msgspec.UNSET
    stream: _Taken = msgspec.UNSET
    cursor: _Taken = msgspec.UNSET


_steps_decoder = msgspec.json.Decoder(_Steps)
_told_decoder = msgspec.json.Decoder(_Told)
_objects_decoder = msgspec.json.Decoder(list[_Object])


class Reached(NamedTuple):
    """How far an invocation has come: steps, and when (Unix seconds)."""

    t: int
    at: float


def failed(id: str, t: int, failure: Failure, *, fault: Fault = "ours", field: str = "") -> Failed:
    """The end of an invocation by `failure`."""
    return Failed(
        id=id,
        t=t,
        code=failure.code,
        detail=failure.detail,
        retryable=failure.retryable,
        fault=fault,
        field=field,
    )


def steps(members: Sequence[bytes], t: int, at: float) -> list[bytes]:
    """The bodies of steps that were taken together at `at` (Unix seconds), the first of which is `t` (from 1).

    `members` are JSON objects of the tool's, perhaps empty, by which the step goes on after its own three members.
    """
    head = b'{"type":"step","at":%.6f,"t":' % at
    return [
        b"%b%d,%b" % (head, number, each[1:]) if len(each) > 2 else b"%b%d}" % (head, number)
        for number, each in enumerate(members, t)
    ]


def block(bodies: Sequence[bytes], t: int, at: float) -> bytes:
    """What is logged of steps that stand together, the first of which is `t`: one body, which for one step is its
    own."""
    if len(bodies) == 1:
        return bodies[0]
    return b'{"type":"steps","at":%.6f,"t":%d,"steps":[%b]}' % (at, t, b",".join(bodies))


def unpack(body: bytes) -> list[msgspec.Raw]:
    """The steps in a body of type `steps`. Raises `LogDamaged`."""
    try:
        return _steps_decoder.decode(body).steps
    except msgspec.MsgspecError as error:
        raise LogDamaged(f"An invocation's steps are not readable: {error}.") from error


def shown(body: bytes) -> Sequence[tuple[bytes, bytes]]:
    """What is shown of a logged body: `(event, data)` of each step, of the body itself, or nothing."""
    kind = body_type(body)
    if kind == b"steps":
        return [(b"step", bytes(each)) for each in unpack(body)]
    return () if kind in HIDDEN else ((kind, body),)


def is_end(body: bytes) -> bool:
    """Whether a logged body is the last there will be."""
    return body_type(body) in ENDINGS


def reached(body: bytes) -> Reached:
    """How far the invocation had come with a logged body. Raises `LogDamaged`."""
    try:
        told = _told_decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise LogDamaged(f"An invocation's entry is not readable: {error}.") from error
    return Reached(told.t + max(0, len(told.steps) - 1), told.at)


def decode(body: bytes) -> Event:
    """An event that is no step. Raises `LogDamaged`."""
    try:
        event: Event = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LogDamaged(f"An invocation's entry is not readable: {error}.") from error
    return event


def members(values: Mapping[str, Any]) -> bytes:
    """A tool's members of a step as JSON; see `are_objects`."""
    return encode(values)


def are_objects(members: Sequence[bytes]) -> bool:
    """Whether each is a JSON object, in one line and without blanks around it, that names none of `type`, `at`, `t`,
    `stream` and `cursor`: it may be logged as it is."""
    joined = b",".join(members)
    if (
        b"\n" in joined
        or b"\r" in joined
        or not all(each[:1] == b"{" and each[-1:] == b"}" for each in members)
    ):
        return False
    try:
        return len(_objects_decoder.decode(b"[%b]" % joined)) == len(members)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
