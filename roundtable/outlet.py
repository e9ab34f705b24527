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
    """Sends in order and keeps nothing. The transport is shared with the channel's pump, never at the same time."""

    def __init__(
        self, transport: asyncio.Transport, drain: Callable[[], Awaitable[None]], patience: float = PATIENCE
    ) -> None:
        self.transport = transport
        self._drain = drain
        self._patience = patience
        self._burst = 0
        transport.set_write_buffer_limits(high=0)  # `drain` waits until all is in the kernel's hands
        _bound_kernel(transport.get_extra_info("socket"))

    async def send(self, wire: bytes) -> None:
        """Write and wait until it is taken. Raises `ConnectionAbortedError` when that lasts too long - the
        transport is gone then, as half of `wire` may have been sent - and `ConnectionError` when the reader left."""
        view = memoryview(wire)  # as asyncio would copy the unsent rest twice
        for start in range(0, len(view), PIECE):
            if self.transport.is_closing():
                raise ConnectionResetError("the reader has left")
            piece = view[start : start + PIECE]
            self.transport.write(piece)
            self._burst += len(piece)
            await self.flush()

    async def flush(self) -> None:
        """Wait until nothing is left to write; raises like `send`."""
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


def _bound_kernel(sock: socket.socket | None) -> None:
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with contextlib.suppress(OSError):  # macOS refuses once the peer has gone
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        for option, value in (("TCP_NOTSENT_LOWAT", UNSENT), ("TCP_USER_TIMEOUT", UNACKNOWLEDGED)):
            if hasattr(socket, option):  # not every system has them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
