"""What a thread tells as it happens: messages and what becomes of them. `thread.shown` makes these of its log."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from protocol.messages import Cost, Failure, StopReason, Usage

State = Literal["pending", "streaming", "complete", "error"]


class ThreadMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message, of a person (`user`) or a model (`assistant`). `text` is what there is of it so far, `at` when it
    came to be (Unix seconds); `to` is whom a person put it to. An answer's `error` says why it is one, and `cancelled`
    is a code of its own. `cost` null: the price is unknown, or there is none yet."""

    id: str
    role: Literal["user", "assistant"]
    author: str
    text: str
    state: State
    at: float
    to: str = ""
    model: str = ""
    stop_reason: StopReason | None = None
    error: Failure | None = None
    usage: Usage | None = None
    cost: Cost | None = None


class ThreadEvent(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Base of all; `at` is in Unix seconds, `message` the message's id."""

    at: float


class ThreadCreated(ThreadEvent, frozen=True, tag="thread.created"):
    """The first."""

    id: str
    title: str


class MessageCreated(ThreadEvent, frozen=True, tag="message.created"):
    """The whole message as in the thread; a person's is `complete`, an answer `pending`."""

    message: ThreadMessage


class MessageStreaming(ThreadEvent, frozen=True, kw_only=True, tag="message.streaming"):
    """An answer begins; or, with `error`, the model, or another that is named, is asked again after `wait` seconds."""

    message: str
    model: str | UnsetType = UNSET
    attempt: int
    error: Failure | UnsetType = UNSET
    wait: float | UnsetType = UNSET


class MessageDelta(ThreadEvent, frozen=True, tag="message.delta"):
    """Text to append."""

    message: str
    text: str


class MessageComplete(ThreadEvent, frozen=True, tag="message.complete"):
    """An answer, all of it."""

    message: str
    text: str
    stop_reason: StopReason
    usage: Usage | None
    cost: Cost | None


class MessageError(ThreadEvent, frozen=True, tag="message.error"):
    """An answer that came to no end, and what there is of it."""

    message: str
    text: str
    error: Failure
    usage: Usage | None
    cost: Cost | None


class ThreadRested(ThreadEvent, frozen=True, tag="thread.rested"):
    """Nobody has anything to answer: `answered`, or the limit that was reached."""

    reason: str


class ThreadClosed(ThreadEvent, frozen=True, tag="thread.closed"):
    """There will never be more."""

    reason: str


KNOWN = (
    ThreadCreated | MessageCreated | MessageStreaming | MessageDelta | MessageComplete | MessageError
    | ThreadRested | ThreadClosed
)  # fmt: skip
