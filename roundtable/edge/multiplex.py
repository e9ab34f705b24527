"""`GET /v1/invocations/ws`: many invocations over one socket, each a stream of its own under a name of the client's.

The README has the messages. What belongs to the socket ends with it.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, NoReturn

import msgspec
from aiohttp import web

from protocol import codec
from protocol.cursor import ZERO, Cursor
from protocol.errors import NotFound, WrongState
from roundtable.edge import keys, sse
from roundtable.edge.callers import PATIENCE, Callers, told
from roundtable.edge.conversation import SILENCE, Close, Conversation, race, trouble
from roundtable.edge.invoke import Invoke, asking
from roundtable.edge.limits import Buckets, Limits, address
from roundtable.edge.operations import operation
from roundtable.edge.parameters import MAX_KEY
from roundtable.edge.problems import Refused, describe
from roundtable.edge.strands import Loom, Strand
from roundtable.edge.websocket import handshake
from roundtable.fanout.framing import MessageStream
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.reading import Reading
from roundtable.invocations.invocations import Invocations, stream
from roundtable.invocations.throttle import Throttle

# Streams of one socket at a time: as many as one caller may have running and waiting, and some to follow.
MAX_STREAMS = 512
# How far an invocation may run ahead of what its strand was let send; together at most 64 MiB a socket. Bytes.
WINDOW = 128 * 1024
# Messages under way at once: a program begins a hundred invocations in one breath.
AT_ONCE = 256
# Messages of one socket a second, and at once: credit comes with every few that are sent. What begins something counts
# as a POST besides.
MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 2_000, 4_000

_MESSAGES = MessageStream()
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]
_Credit = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    stream: _Name
    key: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] | None = None


class Begin(_Message, frozen=True, tag="invoke"):
    """Begin an invocation as stream `stream`. Without `credit` it is sent as fast as the socket takes it."""

    tool: str
    args: Mapping[str, Any] = {}
    detach: bool = False
    record: bool = True
    credit: _Credit | None = None


class Follow(_Message, frozen=True, tag="follow"):
    """Follow an invocation that exists, after a cursor (`now`: from here on)."""

    invocation: str
    after: str = ""
    credit: _Credit | None = None


class Credit(_Message, frozen=True, tag="credit"):
    """So many messages more. Not answered."""

    credit: Annotated[int, msgspec.Meta(ge=1, le=2**31)]


class Cancel(_Message, frozen=True, tag="cancel"):
    """End the invocation."""


class Pause(_Message, frozen=True, tag="pause"):
    """Let it take no further step."""


class Resume(_Message, frozen=True, tag="resume"):
    """Let it go on."""


class Leave(_Message, frozen=True, tag="leave"):
    """Send nothing more of it: as hanging up, for one stream."""


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    Begin | Follow | Credit | Cancel | Pause | Resume | Leave
)


class _Line:
    """A stream of the socket: its strand, the invocation once it is known, and the task that feeds it. It `belongs` to
    the socket if it ends with it."""

    def __init__(self, strand: Strand, *, belongs: bool) -> None:
        self.strand, self.belongs = strand, belongs
        self.id: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.feeding: asyncio.Task[None] | None = None


class Multiplex:
    """The handler. `close` sends every client away; `silence` is how many seconds one may say nothing at all."""

    def __init__(self, limits: Limits, callers: Callers, *, silence: float = SILENCE) -> None:
        self._limits, self._callers, self._silence = limits, callers, silence
        self._closing = asyncio.Event()

    async def close(self, _: web.Application) -> None:
        """This server is going down."""
        self._closing.set()

    @operation(tag="invocations", answers={101: None}, errors=(403, 426))
    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/invocations/ws`: many invocations over one WebSocket, each with its own credit.

        Raises `Refused` (426) for a plain GET, and `Invalid` for a broken handshake."""
        socket = handshake(request)
        writer = await socket.prepare(request)
        if request.transport is None:
            return socket
        outlet = Outlet(request.transport, writer.drain, PATIENCE)
        desk = _Desk(request, outlet, partial(self._limits.command, request), self._callers)
        messages = Buckets(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE)
        conversation = Conversation(
            socket, outlet, desk.answer, partial(_admit, messages), silence=self._silence, at_once=AT_ONCE
        )
        with contextlib.ExitStack() as finally_:
            finally_.callback(conversation.drop)
            finally_.callback(desk.close)
            close = await self._hold(conversation, desk)
            desk.close()  # what nobody will read need not run while we say goodbye
            if close:
                await conversation.close(_farewell(close), close)
            outlet.transport.close()
            await conversation.settle()
            await desk.settle()
        return socket

    async def _hold(self, conversation: Conversation, desk: "_Desk") -> Close | None:
        """Listen and send until one of them ends; what to say then. Raises nothing: HTTP, and its answers, are over."""
        try:
            return await race(conversation.listen(), desk.run(), self._stopped())
        except ConnectionError:
            return None
        except Exception as error:  # noqa: BLE001 - nobody above could tell the client
            return Close(1011, describe(error, "a WebSocket").detail)

    async def _stopped(self) -> Close:
        await self._closing.wait()
        return Close(1001, "This server is going down; come back.")


