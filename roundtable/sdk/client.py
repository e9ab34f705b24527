"""The Python SDK: a server's tables from another program. It follows a table over as many connections as it takes.

    async with Client("http://127.0.0.1:8420", secret=...) as client:
        table, _ = await client.convene("Tabs or spaces?")
        async for entry in client.events(table):
            print(entry.event)

A refusal raises the error of `protocol/errors.py` that it was on the server; no answer at all is `Unreachable`.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import quote

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from protocol import codec, commands
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, RoundtableError
from protocol.events import Entry, Then
from protocol.messages import Limits, Panelist
from protocol.transcript import Transcript
from roundtable.hosting.summary import Summary
from roundtable.log.base import Record
from roundtable.sdk import addresses
from roundtable.sdk.backoff import Backoff
from roundtable.sdk.following import Following
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
# How often a command is sent under the same key before the caller is told that nobody answers.
ATTEMPTS = 4
# Tables per page of the list, as many as the server gives.
_PAGE = 100

_TABLES = "/v1/roundtables"
_T = TypeVar("_T")
__all__ = ["Client", "Convened", "Outcome"]


class Convened(NamedTuple):
    """A new table, and the cursor of its `table.opened`."""

    id: str
    cursor: Cursor


class Outcome(NamedTuple):
    """A command's effect; None when it was accepted and is still to be acted on."""

    entry: Entry | None


class _Read(msgspec.Struct):
    cursor: str
    transcript: Transcript


class _Made(msgspec.Struct):
    id: str
    cursor: str


class _Page(msgspec.Struct):
    roundtables: list[Summary]
    next: str | None


class _Done(msgspec.Struct):
    cursor: str = ""
    event: msgspec.Raw = msgspec.Raw()


