"""Row 5: how soon a model's server sees that nobody listens any more, beside the official SDK's own closing.

The server is a thread on a loopback socket that waits for the connection's end; what it does then is its own affair.
"""

import asyncio
import queue
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing
from typing import Any, Self

from tests.bench.dialects import DIALECTS, KEY, REQUEST, Dialect, preset
from tests.bench.figures import Figure

TURNS = 30
WARM_UP = 3  # the first find everything cold
# Milliseconds at the median. Both close the same connection; ours may not take a detour.
GOAL = 0.5
# A server that has not seen it by then never will. Seconds.
DEADLINE = 10.0
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


class Server:
    """Reads a request, says `answer` (nothing: it is still thinking) and notes when the connection ends."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.asked: queue.Queue[float] = queue.Queue()
        self.ended: queue.Queue[float] = queue.Queue()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:  # closed
                return
            with closing(peer):
                request = b""
                while not request.endswith(b"}"):  # a JSON body, and no header ends so
                    request += peer.recv(65536)
                peer.sendall(self._answer)
                self.asked.put(time.perf_counter())
                try:
                    while peer.recv(1):
                        pass
                except ConnectionResetError:
                    pass
                self.ended.put(time.perf_counter())


def measure(repeat: int) -> Iterator[Figure]:
    """Milliseconds from the decision to stop until the server's side of the connection has ended: median, and most."""
    for dialect in DIALECTS:
        for state, answer in (
            ("before its first byte", b""),
            ("in mid-stream", HEAD + dialect.first + dialect.word),
        ):
            with Server(answer) as server:
                runs = asyncio.run(_measure(server, dialect, repeat * TURNS, speaking=bool(answer)))
            ours, sdk = zip(*runs[WARM_UP:], strict=True)
            yield Figure(f"{dialect.name} stopped {state}", "ms", ours, sdk, GOAL, added=True)


async def _measure(
    server: Server, dialect: Dialect, turns: int, *, speaking: bool
) -> list[tuple[float, float]]:
    provider = dialect.provider(preset(server.url), KEY)

    async def sdk() -> AsyncGenerator[Any]:
        """The SDK's stream, asked for and closed as its documentation says."""
        stream = await dialect.ask(provider._client)
        try:
            async for event in stream:
                yield event
        finally:
            await stream.close()

    stop = _close if speaking else _cancel
    runs = [(await stop(server, provider.stream(REQUEST)), await stop(server, sdk())) for _ in range(turns)]
    await provider.close()
    return runs


async def _close(server: Server, chunks: AsyncGenerator[Any]) -> float:
    await anext(chunks)
    server.asked.get(timeout=DEADLINE)
    began = time.perf_counter()
    await chunks.aclose()
    return 1000 * (await asyncio.to_thread(server.ended.get, timeout=DEADLINE) - began)


async def _first(chunks: AsyncGenerator[Any]) -> None:
    await anext(chunks)


async def _cancel(server: Server, chunks: AsyncGenerator[Any]) -> float:
    waiting = asyncio.create_task(_first(chunks))
    await asyncio.to_thread(server.asked.get, timeout=DEADLINE)
    began = time.perf_counter()
    waiting.cancel()
    await asyncio.wait([waiting])
    return 1000 * (await asyncio.to_thread(server.ended.get, timeout=DEADLINE) - began)
