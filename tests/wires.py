"""One table behind a real server, and those who read it: as an event stream, over a WebSocket, and byte by byte."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import ClientSession, ClientTimeout, ClientWebSocketResponse, web

from protocol import codec, sse
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from roundtable.config import Config
from roundtable.edge import problems
from roundtable.edge.keys import BROADCAST, LOG
from roundtable.edge.limits import Limits
from roundtable.edge.tables.replay import Replays
from roundtable.edge.wires.conversation import SILENCE
from roundtable.edge.wires.sse import events
from roundtable.edge.wires.websocket import Sockets
from roundtable.fanout.broadcast import Broadcast
from roundtable.log.base import Record
from roundtable.log.sqlite import SqliteLog
from tests.readers import TABLE, delta, records
from tests.tables import AT, TERM

PATH = "/v1/roundtables/one"
CLOSED = e.TableClosed(reason="max_turns")


class House:
    """A server with one table, as the production runner serves it."""

    def __init__(self, log: SqliteLog, broadcast: Broadcast, port: int) -> None:
        self.log, self.broadcast, self.port = log, broadcast, port
        self.url = f"http://127.0.0.1:{port}{PATH}"
        self.last = ZERO

    async def write(self, *made: e.Event) -> None:
        for start in range(0, len(made), 500):
            batch = records(made[start : start + 500], self.last)
            await self.log.append(TABLE, self.last, batch)
            self.last = batch[-1].cursor

    async def say(self, count: int) -> None:
        await self.write(*[delta(f"word {number}") for number in range(count)])

    async def say_slowly(self, count: int) -> None:
        """Ten seconds apart, as the log has it."""
        for number in range(1, count + 1):
            record = Record(self.last.next(TERM), codec.encode_body(delta("word"), AT + 10 * number))
            await self.log.append(TABLE, self.last, [record])
            self.last = record.cursor

    def ids(self, after: int = 0) -> list[str]:
        return [str(Cursor(self.last.term, seq)) for seq in range(after + 1, self.last.seq + 1)]

    async def until(self, spectators: int) -> None:
        """Until there are so many."""
        while self.broadcast.spectators(TABLE) != spectators:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.001)


@asynccontextmanager
async def housed(data: Path, silence: float = SILENCE) -> AsyncIterator[House]:
    """A house whose table has one entry. `silence`: seconds that a socket may say nothing."""
    log = await SqliteLog.open(data)
    broadcast = Broadcast(log, heartbeat=0.05)
    await broadcast.start()
    app = web.Application(middlewares=[problems.middleware])
    app[LOG], app[BROADCAST] = log, broadcast
    table = "/v1/roundtables/{id}"
    sockets = Sockets(Limits(Config()), silence=silence)
    app.router.add_get(f"{table}/events", events)
    app.router.add_get(f"{table}/ws", sockets.table)
    app.router.add_get(f"{table}/replay", Replays(sockets).replay)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    house = House(log, broadcast, runner.addresses[0][1])
    await house.write(e.TermBegan(owner="test"))
    yield house
    await broadcast.close(within=2.0)
    await runner.cleanup()
    await log.close()


class Answer(NamedTuple):
    """What came: `last_id` is what to come back with, `retry` when (seconds), `code` how a socket was closed."""

    status: int
    headers: Mapping[str, str]
    frames: list[sse.Frame]
    last_id: str
    retry: float | None
    code: int | None = None

    def ids(self) -> list[str]:
        return [frame.id for frame in self.frames if frame.id]

    def names(self) -> list[str]:
        return [frame.event for frame in self.frames if frame.event != "hb"]


class EventSource:
    """Reads Server-Sent Events."""

    path = "events"

    async def read(
        self, url: str, headers: Mapping[str, str] | None = None, until: int | None = None
    ) -> Answer:
        """Read to the end, or until so many frames with ids have come."""
        async with (
            ClientSession(timeout=ClientTimeout(total=30)) as session,
            session.get(url, headers=headers) as response,
        ):
            decoder, frames = sse.Decoder(), list[sse.Frame]()
            async for chunk in response.content.iter_any():
                frames += decoder.feed(chunk)
                if until is not None and sum(1 for frame in frames if frame.id) >= until:
                    break
            retry = decoder.retry and decoder.retry / 1000
            return Answer(response.status, response.headers, frames, decoder.last_id, retry)


class WebSocket:
    """Reads messages, and makes of them the frames that an event stream would have had."""

    path = "ws"

    async def read(
        self, url: str, headers: Mapping[str, str] | None = None, until: int | None = None
    ) -> Answer:
        """As `EventSource.read`."""
        async with (
            ClientSession(timeout=ClientTimeout(total=30)) as session,
            session.ws_connect(url, headers=headers, max_msg_size=0) as socket,
        ):
            frames, last_id, retry = list[sse.Frame](), "", None
            async for message in socket:
                frame = framed(message.data)
                last_id = frame.id or last_id
                if frame.event == "retry":
                    retry = json.loads(frame.data)["wait"]
                elif frame.event != "mark":
                    frames.append(frame)
                if until is not None and sum(1 for frame in frames if frame.id) >= until:
                    break
            return Answer(101, socket._response.headers, frames, last_id, retry, socket.close_code)


Wire = EventSource | WebSocket
WIRES: list[Wire] = [EventSource(), WebSocket()]


def framed(text: str) -> sse.Frame:
    """A message as the frame that an event stream would have had."""
    head, separator, rest = text.partition(",")
    if not head.startswith('{"id":'):
        return sse.Frame(json.loads(text)["type"], text)
    assert separator
    return sse.Frame(json.loads(text)["type"], "{" + rest, json.loads(text)["id"])


async def told(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next message of that type."""
    while True:
        message = await socket.receive_json(timeout=20)
        if message["type"] == kind:
            return dict(message)


