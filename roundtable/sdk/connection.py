"""Requests to one server, and what may be believed of its answers. Nobody else here knows aiohttp."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from protocol import codec
from protocol.errors import RoundtableError
from roundtable.sdk import addresses, bodies
from roundtable.sdk.backoff import Backoff
from roundtable.sdk.refusals import Unreachable, refusal

# A server sends something every 10 s, if only a heartbeat. After two and a half of them the connection is dead, though
# nothing may have said so. Seconds.
SILENCE = 25.0
# Seconds for a connection to stand: as long as a TCP handshake that is repeated three times.
CONNECT_WITHIN = 10.0
# Seconds for an answer that is no stream. A command is answered within two.
ANSWER_WITHIN = 60.0
# The largest answer that is held in memory: a transcript of some ten million words. Bytes.
MAX_ANSWER = 64 * 1024 * 1024
# How often what may be repeated is sent before the caller is told that nobody answers.
ATTEMPTS = 4

_JSON = {"Content-Type": "application/json"}
_T = TypeVar("_T")


class Opened(NamedTuple):
    """An event stream: its bytes (None: there is nothing more to come), and the address of what it shows."""

    pieces: AsyncIterator[bytes] | None
    location: str


class Connection:
    """One server, at `base_url`. Use it as a context manager; `sleep` is for tests."""

    def __init__(
        self, base_url: str, secret: str, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.base_url = addresses.server(base_url)
        self.sleep = sleep
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self.session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        # Each stream is a connection, and waits for no other.
        connector = TCPConnector(limit=0)
        timeout = ClientTimeout(total=ANSWER_WITHIN, sock_connect=CONNECT_WITHIN)
        self.session = ClientSession(headers=self._headers, connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.session is not None:
            await self.session.close()

    @asynccontextmanager
    async def request(self, method: str, path: str, **options: Any) -> AsyncIterator[ClientResponse]:
        """One request that was not refused. Raises what the refusal says, or `Unreachable`."""
        assert self.session is not None, "use it as `async with Client(...)`"
        url = URL(self.base_url + path, encoded=True)
        try:
            # The secret is for this server: who is sent elsewhere is told so.
            async with self.session.request(method, url, allow_redirects=False, **options) as response:
                if 300 <= response.status < 400:
                    raise Unreachable(
                        f"{self.base_url} sends to another address; use that one.", retryable=False
                    )
                if response.status >= 400:
                    raise refusal(response.status, await _body(response))
                yield response
        except (ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self.base_url} does not answer: {_reason(error)}.") from error

    async def answer(
        self, method: str, path: str, value: Any = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The whole answer to one request."""
        sent: dict[str, Any] = {}
        if value is not None:
            sent = {"data": bodies.encoded(value), "headers": {**_JSON, **(headers or {})}}
        async with self.request(method, path, **sent) as response:
            return await _body(response)

    async def insist(self, path: str, value: Any, headers: Mapping[str, str]) -> bytes:
        """An answer to a POST that may be sent more than once."""
        backoff = Backoff()
        for _ in range(ATTEMPTS - 1):
            try:
                return await self.answer("POST", path, value, headers)
            except RoundtableError as error:
                if not error.retryable:
                    raise
            await self.sleep(backoff.wait())
        return await self.answer("POST", path, value, headers)

    @asynccontextmanager
    async def stream(self, path: str, after: str = "", value: Any = None) -> AsyncIterator[Opened]:
        """An event stream from a cursor on; with a `value` it is what a POST of it answers. Raises as `request` does,
        also while its bytes are read."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        sent: dict[str, Any] = {} if value is None else {"data": bodies.encoded(value)}
        timeout = ClientTimeout(sock_connect=CONNECT_WITHIN, sock_read=SILENCE)
        method = "GET" if value is None else "POST"
        headers |= {} if value is None else _JSON
        async with self.request(method, path, headers=headers, timeout=timeout, **sent) as response:
            location = response.headers.get("Location", "")
            if response.status == 204:
                yield Opened(None, location)
                return
            if response.content_type != "text/event-stream":
                raise Unreachable(f"What answers at {self.base_url} is no roundtable server.")
            yield Opened(response.content.iter_any(), location)

    @asynccontextmanager
    async def pieces(self, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer of any length, piece by piece."""
        timeout = ClientTimeout(sock_connect=CONNECT_WITHIN, sock_read=SILENCE)
        async with self.request("GET", path, timeout=timeout) as response:
            yield response.content.iter_any()

    async def header(self, path: str, name: str) -> str:
        """A header of an answer that is left unread. Not by HEAD, whose refusals have no words."""
        async with self.request("GET", path) as response:
            return response.headers.get(name, "")


def decode(body: bytes, kind: type[_T]) -> _T:
    """An answer as what it should be. Raises `Unreachable`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except codec.UNREADABLE as error:
        raise Unreachable("The answer is not that of a roundtable server.", retryable=False) from error


async def _body(response: ClientResponse) -> bytes:
    """The whole answer, if it is no larger than `MAX_ANSWER`."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER:
            raise Unreachable(f"The answer is larger than {MAX_ANSWER >> 20} MiB.", retryable=False)
    return bytes(body)


def _reason(error: Exception) -> str:
    """What went wrong in a few words; the library's own text may be empty."""
    if isinstance(error, TimeoutError):
        return "nothing was heard in time"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # the loop puts the address into its own text, and we say it already
    return getattr(error, "strerror", None) or str(error)[:200] or type(error).__name__