class Client:
    """One server, at `base_url`. Use it as a context manager.

    `patience`: seconds without a sign of life after which a reader gives up with `Unreachable` (None: never; the first
    attempt is always the only one). `link` is told why a connection was lost, and `""` when it stands again.
    `sleep` is for tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        secret: str = "",
        patience: float | None = 300.0,
        link: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.base_url = addresses.server(base_url)
        self.patience, self.link, self.sleep = patience, link, sleep
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        # Each stream is a connection, and waits for no other.
        connector = TCPConnector(limit=0)
        timeout = ClientTimeout(total=ANSWER_WITHIN, sock_connect=CONNECT_WITHIN)
        self._session = ClientSession(headers=self._headers, connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    # -- a table's entries -------------------------------------------------------------------------------------

    async def events(self, table: str, after: Cursor | None = ZERO) -> AsyncGenerator[Entry]:
        """A table's entries after a cursor (None: after now), each once and in order, until the table is closed.

        Lost connections are made again and resumed. Raises `Reset`, `Unreachable`, `NotFound` and what else the server
        refuses with. Who stops early closes it (`contextlib.aclosing`).
        """
        async with aclosing(self.records(table, after)) as records:
            async for record in records:
                yield codec.decode_body(*record)

    async def records(self, table: str, after: Cursor | None = ZERO) -> AsyncGenerator[Record]:
        """As `events`, with the bytes as they are logged."""
        following = Following(
            lambda at: self._stream(table, at),
            await self.head(table) if after is None else after,
            patience=self.patience,
            link=self.link,
            sleep=self.sleep,
        )
        async with aclosing(following.records()) as records:
            async for record in records:
                yield record

    async def head(self, table: str) -> Cursor:
        """Where the table stands now."""
        # Not HEAD, whose refusals have no words; the transcript is left unread.
        async with self._request("GET", f"{_TABLES}/{_segment(table)}") as response:
            tag = response.headers.get("ETag", "").removeprefix("W/")  # weak behind a proxy that compresses
            return Cursor.parse(tag.strip('"'), field="ETag")

    # -- what can be asked -------------------------------------------------------------------------------------

    async def transcript(self, table: str) -> Transcript:
        """The table as it stands; `transcript.cursor` is where to go on from."""
        return _decode(await self._answer("GET", f"{_TABLES}/{_segment(table)}"), _Read).transcript

    async def tables(self) -> AsyncIterator[Summary]:
        """All tables, newest first, a page at a time."""
        before: str | None = ""
        while before is not None:
            path = f"{_TABLES}?limit={_PAGE}&before={quote(before, safe='')}"
            page = _decode(await self._answer("GET", path), _Page)
            for summary in page.roundtables:
                yield summary
            before = page.next

    async def convene(
        self,
        topic: str,
        panel: Sequence[Panelist] | None = None,
        *,
        policy: str = "round_robin",
        limits: Limits | None = None,
        then: Then = "close",
        seed: int | None = None,
        record: bool = True,
    ) -> Convened:
        """Open a table; without a panel it is the server's default one. Raises `Invalid` naming the field.

        Sent once: where no answer comes, a table may have been opened.
        """
        chosen = {"panel": panel, "limits": limits, "seed": seed, "record": None if record else False}
        body: dict[str, Any] = {"topic": topic, "policy": policy, "then": then}
        body |= {name: value for name, value in chosen.items() if value is not None}
        made = _decode(await self._answer("POST", _TABLES, body), _Made)
        return Convened(made.id, Cursor.parse(made.cursor, field="cursor"))

    async def command(self, table: str, command: commands.ANY, *, key: str = "") -> Outcome:
        """Tell the table something, once, however often it has to be sent: `key` is made up unless given.

        Raises `WrongState` when the table refuses it, `KeyReused`, `NotFound`, `Invalid`.
        """
        headers = {"Idempotency-Key": key or secrets.token_urlsafe(18)}
        path = f"{_TABLES}/{_segment(table)}/commands"
        done = _decode(await self._insist(path, command, headers), _Done)
        if not done.cursor:
            return Outcome(None)
        return Outcome(codec.decode_body(Cursor.parse(done.cursor, field="cursor"), bytes(done.event)))

    async def export(self, table: str, format: str) -> AsyncGenerator[bytes]:
        """The table as `md`, `html`, `json` or `jsonl`, in pieces as they come."""
        timeout = ClientTimeout(sock_connect=CONNECT_WITHIN, sock_read=SILENCE)
        path = f"{_TABLES}/{_segment(table)}/export?format={quote(format, safe='')}"
        async with self._request("GET", path, timeout=timeout) as response:
            async for piece in response.content.iter_any():
                yield piece

    async def _insist(self, path: str, value: Any, headers: Mapping[str, str]) -> bytes:
        """An answer to what may be sent more than once."""
        backoff = Backoff()
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._answer("POST", path, value, headers)
            except RoundtableError as error:
                if not error.retryable:
                    raise
            await self.sleep(backoff.wait())
        return await self._answer("POST", path, value, headers)

    # -- requests ----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _request(self, method: str, path: str, **options: Any) -> AsyncIterator[ClientResponse]:
        """One request that was not refused. Raises what the refusal says, or `Unreachable`."""
        assert self._session is not None, "use it as `async with Client(...)`"
        url = URL(self.base_url + path, encoded=True)
        try:
            # The secret is for this server: who is sent elsewhere is told so.
            async with self._session.request(method, url, allow_redirects=False, **options) as response:
                if 300 <= response.status < 400:
                    raise Unreachable(
                        f"{self.base_url} sends to another address; use that one.", retryable=False
                    )
                if response.status >= 400:
                    raise refusal(response.status, await _body(response))
                yield response
        except (ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self.base_url} does not answer: {_reason(error)}.") from error

    @asynccontextmanager
    async def _stream(self, table: str, after: Cursor) -> AsyncIterator[AsyncIterator[bytes] | None]:
        headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
        timeout = ClientTimeout(sock_connect=CONNECT_WITHIN, sock_read=SILENCE)
        path = f"{_TABLES}/{_segment(table)}/events"
        async with self._request("GET", path, headers=headers, timeout=timeout) as response:
            if response.status == 204:
                yield None
                return
            if response.content_type != "text/event-stream":
                raise Unreachable(f"What answers at {self.base_url} is no roundtable server.")
            yield response.content.iter_any()

    async def _answer(
        self, method: str, path: str, value: Any = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        sent: dict[str, Any] = {}
        if value is not None:
            sent = {
                "data": codec.encode(value),
                "headers": {"Content-Type": "application/json", **(headers or {})},
            }
        async with self._request(method, path, **sent) as response:
            return await _body(response)


async def _body(response: ClientResponse) -> bytes:
    """The whole answer, if it is no larger than `MAX_ANSWER`."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER:
            raise Unreachable(f"The answer is larger than {MAX_ANSWER >> 20} MiB.", retryable=False)
    return bytes(body)


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except codec.UNREADABLE as error:
        raise Unreachable("The answer is not that of a roundtable server.", retryable=False) from error


def _segment(table: str) -> str:
    """A table's id as one segment of a path, whatever it holds."""
    if not table.strip("."):
        raise Invalid(f"{table[:40]!r} is no table's id.", field="table")
    return quote(table, safe="")


def _reason(error: Exception) -> str:
    """What went wrong in a few words; the library's own text may be empty."""
    if isinstance(error, TimeoutError):
        return "nothing was heard in time"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # the loop puts the address into its own text, and we say it already
    return getattr(error, "strerror", None) or str(error)[:200] or type(error).__name__