class RawSocket:
    """A WebSocket client that does what no library lets one do."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""

    @classmethod
    async def open(cls, port: int, target: str = f"{PATH}/ws", receive_buffer: int = 0) -> "RawSocket":
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        raw = cls(sock)
        await raw.send(
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert (await raw.take_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        return raw

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def frame(self) -> tuple[int, bytes] | None:
        """The next frame: its first byte, and what it carries. None at the connection's end, which cuts no frame."""
        try:
            first, size = await self.take(2)
        except ConnectionError:
            self.close()
            assert self._data == b""
            return None
        assert size < 128, "a server masks nothing"
        if size > 125:
            size = int.from_bytes(await self.take(2 if size == 126 else 8))
        return first, await self.take(size)

    async def closed(self) -> int | None:
        """Read to the end; the code of the close frame."""
        code = None
        while frame := await self.frame():
            assert code is None, "nothing follows a close frame"
            if frame[0] == 0x88:
                code = int.from_bytes(frame[1][:2])
                self.shut()
        return code

    async def take(self, count: int) -> bytes:
        while len(self._data) < count:
            await self._receive()
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    async def take_until(self, end: bytes) -> bytes:
        while end not in self._data:
            await self._receive()
        taken, _, self._data = self._data.partition(end)
        return taken

    def shut(self) -> None:
        """Send nothing more."""
        with contextlib.suppress(OSError):  # the server was first
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._sock.close()

    async def _receive(self) -> None:
        async with asyncio.timeout(20):
            piece = await asyncio.get_running_loop().sock_recv(self._sock, 1 << 16)
        if not piece:
            raise ConnectionResetError("the server has closed")
        self._data += piece


def masked(first: int, payload: bytes = b"", size: int | None = None) -> bytes:
    """A client's frame; `size` is what it says of itself."""
    size = len(payload) if size is None else size
    if size < 126:
        head = bytes([first, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([first, 0x80 | 126]) + size.to_bytes(2)
    else:
        head = bytes([first, 0x80 | 127]) + size.to_bytes(8)
    mask = b"mask"  # a test's need not be random
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
