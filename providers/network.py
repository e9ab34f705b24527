"""Bytes to and from a model's server, over asyncio's own transports.

The HTTP client's own layer opens a scope of deadlines around every piece that it reads, and starts and stops listening
for it: of the 140 us of CPU that a token takes which comes alone, 60 (measured 2026-11-21).
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore2
import httpx2

# What may wait to be read before the server is held back. Bytes.
MAX_WAITING = 256 * 1024
# An address that does not answer is not waited for longer before the next is tried, too (RFC 8305). Seconds.
NEXT_ADDRESS = 0.25
# A model may think for minutes, and what stands between forgets who says nothing: probes at this distance. Seconds.
ALIVE = 60
# As the SDKs': connections at most, and those of them that are kept for the next request.
MAX_CONNECTIONS, KEPT = 1000, 100


class Transport(httpx2.AsyncHTTPTransport):
    """The HTTP client's own, without a proxy, on this network."""

    def __init__(self, *, verify: bool, trust_env: bool) -> None:
        super().__init__(verify=False)  # its pool is replaced, so it need not read the certificates
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(verify=verify, trust_env=trust_env),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=KEPT,
            keepalive_expiry=5.0,  # as the client's own; servers close what is idle for longer. Seconds
            network_backend=Network(),
        )


class Network(httpcore2.AsyncNetworkBackend):
    """How connections are made."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Within `timeout` seconds. Raises `httpcore2.ConnectError` and `ConnectTimeout`."""
        local = None if local_address is None else (local_address, 0)
        with _named(httpcore2.ConnectError, httpcore2.ConnectTimeout):
            async with asyncio.timeout(timeout):
                transport, stream = await asyncio.get_running_loop().create_connection(
                    Stream, host, port, local_addr=local, happy_eyeballs_delay=NEXT_ADDRESS
                )
        for option in (*_keep_alive(), *(socket_options or ())):
            transport.get_extra_info("socket").setsockopt(*option)
        return stream


class Stream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """One connection, for one task at a time. Timeouts are in seconds, None for ever."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._received = bytearray()
        self._ended = self._held_back = self._full = False
        self._error: Exception | None = None
        self._changed: asyncio.Future[None] | None = None

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > MAX_WAITING and not self._held_back:
            self._held_back = True
            self._transport.pause_reading()
        self._change()

    def eof_received(self) -> None:
        self._ended = True
        self._change()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._full, self._error = True, False, exc
        self._change()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._change()

    # What the HTTP client asks

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come; nothing at the end. Raises `httpcore2.ReadError` and `ReadTimeout`."""
        if not self._received and not self._ended:
            await self._until_changed(timeout, httpcore2.ReadTimeout)
        if self._error is not None and not self._received:
            raise httpcore2.ReadError(str(self._error)) from self._error
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        if self._held_back and not self._received:
            self._held_back = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send, as fast as it is taken. Raises `httpcore2.WriteError` and `WriteTimeout`."""
        if buffer and not self._ended:
            self._transport.write(buffer)
        while self._full:
            await self._until_changed(timeout, httpcore2.WriteTimeout)
        if self._ended:
            raise httpcore2.WriteError("the connection is closed") from self._error

    async def aclose(self) -> None:
        """Now: what is not sent is dropped, and nothing is read any more."""
        self._transport.abort()
        await asyncio.sleep(0)  # which the loop's next turn does

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """This connection, encrypted from here on. Raises `httpcore2.ConnectError` and `ConnectTimeout`."""
        try:
            with _named(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                async with asyncio.timeout(timeout):
                    self._transport = await asyncio.get_running_loop().start_tls(
                        self._transport, self, ssl_context, server_hostname=server_hostname
                    )
        except BaseException:
            await self.aclose()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: something has come, or the end, that nobody asked for; else what the transport knows."""
        if info == "is_readable":
            return bool(self._received) or self._ended
        return self._transport.get_extra_info(_INFOS.get(info, info))

    async def _until_changed(self, timeout: float | None, late: type[Exception]) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        if timeout is None:  # as we ask for every token: deadlines are the turn's
            await self._changed
            return
        with _named(httpcore2.NetworkError, late):
            async with asyncio.timeout(timeout):
                await self._changed

    def _change(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


_INFOS = {"client_addr": "sockname", "server_addr": "peername"}


@contextlib.contextmanager
def _named(error: type[Exception], late: type[Exception]) -> Iterator[None]:
    """The client's own names for what goes wrong."""
    try:
        yield
    except TimeoutError as failure:
        raise late(str(failure)) from failure
    except OSError as failure:
        raise error(str(failure)) from failure


def _keep_alive() -> Iterator[httpcore2.SOCKET_OPTION]:
    yield socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL"):
        if hasattr(socket, name):  # not every system has them
            yield socket.IPPROTO_TCP, getattr(socket, name), ALIVE
