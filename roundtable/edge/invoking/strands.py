"""Many streams on one WebSocket: each with its credit, and one writer that serves them in turn.

A strand without credit sends nothing and takes nothing, so what feeds it stops; the others go on.
"""

import asyncio
import math
from collections import deque
from collections.abc import Sequence

from protocol import codec, invocation, websocket
from protocol.cursor import Cursor
from roundtable.edge.wires.sse import HEARTBEAT
from roundtable.fanout.framing import MessageStream
from roundtable.fanout.outlet import Outlet
from roundtable.log.base import Record

# What one strand may send before it is another's turn: some hundred steps. Bytes; a single message may be more.
SHARE = 16 * 1024

_MESSAGES = MessageStream()


class Strand:
    """What is told of one stream and not sent yet. `credit` is how many messages the client takes; the last one of all
    needs none, nor do notices."""

    def __init__(self, name: str, credit: float = math.inf) -> None:
        self.name, self.credit = name, credit
        self.head = b'{"stream":%b,' % codec.encode(name)
        self._waiting: deque[bytes] = deque()
        self._free = 0  # so many at the end need no credit
        self.empty = asyncio.Event()
        self.empty.set()

    @property
    def ready(self) -> bool:
        """Whether anything may be sent now."""
        return bool(self._waiting) and (self.credit > 0 or len(self._waiting) <= self._free)

    def tell(self, records: Sequence[Record], skip: int = 0) -> None:
        """Entries, to be sent one message a step, but for the first `skip` of them."""
        told = [message for record in records for message in self._messages(record)][skip:]
        self._waiting += told
        self._free = bool(told and invocation.is_end(records[-1].body))
        self._settle()

    def notice(self, members: bytes) -> None:
        """A message that is no entry: JSON in braces."""
        self._waiting.append(websocket.text(self.head + members[1:]))
        self._free += 1
        self._settle()

    def cut(self, size: int) -> bytes:
        """The next messages, `size` bytes at the most or one; they are sent."""
        taken = list[bytes]()
        while size > 0 and self.ready:
            taken.append(self._waiting.popleft())
            size -= len(taken[-1])
            self.credit = max(0, self.credit - 1)
        self._settle()
        return b"".join(taken)

    def _settle(self) -> None:
        if self._waiting:
            self.empty.clear()
        else:
            self.empty.set()

    def _messages(self, record: Record) -> list[bytes]:
        at, shown = record.cursor, invocation.shown(record.body)
        return [
            websocket.text(b'%b"cursor":"%b",%b' % (self.head, _place(at, part % len(shown)), data[1:]))
            for part, (_, data) in enumerate(shown, 1)
        ]


class Loom:
    """The one writer of a socket's strands; what answers the client goes in between, through the same outlet."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._turn: dict[Strand, None] = {}  # those that are ready, the next one first
        self._news = asyncio.Event()

    def offer(self, strand: Strand) -> None:
        """There is something to send, or credit to send it."""
        if strand.ready:
            self._turn[strand] = None
            self._news.set()

    def drop(self, strand: Strand) -> None:
        """Send nothing more of it."""
        self._turn.pop(strand, None)

    async def run(self) -> None:
        """Send, for ever. Raises `ConnectionError` like `Outlet.send`."""
        while True:
            if not self._turn:
                await self._rest()
                continue
            strand = next(iter(self._turn))
            del self._turn[strand]
            wire = strand.cut(SHARE)
            self.offer(strand)  # at the end of the line
            await self._outlet.send(wire)

    async def _rest(self) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._news.wait()
        except TimeoutError:
            await self._outlet.send(_MESSAGES.notice(b"hb", b'{"type":"hb"}'))


def _place(at: Cursor, part: int) -> bytes:
    return b"%d-%d.%d" % (at.term, at.seq, part) if part else b"%d-%d" % (at.term, at.seq)
