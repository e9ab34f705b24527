"""The same calls without a server: the orchestrator in this process, for programs, notebooks and tests.

    async with local(models={"mine": MyProvider()}) as client:
        print(await client.stream_ask("panelist/mine:x", "complete", {"prompt": "Why?"}))

It builds, as `edge/services.py` does for a server: log, catalog, broadcast, host, invocations. Closed in reverse.
"""

import base64
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from copy import deepcopy
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from protocol import codec, commands, invocation
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, LogUnavailable, NotFound
from protocol.transcript import Transcript
from protocol.views.thread import posted
from protocol.views.thread import thread as conversation
from providers.base import Provider
from providers.catalog import Catalog
from roundtable.config import Config
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.framing import FULL, INVOCATION, THREAD, View
from roundtable.fanout.kinds import stored
from roundtable.hosting import host as hosting
from roundtable.hosting import lens
from roundtable.hosting.convening import Convene
from roundtable.hosting.forking import Fork
from roundtable.hosting.host import Host
from roundtable.hosting.lineage import ForkLine
from roundtable.hosting.panels import Keep
from roundtable.hosting.shown import Kept, Lens
from roundtable.hosting.summary import Summary
from roundtable.hosting.threads import Begin
from roundtable.invocations.invocations import Ask, Invocations
from roundtable.invocations.listing import listing
from roundtable.invocations.throttle import Throttle
from roundtable.log.base import EventLog, Record
from roundtable.log.memory import MemoryLog
from roundtable.log.opening import open_log
from roundtable.log.split import SplitLog
from roundtable.material.intake import Upload
from roundtable.mcp.servers import Servers
from roundtable.sdk import bodies
from roundtable.sdk.asking import CannotStream
from roundtable.sdk.event import Event
from roundtable.sdk.following import Reset
from roundtable.sdk.streams import Streams
from roundtable.sdk.tables import Convened, Outcome, Posted
from roundtable.tools.base import Tool
from roundtable.tools.ours import ours
from roundtable.tools.toolbox import TOOL, Toolbox

_T = TypeVar("_T")

# Whose invocations they are, where callers are counted.
_CALLER = "local"
# Tables per page of the list.
_PAGE = 100
# Seconds for a message to be in its thread once it was accepted; as long as a client of a server asks for it.
_POSTED_WITHIN = 8.0
_CONVENE, _FORK, _KEEP = (
    msgspec.json.Decoder(Convene), msgspec.json.Decoder(Fork), msgspec.json.Decoder(Keep)
)  # fmt: skip
_BEGIN, _UPLOAD = msgspec.json.Decoder(Begin), msgspec.json.Decoder(Upload)
_VIEWS: Mapping[str, tuple[str, View]] = {
    "roundtable": ("table", FULL),
    "thread": ("thread", THREAD),
    invocation.KIND: (invocation.KIND, INVOCATION),
}


def local(
    data: Path | str | None = None,
    *,
    models: Mapping[str, Provider] | None = None,
    tools: Sequence[Tool] = (),
    config: Config | None = None,
    take_over: bool = True,
) -> "Local":
    """An orchestrator of this process's own; use it as a context manager.

    `data` is the directory of its log, which no other process may be using (`LogUnavailable`); without one everything
    is in memory, and gone at the end. `models` are providers of yours by name: `mine` speaks for `mine:anything`.
    `tools` come before those of other packages. `config` says where else models are; keys come from the environment.
    `take_over`: go on with what was left open in `data`.
    """
    return Local(data, models or {}, tools, config or Config(), take_over=take_over)


