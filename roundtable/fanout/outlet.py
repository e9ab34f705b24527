"""A connection as the fan-out sees it: a transport, and a way to wait until it has taken everything."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

# How long bytes may wait for a reader who does not read: longer than a phone changes networks. Seconds.
PATIENCE = 30.0
# A fast reader never makes us wait, so after this much we let the loop turn. Bytes.
BURST = 256 * 1024
# One write, and so the most that we hold of what a reader does not take, however large an entry is. Bytes.
PIECE = 128 * 1024
# The kernel's share of what a reader has not read: in flight, and not yet sent. By default it would take about 3 MB
# before back-pressure shows; half a megabyte still carries 5 MB/s over 100 ms. Bytes.
SEND_BUFFER = 256 * 1024
UNSENT = 128 * 1024
# A peer that vanished without a word is given up by the kernel. Milliseconds.
UNACKNOWLEDGED = 60_000


class Outlet:
    """Sends in order and keeps nothing. Three may write to the transport, and nobody into the middle of a frame:

    - `send`, for whoever brings the reader on: piece by piece, with waits between;
    - `tell`, for whoever answers the reader at any time: in one call, after the `send` that is under way;
    - the channel's pump: in one call, and only while nobody sends.

    `taken_at` is when the reader last took something that was sent here, on the loop's clock.
    """

    def __init__(
        self, transport: asyncio.Transport, drain: Callable[[], Awaitable[None]], patience: float = PATIENCE
    ) -> None:
        self.transport = transport
        self._clock = asyncio.get_running_loop().time
        self.taken_at = self._clock()
        self._drain = drain
        self._patience = patience
        self._burst = 0
        self._turn = asyncio.Lock()  # waiting for the drain goes by turns too: its waiters share one future
        self._finished = False
        transport.set_write_buffer_limits(high=0)  # `drain` waits until all is in the kernel's hands
        _bound_kernel(transport.get_extra_info("socket"))

    async def send(self, wire: bytes) -> None:
        """Write and wait until it is taken. Raises `ConnectionAbortedError` when that lasts too long - the
        transport is gone then, as half of `wire` may have been sent - and `ConnectionError` when the reader left.
        Cancelled half-way it takes the transport with it, too."""
        view = memoryview(wire)  # as asyncio would copy the unsent rest twice
        sent = 0
        async with self._turn:
            try:
                for start in range(0, len(view), PIECE):
                    sent += self._write(view[start : start + PIECE])
                    await self._taken()
            finally:
                if 0 < sent < len(view):
                    self.transport.abort()  # nothing may ever follow half a frame

    async def tell(self, wire: bytes, *, last: bool = False) -> None:
        """Write whole frames in one call, however long they are, and wait until they are taken; raises like `send`.
        After the `last` there is nothing more to be said, and saying it raises `ConnectionResetError`."""
        async with self._turn:
            await self._taken()  # so that what waits is never more than this and one piece of the pump's
            self._write(wire)
            self._finished = last
            await self._taken()

    async def flush(self) -> None:
        """Wait until nothing is left to write; raises like `send`."""
        async with self._turn:
            await self._taken()

    def _write(self, wire: bytes | memoryview) -> int:
        if self._finished or self.transport.is_closing():
            raise ConnectionResetError("the reader has left")
        self.transport.write(wire)
        self._burst += len(wire)
        return len(wire)

    async def _taken(self) -> None:
        if self.transport.get_write_buffer_size():
            self._burst = 0
            try:
                async with asyncio.timeout(self._patience):
                    await self._drain()
            except TimeoutError:
                self.transport.abort()  # never to be used again
                raise ConnectionAbortedError("the reader does not read") from None
        elif self._burst > BURST:
            self._burst = 0
            await asyncio.sleep(0)
        self.taken_at = self._clock()


def _bound_kernel(sock: socket.socket | None) -> None:
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with contextlib.suppress(OSError):  # macOS refuses once the peer has gone
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        for option, value in (("TCP_NOTSENT_LOWAT", UNSENT), ("TCP_USER_TIMEOUT", UNACKNOWLEDGED)):
            if hasattr(socket, option):  # not every system has them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
