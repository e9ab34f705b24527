"""Every address there is, and the handler behind it."""

from collections.abc import Iterator

from aiohttp import web

from protocol.views.thread import PREFIX
from roundtable.config import Config
from roundtable.edge import keys, models, page
from roundtable.edge.auth import Door
from roundtable.edge.health import Health
from roundtable.edge.invoking.attendance import Attendance
from roundtable.edge.invoking.callers import Callers
from roundtable.edge.invoking.generate import Generating
from roundtable.edge.invoking.invoke import Invoking
from roundtable.edge.invoking.multiplex import Multiplex
from roundtable.edge.limits import Limits
from roundtable.edge.openai.answering import Answering
from roundtable.edge.openai.chat import Chat
from roundtable.edge.openai.models import Models
from roundtable.edge.openai.panels import Panels
from roundtable.edge.openai.responses import Responses
from roundtable.edge.openapi import OpenApi
from roundtable.edge.problems import Handler
from roundtable.edge.streams import platform, system
from roundtable.edge.streams.streams import Streams
from roundtable.edge.tables import analytics, export, lens, material, panels
from roundtable.edge.tables.forks import Forking
from roundtable.edge.tables.replay import Replays
from roundtable.edge.tables.tables import Tables
from roundtable.edge.tables.threads import Threads
from roundtable.edge.wires import sse
from roundtable.edge.wires.websocket import Sockets

Routes = Iterator[web.RouteDef]

# A thread is a table, told by its id: neither is found at the other's address.
_TABLE = f"/v1/roundtables/{{id:(?!{PREFIX})[^/]+}}"
_THREAD = f"/v1/threads/{{id:{PREFIX}[^/]+}}"


class Addresses:
    """The handlers of one server. What they hold open is ended by `close`, before the server stops."""

    def __init__(self, config: Config, bounds: Limits, door: Door, callers: Callers) -> None:
        self._bounds, self._door, self._secured = bounds, door, bool(config.secret)
        self._sockets = Sockets(bounds)
        self._attendance = Attendance()
        self._callers, self._multiplex = callers, Multiplex(bounds, callers)
        self._panels = Panels(config.panels)

    def routes(self) -> Routes:
        """All of them."""
        yield from self._page()
        yield from self._tables()
        yield from self._threads()
        yield from self._streams()
        yield from self._invocations()
        yield from self._openai()
        yield from self._server()

    async def check(self, app: web.Application) -> None:
        """What can only be checked once the catalog is there. Raises `Invalid`."""
        await self._panels.check(app[keys.CATALOG])

    async def close(self, app: web.Application) -> None:
        """Wait for no caller who may come back."""
        await self._attendance.close(app)

    async def hang_up(self, app: web.Application) -> None:
        """Send away who speaks with invocations over a WebSocket."""
        await self._multiplex.close(app)

    def _live(self, path: str, handler: Handler) -> web.RouteDef:
        """A stream, which is counted, and has nothing to tell a HEAD."""
        return web.get(path, self._bounds.stream(handler), allow_head=False)

    def _asked(self, path: str, handler: Handler) -> web.RouteDef:
        """A POST that may be answered by a stream."""
        return web.post(path, self._bounds.stream(handler))

    def _page(self) -> Routes:
        yield web.get("/", page.index)
        yield web.get("/t/{id}", page.index)
        yield web.get("/compare/{id}/{other}", page.comparison)
        yield web.get("/assets/{name}", page.asset)
        yield web.post("/v1/session", self._door.session)

    def _tables(self) -> Routes:
        tables = Tables(self._bounds)
        yield web.post("/v1/roundtables", tables.convene)
        yield web.get("/v1/roundtables", tables.list)
        yield web.get(_TABLE, tables.read)
        yield web.delete(_TABLE, tables.delete)
        yield self._live(f"{_TABLE}/replay", Replays(self._sockets).replay)
        yield web.get(f"{_TABLE}/analytics", analytics.analytics)
        yield web.get(f"{_TABLE}/turns/{{turn}}/prompt", lens.prompt)
        yield web.post(f"{_TABLE}/material", material.put)
        yield web.get(f"{_TABLE}/material/{{material}}", material.get)
        forking = Forking(self._bounds)
        yield web.post(f"{_TABLE}/forks", forking.fork)
        yield web.get(f"{_TABLE}/forks", forking.list)
        yield from self._of_either(_TABLE, tables)
        yield web.get("/v1/panels", panels.listed)
        yield web.get("/v1/panels/{name}", panels.read)
        yield web.put("/v1/panels/{name}", panels.save)
        yield web.delete("/v1/panels/{name}", panels.drop)

    def _threads(self) -> Routes:
        threads = Threads(self._bounds)
        yield web.post("/v1/threads", threads.begin)
        yield web.get("/v1/threads", threads.list)
        yield web.get(_THREAD, threads.read)
        yield web.delete(_THREAD, threads.delete)
        yield web.post(f"{_THREAD}/messages", threads.say)
        yield self._live(f"{_THREAD}/live", threads.live)
        yield from self._of_either(_THREAD, Tables(self._bounds))

    def _of_either(self, path: str, tables: Tables) -> Routes:
        yield self._live(f"{path}/events", sse.events)
        yield self._live(f"{path}/ws", self._sockets.table)
        yield web.get(f"{path}/export", export.export, allow_head=False)
        yield web.post(f"{path}/commands", tables.command)

    def _streams(self) -> Routes:
        streams = Streams(self._sockets)
        yield self._live("/v1/stream", streams.several)
        yield self._live("/v1/stream/{type}/{id}", streams.one)
        yield web.get("/v1/stream/platform", platform.listed)
        yield self._live("/v1/stream/platform/{id}", streams.one)
        yield web.post("/v1/stream/platform/{id}", platform.post)
        yield web.delete("/v1/stream/platform/{id}", platform.delete)
        yield web.post("/v1/system/maintenance", system.announce)

    def _invocations(self) -> Routes:
        invoking = Invoking(self._callers, self._attendance)
        yield self._asked("/invoke", invoking.invoke)
        yield self._live("/invoke/{id}", invoking.follow)
        yield web.delete("/invoke/{id}", invoking.cancel)
        yield web.get("/v1/invocations", invoking.list)
        yield self._live("/v1/invocations/ws", self._multiplex.serve)
        yield web.get("/v1/tools", models.tools)
        yield web.get("/v1/tools/servers", models.tool_servers)
        yield self._asked("/generate/stream", Generating(self._callers).stream)

    def _openai(self) -> Routes:
        answering, listed = Answering(self._callers, self._bounds, self._panels), Models(self._panels)
        yield self._asked("/v1/chat/completions", Chat(answering).create)
        yield self._asked("/v1/responses", Responses(answering).create)
        yield web.get("/v1/models", listed.list)
        yield web.get("/v1/models/{model:.+}", listed.read)

    def _server(self) -> Routes:
        health = Health(self._bounds)
        yield web.get("/v1/providers", models.providers)
        yield web.get("/v1/policies", models.policies)
        yield web.get("/openapi.json", OpenApi(secured=self._secured).document)
        yield web.get("/healthz", health.alive)
        yield web.get("/readyz", health.ready)
        yield web.get("/metrics", health.metrics)
