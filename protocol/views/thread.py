"""A thread: a table that speaks when spoken to, told as messages and what becomes of them.

A person's message is complete as soon as it is there (`m1`); an answer (`t1`, its turn) is pending, streaming, and
then complete or an error. `thread` is the whole at a cursor, `shown` what one more entry changes: whoever applies the
second to the first has the next one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from protocol import codec
from protocol import events as e
from protocol.cursor import ZERO
from protocol.errors import LogDamaged
from protocol.messages import Failure, Usage
from protocol.transcript import Posted, TableStatus, Transcript, Turn, TurnStatus
from protocol.views.thread_events import (
    MessageComplete,
    MessageCreated,
    MessageDelta,
    MessageError,
    MessageStreaming,
    State,
    ThreadClosed,
    ThreadCreated,
    ThreadEvent,
    ThreadMessage,
    ThreadRested,
)

PREFIX = "thread-"
"""How a thread's id begins. In the name, so that it is told from a table where nothing else is known of either, and
so that a list of one passes over the other without reading it."""
# Characters of a first message that stand for a title nobody gave: a line in a list.
MAX_LINE = 80

STATES: dict[TurnStatus, State] = {
    "queued": "pending",
    "started": "streaming",
    "completed": "complete",
    "failed": "error",
    "cancelled": "error",
}


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread at `cursor`: read on after it. `status` is `resting` while nobody has anything to answer; times are Unix
    seconds."""

    id: str
    title: str
    cursor: str
    status: TableStatus
    opened_at: float
    at: float
    messages: list[ThreadMessage]


def thread(transcript: Transcript) -> Thread:
    """The thread that a table's transcript tells."""
    messages = [(posted.seq, _said(posted)) for posted in transcript.messages]
    messages += [(turn.seq, _answer(turn)) for turn in transcript.turns]
    return Thread(
        id=transcript.table,
        title=title(transcript),
        cursor=transcript.cursor,
        status=transcript.status,
        opened_at=transcript.opened_at,
        at=transcript.at,
        messages=[message for _, message in sorted(messages, key=lambda pair: pair[0])],
    )


def posted(entry: e.Entry) -> ThreadMessage | None:
    """The message that an entry posts; None where it posts none, as when its command's key had another meaning."""
    event = entry.event
    if not isinstance(event, e.MessagePosted):
        return None
    return _said(Posted(event.message, event.author, event.text, entry.cursor.seq, entry.at, event.to))


def title(transcript: Transcript) -> str:
    """The thread's title, or the beginning of what was said first."""
    first = transcript.messages[0].text if transcript.messages else ""
    line = " ".join(first[: 4 * MAX_LINE].split())
    return transcript.topic or (line if len(line) <= MAX_LINE else line[: MAX_LINE - 1].rstrip() + "…")


def shown(body: bytes) -> Sequence[tuple[bytes, bytes]]:
    """What a thread's logged entry is told as: one `(event, data)`, or nothing. Raises `LogDamaged`."""
    told = _TOLD.get(codec.body_type(body))
    if told is None:
        return ()
    entry = codec.decode_body(ZERO, body)
    if isinstance(entry.event, e.Unknown):
        raise LogDamaged("A thread's entry is of a type that is known and unknown.")
    event = told(entry.event, entry.at)
    return [(str(event.__struct_config__.tag).encode(), codec.encode(event))]


def _said(posted: Posted) -> ThreadMessage:
    return ThreadMessage(
        id=posted.message, role="user", author=posted.author, text=posted.text, state="complete", at=posted.at,
        to=posted.to,
    )  # fmt: skip


def _answer(turn: Turn) -> ThreadMessage:
    return ThreadMessage(
        id=turn.turn, role="assistant", author=turn.panelist, text=turn.text, state=STATES[turn.status],
        at=turn.queued_at, model=turn.model, stop_reason=turn.stop_reason,
        error=_stopped(turn.reason) if turn.status == "cancelled" else turn.error,
        usage=turn.usage or (Usage() if turn.status == "cancelled" else None), cost=turn.cost,
    )  # fmt: skip


def _stopped(reason: str) -> Failure:
    return Failure("cancelled", f"The answer was cancelled: {reason}.", retryable=True)


# -- One entry at a time -----------------------------------------------------------------------------------------


def _opened(event: e.TableOpened, at: float) -> ThreadEvent:
    return ThreadCreated(at=at, id=event.table, title=event.topic)


def _posted(event: e.MessagePosted, at: float) -> ThreadEvent:
    return MessageCreated(
        at=at, message=_said(Posted(event.message, event.author, event.text, 0, at, event.to))
    )


def _queued(event: e.TurnQueued, at: float) -> ThreadEvent:
    return MessageCreated(at=at, message=_answer(Turn(event.turn, event.panelist, 0, queued_at=at)))


def _started(event: e.TurnStarted, at: float) -> ThreadEvent:
    return MessageStreaming(at=at, message=event.turn, model=event.model, attempt=event.attempt)


def _retried(event: e.TurnRetried, at: float) -> ThreadEvent:
    return MessageStreaming(
        at=at,
        message=event.turn,
        model=event.model or msgspec.UNSET,
        attempt=event.attempt,
        error=event.error,
        wait=event.wait,
    )


def _delta(event: e.TurnDelta, at: float) -> ThreadEvent:
    return MessageDelta(at=at, message=event.turn, text=event.text)


def _completed(event: e.TurnCompleted, at: float) -> ThreadEvent:
    return MessageComplete(
        at=at, message=event.turn, text=event.text,
        stop_reason=event.stop_reason, usage=event.usage, cost=event.cost,
    )  # fmt: skip


def _failed(event: e.TurnFailed, at: float) -> ThreadEvent:
    return MessageError(
        at=at, message=event.turn, text=event.text, error=event.error, usage=event.usage, cost=event.cost
    )


def _cancelled(event: e.TurnCancelled, at: float) -> ThreadEvent:
    return MessageError(
        at=at, message=event.turn, text=event.text,
        error=_stopped(event.reason), usage=event.usage, cost=event.cost,
    )  # fmt: skip


def _rested(event: e.TableRested, at: float) -> ThreadEvent:
    return ThreadRested(at=at, reason=event.reason)


def _closed(event: e.TableClosed, at: float) -> ThreadEvent:
    return ThreadClosed(at=at, reason=event.reason)


_TOLD: dict[bytes, Callable[[Any, float], ThreadEvent]] = {
    b"table.opened": _opened,
    b"message.posted": _posted,
    b"turn.queued": _queued,
    b"turn.started": _started,
    b"turn.retried": _retried,
    b"turn.delta": _delta,
    b"turn.completed": _completed,
    b"turn.failed": _failed,
    b"turn.cancelled": _cancelled,
    b"table.rested": _rested,
    b"table.closed": _closed,
}
