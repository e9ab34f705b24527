"""A model server on a raw socket that does what a test tells it, however wrong, byte by byte.

Each connection plays the server's `steps` for every request it reads. Nothing here knows the provider.
"""

import asyncio
import enum
import json
import os
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec


class Act(enum.Enum):
    """What a server does besides sending bytes."""

    STALL = "send nothing more and keep the connection open"
    CUT = "reset the connection"
    FLOOD = "send frames without end, as fast as they are taken"


Step = bytes | Act
FRAME = b'data: {"choices":[{"delta":{"content":"word "}}]}\n\n'
DONE = b"data: [DONE]\n\n"


class Received(msgspec.Struct):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: Any


class MisbehavingServer:
    """`async with MisbehavingServer(steps) as server`. `sent` counts the steps and frames that were written.

    `flood` is the frame that `Act.FLOOD` repeats.
    """

    def __init__(self, steps: Sequence[Step], *, flood: bytes = FRAME) -> None:
        self.steps = steps
        self.flood = flood
        self.requests: list[Received] = []
        self.asked = asyncio.Event()
        self.connections = 0
        self.sent = 0
        self.gone = asyncio.Event()
        self.url = ""
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        if self._serving:  # they end with their clients; a test that leaves one open fails elsewhere
            await asyncio.wait(self._serving, timeout=5)

    def hung_up(self) -> bool:
        """Whether the newest client has closed its connection: asked of the kernel, without a turn of the loop."""
        assert self._writer is not None
        if self.gone.is_set():
            return True
        with socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno())) as peer:
            try:
                return not peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self.asked.set()
                for step in self.steps:
                    await self._do(step, reader, writer)
        except ConnectionError:
            pass  # the client hung up, which is what is waited for
        finally:
            self.gone.set()
            self._serving.discard(task)
            writer.close()

    async def _do(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match step:
            case bytes():
                writer.write(step)
                await writer.drain()
                self.sent += 1
            case Act.STALL:
                await reader.read()
            case Act.CUT:
                writer.transport.abort()
                raise ConnectionAbortedError
            case Act.FLOOD:
                while not writer.is_closing():
                    writer.write(chunk(self.flood))
                    await writer.drain()
                    self.sent += 1


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(head[0], headers, json.loads(body) if body else None)


def answer(status: int, body: bytes, *, kind: str = "application/json", **headers: str) -> bytes:
    """A whole answer of known length; a header's `_` stands for `-`."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    head = f"HTTP/1.1 {status} Whatever\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return (head + "".join(lines) + "\r\n").encode() + body


def error(status: int, message: str, **fields: Any) -> bytes:
    """OpenAI's error object, with `headers` where given."""
    headers = fields.pop("headers", {})
    return answer(status, json.dumps({"error": {"message": message, **fields}}).encode(), **headers)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def frame(value: Any) -> bytes:
    """One SSE frame of JSON."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def stream(*frames: bytes) -> list[Step]:
    """A well-formed streamed answer of these frames, each in its own chunk."""
    return [HEAD, *map(chunk, frames), END]
