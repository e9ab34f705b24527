"""A server from another program. It follows a stream over as many connections as it takes.

    async with Client("http://127.0.0.1:8420", secret=...) as client:
        async for event in client.stream("panelist/ollama:llama3.2", "complete", {"prompt": "Tabs or spaces?"}):
            print(event.text, end="")

A refusal raises the error of `protocol/errors.py` that it was on the server; no answer at all is `Unreachable`.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Any, Self
from urllib.parse import quote

import msgspec

from protocol import codec, commands, invocation
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, RoundtableError
from protocol.transcript import Transcript
from roundtable.hosting.lineage import ForkLine
from roundtable.hosting.shown import Kept, Lens
from roundtable.hosting.summary import Summary
from roundtable.log.base import Record
from roundtable.sdk import asking
from roundtable.sdk.connection import ATTEMPTS, Connection, decode
from roundtable.sdk.event import Event
from roundtable.sdk.following import Following
from roundtable.sdk.refusals import Unreachable
from roundtable.sdk.streams import Streams
from roundtable.sdk.tables import Convened, Outcome, Posted

# How long an invocation waits for us when a connection breaks: as long as a laptop takes from one network to another.
# Seconds.
LINGER = 30.0
# Seconds for the word that what we invoked is to end. When it is not heard, the server's own patience ends it.
CANCEL_WITHIN = 5.0
# Tables per page of the list, as many as the server gives.
_PAGE = 100

_TABLES, _THREADS, _PANELS = "/v1/roundtables", "/v1/threads", "/v1/panels"
_ENDINGS = frozenset(ending.decode() for ending in invocation.ENDINGS)


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


class _Said(msgspec.Struct):
    message: dict[str, Any] = {}
    cursor: str = ""


class _Forks(msgspec.Struct):
    forks: list[ForkLine]


class _Panels(msgspec.Struct):
    panels: list[Kept]


class _Tools(msgspec.Struct):
    tools: list[dict[str, Any]]


class _Invocations(msgspec.Struct):
    invocations: list[dict[str, Any]]
    next: str | None = None


class _Thread(msgspec.Struct):
    messages: list[dict[str, Any]]


class Client(Streams):
    """One server, at `base_url`. Use it as a context manager.

    `patience`: seconds without a sign of life after which a reader gives up with `Unreachable` (None: never; the first
    attempt is always the only one). `linger`: seconds that the server keeps what was invoked for us while our
    connection is broken (at most 600); should this program die, it is ended after as many. `link` is told why a
    connection was lost, and `""` when it stands again. `sleep` is for tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        secret: str = "",
        patience: float | None = 300.0,
        linger: float = LINGER,
        link: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = Connection(base_url, secret, sleep)
        self.base_url = self._connection.base_url
        self.patience, self.linger, self.link, self.sleep = patience, linger, link, sleep
        self._ours: set[str] = set()  # invocations that end with their reader

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*map(self._give_up, list(self._ours)))
        await self._connection.__aexit__()

    # -- anything that streams ---------------------------------------------------------------------------------

    async def invoke(self, address: str, args: Mapping[str, Any] | None = None) -> str:
        body = {"tool": address, "args": args or {}, "detach": True}
        async with self._connection.stream("/invoke", value=body) as opened:
            return _invocation(opened.location)

    async def cancel(self, invocation: str) -> None:
        await self._connection.answer("DELETE", f"/invoke/{_segment(invocation)}")

    async def tools(self) -> list[dict[str, Any]]:
        return decode(await self._connection.answer("GET", "/v1/tools"), _Tools).tools

    async def invocations(self) -> AsyncIterator[dict[str, Any]]:
        before: str | None = ""
        while before is not None:
            path = f"/v1/invocations?limit={_PAGE}" + (f"&before={quote(before, safe='')}" if before else "")
            page = decode(await self._connection.answer("GET", path), _Invocations)
            for each in page.invocations:
                yield each
            before = page.next

    async def _invoked(self, address: str, args: Mapping[str, Any]) -> AsyncGenerator[Event]:
        """It is ours: begun once, resumed as long as it waits for us, and ended when nobody reads it any more."""
        body = {"tool": address, "args": args, "linger": self.linger}
        id = ""

        @asynccontextmanager
        async def connect(at: Cursor) -> AsyncIterator[AsyncIterator[bytes] | None]:
            nonlocal id
            if id:
                async with self._connection.stream(f"/invoke/{_segment(id)}?owner=true", str(at)) as opened:
                    yield opened.pieces
                return
            async with AsyncExitStack() as stack:
                beginning = asyncio.create_task(self._begin(body, stack), name="invoke")
                try:
                    pieces, id = await asyncio.shield(beginning)
                except asyncio.CancelledError:
                    # It may have begun, and would wait for us: its id is needed to end it.
                    await asyncio.wait([beginning], timeout=CANCEL_WITHIN)
                    if beginning.done() and not beginning.cancelled() and not beginning.exception():
                        id = beginning.result()[1]
                    beginning.cancel()
                    raise
                yield pieces

        try:
            async with aclosing(self._events(connect, ZERO, dense=False, endings=_ENDINGS)) as events:
                async for event in events:
                    if event.type in _ENDINGS:
                        self._ours.discard(id)
                    yield event
        finally:
            await self._give_up(id)

    async def _begin(
        self, body: dict[str, Any], stack: AsyncExitStack
    ) -> tuple[AsyncIterator[bytes] | None, str]:
        opened = await stack.enter_async_context(self._connection.stream("/invoke", value=body))
        id = _invocation(opened.location)
        self._ours.add(id)
        return opened.pieces, id

    async def _followed(self, kind: str, id: str, after: Cursor | None) -> AsyncGenerator[Event]:
        tables = kind == "roundtable"
        if tables and after is None:
            after = await self.head(id)
        connect = self._at(_path(kind, id), now=after is None)
        endings = _ENDINGS if kind == invocation.KIND else ()
        async with aclosing(self._events(connect, after or ZERO, dense=tables, endings=endings)) as events:
            async for event in events:
                yield event

    async def _events(self, connect: "_Connect", after: Cursor, **options: Any) -> AsyncGenerator[Event]:
        async with aclosing(self._following(connect, after, **options).records()) as records:
            async for cursor, body in records:
                yield Event.read(cursor, body)

    def _following(self, connect: "_Connect", after: Cursor, **options: Any) -> Following:
        return Following(connect, after, patience=self.patience, link=self.link, sleep=self.sleep, **options)

    def _at(self, path: str, *, now: bool = False) -> "_Connect":
        """Connections to an address. `now` is when one of them first says where it stands."""

        @asynccontextmanager
        async def connect(at: Cursor) -> AsyncIterator[AsyncIterator[bytes] | None]:
            tail = now and at == ZERO
            where = f"{path}?after=now" if tail else path
            async with self._connection.stream(where, "" if tail else str(at)) as opened:
                yield opened.pieces

        return connect

    async def _give_up(self, id: str) -> None:
        if id in self._ours:
            self._ours.discard(id)
            with suppress(RoundtableError, TimeoutError):
                async with asyncio.timeout(CANCEL_WITHIN):
                    await self.cancel(id)

    # -- tables ------------------------------------------------------------------------------------------------

    async def records(self, table: str, after: Cursor | None = ZERO) -> AsyncGenerator[Record]:
        """Lost connections are made again and resumed."""
        start = await self.head(table) if after is None else after
        following = self._following(self._at(_path("roundtable", table)), start)
        async with aclosing(following.records()) as records:
            async for record in records:
                yield record

    async def head(self, table: str) -> Cursor:
        tag = await self._connection.header(f"{_TABLES}/{_segment(table)}", "ETag")
        return Cursor.parse(tag.removeprefix("W/").strip('"'), field="ETag")  # weak where a proxy compresses

    async def transcript(self, table: str) -> Transcript:
        return decode(await self._connection.answer("GET", f"{_TABLES}/{_segment(table)}"), _Read).transcript

    async def tables(self) -> AsyncIterator[Summary]:
        before: str | None = ""
        while before is not None:
            path = f"{_TABLES}?limit={_PAGE}&before={quote(before, safe='')}"
            page = decode(await self._connection.answer("GET", path), _Page)
            for summary in page.roundtables:
                yield summary
            before = page.next

    async def _convene(self, body: Mapping[str, Any]) -> Convened:
        return await self._made(_TABLES, body)

    async def _fork(self, table: str, body: Mapping[str, Any]) -> Convened:
        return await self._made(f"{_TABLES}/{_segment(table)}/forks", body)

    async def forks(self, table: str) -> list[ForkLine]:
        path = f"{_TABLES}/{_segment(table)}/forks"
        return decode(await self._connection.answer("GET", path), _Forks).forks

    async def _put(self, table: str, upload: Mapping[str, Any], key: str) -> Outcome:
        path = f"{_TABLES}/{_segment(table)}/material"
        return _outcome(await self._connection.insist(path, upload, {"Idempotency-Key": key}))

    async def material(self, table: str, material: str) -> bytes:
        path = f"{_TABLES}/{_segment(table)}/material/{_segment(material)}"
        return await self._connection.answer("GET", path)

    async def prompt(self, table: str, turn: str) -> Lens:
        path = f"{_TABLES}/{_segment(table)}/turns/{_segment(turn)}/prompt"
        return decode(await self._connection.answer("GET", path), Lens)

    async def command(self, table: str, command: commands.ANY, *, key: str = "") -> Outcome:
        headers = {"Idempotency-Key": key or secrets.token_urlsafe(18)}
        path = f"{_TABLES}/{_segment(table)}/commands"
        return _outcome(await self._connection.insist(path, command, headers))

    async def export(self, table: str, format: str) -> AsyncGenerator[bytes]:
        """The table as `md`, `html`, `json` or `jsonl`, in pieces as they come."""
        path = f"{_TABLES}/{_segment(table)}/export?format={quote(format, safe='')}"
        async with self._connection.pieces(path) as pieces:
            async for piece in pieces:
                yield piece

    # -- panels ------------------------------------------------------------------------------------------------

    async def panels(self) -> list[Kept]:
        return decode(await self._connection.answer("GET", _PANELS), _Panels).panels

    async def panel(self, name: str) -> Kept:
        return decode(await self._connection.answer("GET", f"{_PANELS}/{_segment(name)}"), Kept)

    async def _save_panel(self, name: str, body: Mapping[str, Any]) -> Kept:
        return decode(await self._connection.answer("PUT", f"{_PANELS}/{_segment(name)}", body), Kept)

    async def delete_panel(self, name: str) -> None:
        await self._connection.answer("DELETE", f"{_PANELS}/{_segment(name)}")

    # -- threads -----------------------------------------------------------------------------------------------

    async def _begin_thread(self, body: Mapping[str, Any]) -> Convened:
        return await self._made(_THREADS, body)

    async def post(self, thread: str, text: str, *, to: str = "", author: str = "", key: str = "") -> Posted:
        headers = {"Idempotency-Key": key or secrets.token_urlsafe(18)}
        path, body = f"{_THREADS}/{_segment(thread)}/messages", asking.Said(text, to, author)
        for _ in range(ATTEMPTS):  # accepted and not yet there is asked after under the same key
            said = decode(await self._connection.insist(path, body, headers), _Said)
            if said.cursor:
                return Posted(said.message, Cursor.parse(said.cursor, field="cursor"))
        raise Unreachable("The message was accepted, and is not in the thread yet.")

    async def messages(self, thread: str) -> list[dict[str, Any]]:
        path = f"{_THREADS}/{_segment(thread)}"
        return decode(await self._connection.answer("GET", path), _Thread).messages

    async def _made(self, path: str, body: Mapping[str, Any]) -> Convened:
        made = decode(await self._connection.answer("POST", path, body), _Made)
        return Convened(made.id, Cursor.parse(made.cursor, field="cursor"))


_Connect = Callable[[Cursor], AbstractAsyncContextManager[AsyncIterator[bytes] | None]]


def _path(kind: str, id: str) -> str:
    """Where a resource is followed."""
    match kind:
        case "roundtable":
            return f"{_TABLES}/{_segment(id)}/events"
        case "thread":
            return f"{_THREADS}/{_segment(id)}/live"
        case invocation.KIND:
            return f"/invoke/{_segment(id)}"
        case _:
            return f"/v1/stream/{kind}/{'/'.join(map(_segment, id.split('/')))}"


def _invocation(location: str) -> str:
    """The id in the address of a new invocation. Without one the server is full and says only when to come again."""
    id = location.removeprefix("/invoke/")
    if not id or id == location:
        raise Unreachable("The server has no room for another stream; try again later.")
    return id


def _segment(id: str) -> str:
    """An id as one segment of a path, whatever it holds."""
    if not id.strip("."):
        raise Invalid(f"{id[:40]!r} is no id.", field="id")
    return quote(id, safe="")


def _outcome(body: bytes) -> Outcome:
    done = decode(body, _Done)
    if not done.cursor:
        return Outcome(None)
    return Outcome(codec.decode_body(Cursor.parse(done.cursor, field="cursor"), bytes(done.event)))