class _Desk:
    """One socket's streams, and what its client asks of them. `count` raises `Refused` when too much is begun."""

    def __init__(
        self, request: web.Request, outlet: Outlet, count: Callable[[], None], callers: Callers
    ) -> None:
        self._request, self._outlet, self._count, self._callers = request, outlet, count, callers
        self._loom = Loom(outlet)
        self._lines: dict[str, _Line] = {}
        self._feeds: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def _invocations(self) -> Invocations:
        return self._request.app[keys.INVOCATIONS]

    async def run(self) -> NoReturn:
        """Send what is told. Raises `ConnectionError`."""
        await self._loom.run()
        raise AssertionError("the loom never rests for good")

    def close(self) -> None:
        """The client has left: what belongs to it ends. Closing twice is no error."""
        self._closed = True
        for name in list(self._lines):
            self._leave(name)

    async def settle(self) -> None:
        """Until nothing is read any more."""
        if self._feeds:
            await asyncio.wait(self._feeds)

    async def answer(self, data: bytes) -> bytes:
        """Carry out a message; nothing is answered to credit. Whatever names a stream that is being begun waits for it,
        as messages are begun in the order in which they came."""
        asked: Begin | Follow | Credit | Cancel | Pause | Resume | Leave = codec.decode_json(data, _decoder)
        told: dict[str, Any] = {
            "type": "outcome",
            "key": asked.key,
            "stream": asked.stream,
            "outcome": "done",
        }
        match asked:
            case Begin():
                told["invocation"] = await self._begin(asked)
            case Follow():
                await self._follow(asked)
                told["invocation"] = asked.invocation
            case Credit():
                self._grant(asked)
                return b""
            case Cancel():
                if line := self._lines.get(asked.stream):  # else it has ended, which is what was wanted
                    await self._invocations.cancel(await _id(line))
            case Pause():
                await self._invocations.pause(await _id(self._line(asked.stream)))
            case Resume():
                await self._invocations.resume(await _id(self._line(asked.stream)))
            case Leave():
                self._leave(asked.stream)
        return codec.encode(told)

    # -- what the client asks ----------------------------------------------------------------------------------

    async def _begin(self, asked: Begin) -> str:
        self._count()
        throttle = None if asked.detach else Throttle(WINDOW)
        whole = Invoke(asked.tool, asked.args, True, asked.detach, asked.record)
        ask = asking(whole, address(self._request), throttle)
        with self._opening(asked.stream, asked.credit, belongs=not asked.detach) as line:
            begun = await self._invocations.invoke(ask)
            if self._closed or self._lines.get(asked.stream) is not line:  # the client left meanwhile
                if not asked.detach:
                    self._invocations.drop(begun.id)
                return begun.id
            line.id.set_result(begun.id)
            line.feeding = self._spawn(self._feed(line, begun.id, ZERO, throttle))
        return begun.id

    async def _follow(self, asked: Follow) -> None:
        after = sse.after(asked.after)
        with self._opening(asked.stream, asked.credit, belongs=False) as line:
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            line.feeding = self._spawn(self._feed(line, asked.invocation, after, None, ready))
            await ready
            line.id.set_result(asked.invocation)

    def _grant(self, asked: Credit) -> None:
        if line := self._lines.get(asked.stream):  # else it has ended, and the client is about to hear of it
            line.strand.credit += asked.credit
            self._loom.offer(line.strand)

    def _leave(self, name: str) -> None:
        line = self._lines.pop(name, None)
        if line is None:
            return
        self._loom.drop(line.strand)
        if line.feeding:
            line.feeding.cancel()
        if line.id.done() and not line.id.cancelled():
            self._let_go(line, line.id.result())
        else:
            line.id.cancel()

    def _let_go(self, line: _Line, id: str) -> None:
        if line.belongs:
            self._invocations.drop(id)

    def _line(self, name: str) -> _Line:
        if line := self._lines.get(name):
            return line
        raise NotFound(f"There is no stream {name[:40]!r} here, or it has ended.")

    @contextlib.contextmanager
    def _opening(self, name: str, credit: int | None, *, belongs: bool) -> Iterator[_Line]:
        """A new line, which is no more if what follows fails. Raises `WrongState` and `Refused`."""
        if name in self._lines:
            raise WrongState(f"The stream {name[:40]!r} has not ended; call this one by another name.")
        if len(self._lines) >= MAX_STREAMS:
            raise Refused(
                f"This socket has {MAX_STREAMS} streams; wait for one to end.",
                code="too_many_requests",
                retry_after=1.0,
            )
        line = self._lines[name] = _Line(
            Strand(name, math.inf if credit is None else credit), belongs=belongs
        )
        try:
            yield line
        except BaseException:
            self._end(line)
            raise

    # -- what is told ------------------------------------------------------------------------------------------

    async def _feed(
        self,
        line: _Line,
        id: str,
        after: Cursor | None,
        throttle: Throttle | None,
        ready: "asyncio.Future[None] | None" = None,
    ) -> None:
        """Everything up to the stream's end, as the client takes it."""
        try:
            with self._callers.watch(self._outlet.transport, lambda: None):
                whole = after and Cursor(after.term, after.seq)
                async with told(self._request, id).reading(stream(id), whole) as reading:
                    _settle(ready)
                    await self._bring(line, reading, after.part if after else 0, throttle)
                await line.strand.empty.wait()
        except Exception as error:  # noqa: BLE001 - one stream's failure is its own
            if ready and not ready.done():
                ready.set_exception(error)
                return
            self._fail(line, error)
            await line.strand.empty.wait()
        finally:
            if throttle:
                throttle.release()
            if self._lines.get(line.strand.name) is line:
                self._end(line)
                self._let_go(line, id)

    async def _bring(self, line: _Line, reading: Reading, part: int, throttle: Throttle | None) -> None:
        strand = line.strand
        if part:
            strand.tell([await reading.here()], skip=part)
        elif reading.ended:
            strand.notice(codec.encode({"type": "end", "cursor": str(reading.cursor)}))
        self._loom.offer(strand)
        while not reading.ended:
            await strand.empty.wait()
            if throttle:
                throttle.taken(reading.cursor.seq)
            strand.tell(await reading.take())
            self._loom.offer(strand)

    def _fail(self, line: _Line, error: Exception) -> None:
        line.strand.notice(codec.encode(trouble(error)))
        self._loom.offer(line.strand)

    def _end(self, line: _Line) -> None:
        if self._lines.get(line.strand.name) is line:
            del self._lines[line.strand.name]
        self._loom.drop(line.strand)
        line.id.cancel()

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work, name="a stream on a WebSocket")
        self._feeds.add(task)
        task.add_done_callback(self._feeds.discard)
        return task


async def _id(line: _Line) -> str:
    """The line's invocation, once it has begun. Raises `NotFound` when it could not."""
    await asyncio.wait([line.id])
    if line.id.cancelled():
        raise NotFound(f"The stream {line.strand.name[:40]!r} did not begin.")
    return line.id.result()


def _settle(ready: "asyncio.Future[None] | None") -> None:
    if ready and not ready.done():
        ready.set_result(None)


def _admit(messages: Buckets) -> None:
    if wait := messages.take(""):
        raise Refused(
            f"These messages come too fast; try again in {wait:.1f} s.",
            code="too_many_requests",
            retry_after=wait,
        )


def _farewell(close: Close) -> bytes:
    if close.code != 1001:
        return b""
    return _MESSAGES.notice(b"retry", codec.encode({"type": "retry", "wait": round(sse.come_back(), 3)}))
