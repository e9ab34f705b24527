"""One socket's invocations: what its client asks of them, and what it is told, each under a name of the client's."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from aiohttp import web

from protocol import codec
from protocol.cursor import ZERO, Cursor
from protocol.errors import NotFound, WrongState
from roundtable.edge import keys
from roundtable.edge.invoking import wishes
from roundtable.edge.invoking.callers import Callers, broadcast_of
from roundtable.edge.invoking.invoke import Invoke, asking
from roundtable.edge.invoking.strands import Loom, Strand
from roundtable.edge.invoking.wishes import Begin, Cancel, Credit, Follow, Leave, Pause, Resume
from roundtable.edge.limits import address
from roundtable.edge.problems import Refused
from roundtable.edge.wires import sse
from roundtable.edge.wires.conversation import trouble
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.reading import Reading
from roundtable.invocations.invocations import Invocations, stream
from roundtable.invocations.throttle import Throttle

# Streams of one socket at a time: as many as one caller may have running and waiting, and some to follow.
MAX_STREAMS = 512
# How far an invocation may run ahead of what its strand was let send; together at most 64 MiB a socket. Bytes.
WINDOW = 128 * 1024


class _Line:
    """A stream of the socket: its strand, the invocation once it is known, and the task that feeds it. It `belongs` to
    the socket if it ends with it."""

    def __init__(self, strand: Strand, *, belongs: bool) -> None:
        self.strand, self.belongs = strand, belongs
        self.id: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.feeding: asyncio.Task[None] | None = None


class Desk:
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

    def heed(self, data: bytes) -> bool:
        """Take credit, which is answered by nothing; False when it is another message. Raises `Invalid`."""
        asked = wishes.decode(data)
        if isinstance(asked, Credit):
            self._grant(asked)
        return isinstance(asked, Credit)

    async def answer(self, data: bytes) -> bytes:
        """Carry out a message that is no credit. Whatever names a stream that is being begun waits for it,
        as messages are begun in the order in which they came."""
        asked = wishes.decode(data)
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
                raise AssertionError("credit is heeded")
            case Cancel():
                if line := self._lines.get(asked.stream):  # else it has ended, which is what was wanted
                    await self._invocations.cancel(await _id(line))
                    self._free(line)
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

    def _free(self, line: _Line) -> None:
        """It was cancelled by its client, who wants its end: what was told before needs no credit. Only what belongs to
        the socket, as of that there is no more than its window."""
        if line.belongs:
            line.strand.credit = math.inf
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
                async with broadcast_of(self._request, id).reading(stream(id), whole) as reading:
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