class Local(Streams):
    """`local` makes it."""

    def __init__(
        self,
        data: Path | str | None,
        models: Mapping[str, Provider],
        tools: Sequence[Tool],
        config: Config,
        *,
        take_over: bool,
    ) -> None:
        self._data = None if data is None else Path(data)
        self._models, self._tools, self._config, self._take_over = models, tools, config, take_over

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._log = await self._open()
            stack.push_async_callback(self._log.close)
            catalog = Catalog(
                os.environ,
                self._config.providers,
                model_folders=self._config.model_folders,
                own=self._models,
                embeddings=self._config.embeddings,
            )
            stack.push_async_callback(catalog.close)
            self._broadcast = Broadcast(self._log)
            await self._broadcast.start()
            stack.push_async_callback(self._broadcast.close)
            servers = Servers(self._config.mcp, os.environ)
            stack.push_async_callback(servers.close)
            await servers.prepare()
            self._host = Host(self._log, catalog, panels=self._config.panels, tools=servers)
            stack.push_async_callback(self._host.close)
            await self._host.start(take_over=self._take_over)
            memory = MemoryLog()
            stack.push_async_callback(memory.close)
            toolbox = Toolbox([*ours(catalog, self._host, self._broadcast), *self._tools])
            keep = self._config.keep_invocations * 3600
            self._invocations = Invocations(self._log, memory, toolbox, time.time, keep=keep)
            stack.push_async_callback(self._invocations.close)
            await self._invocations.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> EventLog:
        return SplitLog(MemoryLog(), MemoryLog()) if self._data is None else await open_log(self._data)

    # -- anything that streams ---------------------------------------------------------------------------------

    async def invoke(self, address: str, args: Mapping[str, Any] | None = None) -> str:
        bodies.check(args or {}, "args")
        return (await self._invocations.invoke(Ask(address, args or {}, _CALLER, detach=True))).id

    async def cancel(self, invocation: str) -> None:
        await self._invocations.cancel(invocation)

    async def tools(self) -> list[dict[str, Any]]:
        return [_line(tool) for tool in self._invocations.tools.values()]

    async def invocations(self) -> AsyncIterator[dict[str, Any]]:
        before: str | None = ""
        while before is not None:
            page = await listing(self._log, before=before, limit=_PAGE)
            for line in page.invocations:
                yield msgspec.structs.asdict(line)
            before = page.next

    async def _invoked(self, address: str, args: Mapping[str, Any]) -> AsyncGenerator[Event]:
        throttle = Throttle()
        begun = await self._invocations.invoke(Ask(address, args, _CALLER, throttle=throttle))
        try:
            async with self._broadcast.reading(begun.stream, ZERO) as reading:
                while records := await reading.take():
                    for record in records:
                        for event in _events(INVOCATION, record):
                            yield event
                        throttle.taken(record.cursor.seq)
        finally:
            throttle.release()
            self._invocations.drop(begun.id)

    async def _followed(self, kind: str, id: str, after: Cursor | None) -> AsyncGenerator[Event]:
        if kind not in _VIEWS:
            raise CannotStream(f"{kind}/... streams from a server only.", field="address")
        family, view = _VIEWS[kind]
        name = stored(family, id)
        if after is not None and after.part:
            for record in await self._log.read(name, after.seq - 1, limit=1):
                for event in _events(view, record)[after.part :]:
                    yield event
        async with aclosing(self._records(name, after)) as records:
            async for record in records:
                for event in _events(view, record):
                    yield event

    async def _records(self, name: str, after: Cursor | None) -> AsyncGenerator[Record]:
        try:
            async with self._broadcast.reading(name, after) as reading:
                async for record in reading:
                    yield record
        except Invalid as error:
            last = await self._log.last(name)
            if error.code != "unknown_cursor" or last is None:
                raise
            raise Reset(error.code, last.cursor) from error

    # -- tables ------------------------------------------------------------------------------------------------

    def records(self, table: str, after: Cursor | None = ZERO) -> AsyncGenerator[Record]:
        return self._records(hosting.stream(table), after)

    async def head(self, table: str) -> Cursor:
        last = await self._log.last(hosting.stream(table))
        if last is None:
            raise NotFound(f"There is no table {table[:40]!r}.")
        return last.cursor

    async def transcript(self, table: str) -> Transcript:
        return deepcopy(await self._host.transcript(table))

    async def tables(self) -> AsyncIterator[Summary]:
        before: str | None = ""
        while before is not None:
            page = await self._host.summaries(before=before, limit=_PAGE)
            for summary in page.tables:
                yield summary
            before = page.next

    async def _convene(self, body: Mapping[str, Any]) -> Convened:
        return Convened(*await self._host.convene(_asked(body, _CONVENE)))

    async def _fork(self, table: str, body: Mapping[str, Any]) -> Convened:
        return Convened(*await self._host.fork(table, _asked(body, _FORK)))

    async def forks(self, table: str) -> list[ForkLine]:
        return await self._host.forks(table)

    async def _put(self, table: str, upload: Mapping[str, Any], key: str) -> Outcome:
        return Outcome((await self._host.put(table, key, _asked(upload, _UPLOAD))).entry)

    async def material(self, table: str, material: str) -> bytes:
        return base64.b64decode((await self._host.material(table, material))[1])

    async def prompt(self, table: str, turn: str) -> Lens:
        await self.head(table)  # whether there is such a table
        return await lens.look(self._log, hosting.stream(table), turn)

    async def command(self, table: str, command: commands.ANY, *, key: str = "") -> Outcome:
        receipt = await self._host.submit(table, key or secrets.token_urlsafe(18), command)
        return Outcome(receipt.entry)

    # -- panels ------------------------------------------------------------------------------------------------

    async def panels(self) -> list[Kept]:
        return await self._host.panels.all()

    async def panel(self, name: str) -> Kept:
        return await self._host.panels.find(name)

    async def _save_panel(self, name: str, body: Mapping[str, Any]) -> Kept:
        return await self._host.panels.save(name, _asked(body, _KEEP))

    async def delete_panel(self, name: str) -> None:
        await self._host.panels.drop(name)

    # -- threads -----------------------------------------------------------------------------------------------

    async def _begin_thread(self, body: Mapping[str, Any]) -> Convened:
        return Convened(*await self._host.begin_thread(_asked(body, _BEGIN)))

    async def post(self, thread: str, text: str, *, to: str = "", author: str = "", key: str = "") -> Posted:
        stored("thread", thread)
        say = commands.Say(text, to, author)
        receipt = await self._host.submit(thread, key or secrets.token_urlsafe(18), say, _POSTED_WITHIN)
        if receipt.entry is None:
            raise LogUnavailable("The message was accepted, and is not in the thread yet.")
        message = posted(receipt.entry)
        if message is None:
            raise Invalid("This key was used for something else than a message.", field="key")
        return Posted(msgspec.to_builtins(message), receipt.entry.cursor)

    async def messages(self, thread: str) -> list[dict[str, Any]]:
        stored("thread", thread)
        told = conversation(await self._host.transcript(thread))
        return [msgspec.to_builtins(message) for message in told.messages]


def _events(view: View, record: Record) -> list[Event]:
    shown = view.frames(record)
    at = record.cursor
    return [
        Event.read(Cursor(at.term, at.seq, part % len(shown)), data)
        for part, (_, data) in enumerate(shown, 1)
    ]


def _line(tool: Tool) -> dict[str, Any]:
    told = {"name": tool.name, "address": f"{TOOL}/{tool.name}", "title": tool.title, "summary": tool.summary}
    return {**told, "args": msgspec.json.schema(tool.args)}


def _asked(body: Mapping[str, Any], decoder: msgspec.json.Decoder[_T]) -> _T:
    """A request's body as a server would read it. Raises `Invalid` naming the field."""
    asked: _T = codec.decode_json(bodies.encoded(body), decoder)
    return asked
