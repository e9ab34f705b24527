"""How an entry becomes bytes: a View says what is shown of it, a Framing how that stands on the wire.

Frames are made once per (view, framing) and shared by everyone who reads that way. The stored body of an entry is
already the data of its frame, so the full view decodes and encodes nothing.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from protocol import codec, invocation, sse, websocket
from protocol.cursor import Cursor
from protocol.parts import parts
from protocol.views import thread
from roundtable.log.base import Record

if TYPE_CHECKING:
    from roundtable.fanout.stages import Stages

# Where `codec.body_type` begins. Its expression is repeated below, as a call per entry would double the cost.
_TYPE = len(b'{"type":"')


Frames = Callable[[Record], Sequence[tuple[bytes, bytes]]]
"""An entry's `(event, data)` pairs: none, one or several."""


class View(NamedTuple):
    """What is shown: `frames` of an entry, without any state.

    `parts`, where it is given, tells the same in more frames: so does a replay, and who left one within an entry
    goes on with them. `farewell`: an `end` follows the last entry, which does not say so itself. `stages` is what is
    done to the frames before they are shown. `ends`, where the view ends before its stream does, says of an entry why
    it is the last one, and `since` is the seq after which that can be.
    """

    name: str
    frames: Frames
    parts: Frames | None = None
    farewell: bool = True
    stages: "Stages | None" = None
    ends: Callable[[Record], str | None] | None = None
    since: int = 0


FULL = View(
    "full",
    lambda record: [(codec.body_type(record.body), record.body)],
    lambda record: [(codec.body_type(part.body), part.body) for part in parts(record.body)],
)
"""Every entry, one frame each, as logged; its parts are those it was made of."""

INVOCATION = View("invocation", lambda record: invocation.shown(record.body), farewell=False)
"""An invocation step by step, however its steps were logged; its last entry is the end."""


THREAD = View("thread", lambda record: thread.shown(record.body))
"""A thread as messages and what becomes of them."""


class Framing(Protocol):
    """How frames stand on one kind of connection. `name` tells framings apart; equal names give equal bytes.

    A `cursor` is one stream's or, as text alike, that of several (`combining.Cursors`).
    """

    name: str

    def entries(self, records: Sequence[Record]) -> bytes:
        """The full view of the records: the same as `frame` for each, made fast."""
        ...

    def frame(self, cursor: object, event: bytes, data: bytes) -> bytes:
        """A frame that moves the reader to `cursor`."""
        ...

    def notice(self, event: bytes, data: bytes) -> bytes:
        """A frame that is not in the log and moves nobody: `hb`, `reset`, `end`."""
        ...

    def mark(self, cursor: object) -> bytes:
        """A frame that moves the reader to `cursor` and shows nothing."""
        ...

    def wrap(self, frames: bytes) -> bytes:
        """Whole frames as they are handed to the transport."""
        ...


class EventStream:
    """Server-Sent Events on a connection that carries nothing else: HTTP/1.0, ended by closing."""

    name = "sse"

    def entries(self, records: Sequence[Record]) -> bytes:
        """One formatting for all: this is most of what a replay costs us."""
        fields: list[int | bytes] = []
        for cursor, body in records:
            fields += (cursor.term, cursor.seq, body[_TYPE : body.index(b'"', _TYPE)], body)
        return b"id: %d-%d\nevent: %b\ndata: %b\n\n" * len(records) % tuple(fields)

    def frame(self, cursor: object, event: bytes, data: bytes) -> bytes:
        """As `Framing.frame`."""
        return sse.encode(data, event=event.decode(), id=str(cursor))

    def steps(self, record: Record) -> bytes:
        """An entry of many steps, shown one by one: the same as `frame` for each, in one formatting."""
        cursor, body = record
        *before, last = invocation.unpack(body)
        fields: list[object] = []
        for part, data in enumerate(before, 1):
            fields += (part, data)
        head = b"id: %d-%d" % (cursor.term, cursor.seq)
        many = (head + b".%d\nevent: step\ndata: %b\n\n") * len(before) % tuple(fields)
        return b"%b%b\nevent: step\ndata: %b\n\n" % (many, head, last)

    def notice(self, event: bytes, data: bytes) -> bytes:
        """As `Framing.notice`."""
        return sse.encode(data, event=event.decode())

    def mark(self, cursor: object) -> bytes:
        """As `Framing.mark`."""
        return sse.encode(id=str(cursor))

    def wrap(self, frames: bytes) -> bytes:
        """As `Framing.wrap`."""
        return frames


class ChunkedEventStream(EventStream):
    """Server-Sent Events in HTTP/1.1's chunked transfer coding (RFC 9112, section 7.1)."""

    name = "sse-chunked"

    def wrap(self, frames: bytes) -> bytes:
        """`frames` as one chunk."""
        return b"%x\r\n%b\r\n" % (len(frames), frames)


class MessageStream:
    """JSON text messages on a WebSocket, as `codec.message` makes them of objects that name their `type`.

    Every message with an `id` moves the reader, and no other.
    """

    name = "ws"

    def entries(self, records: Sequence[Record]) -> bytes:
        """As `Framing.entries`."""
        return b"".join(
            [websocket.text(b'{"id":"%d-%d",%b' % (at.term, at.seq, body[1:])) for at, body in records]
        )

    def frame(self, cursor: object, event: bytes, data: bytes) -> bytes:
        """As `Framing.frame`."""
        return websocket.text(codec.message(cursor, data))

    def notice(self, event: bytes, data: bytes) -> bytes:
        """As `Framing.notice`. A heartbeat goes with a ping, which asks for a sign of life: one piece for all."""
        return (websocket.ping() if event == b"hb" else b"") + websocket.text(data)

    def mark(self, cursor: object) -> bytes:
        """As `Framing.mark`."""
        return self.frame(cursor, b"mark", b'{"type":"mark"}')

    def wrap(self, frames: bytes) -> bytes:
        """As `Framing.wrap`."""
        return frames


def encode(view: View, framing: Framing, records: Sequence[Record]) -> bytes:
    """All frames of the records; `b""` if the view shows nothing of them."""
    if view is FULL:
        return framing.entries(records)
    if view is INVOCATION and isinstance(framing, EventStream):
        return b"".join([_steps(framing, record) for record in records])
    return b"".join(piece for record in records for piece in pieces(view.frames, framing, record))


def _steps(framing: EventStream, record: Record) -> bytes:
    """An invocation's entry; what no writer of ours has written in one line goes the long way."""
    body = record.body
    if codec.body_type(body) == b"steps" and b"\n" not in body and b"\r" not in body:
        return framing.steps(record)
    return b"".join(pieces(INVOCATION.frames, framing, record))


def pieces(frames: Frames, framing: Framing, record: Record) -> list[bytes]:
    """One record's frames apart: frame k of n moves the reader to `term-seq.k`, the last one to `term-seq`."""
    shown = frames(record)
    at = record.cursor
    return [
        framing.frame(Cursor(at.term, at.seq, part % len(shown)), event, data)
        for part, (event, data) in enumerate(shown, 1)
    ]
