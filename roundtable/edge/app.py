"""The only place where things are built, and the list of every address there is.

Opened in this order: log, catalog, broadcast, host. Closed in reverse, after the streams were told to come back.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from aiohttp import web

from protocol.errors import Invalid
from protocol.views.thread import PREFIX
from providers.catalog import Catalog
from roundtable import policies
from roundtable.config import Config
from roundtable.edge import analytics, export, keys, limits, models, page, platform, problems, sse, system
from roundtable.edge.attendance import Attendance
from roundtable.edge.auth import Door
from roundtable.edge.callers import Callers
from roundtable.edge.generate import Generating
from roundtable.edge.health import Health
from roundtable.edge.invoke import Invoking
from roundtable.edge.limits import Limits
from roundtable.edge.multiplex import Multiplex
from roundtable.edge.openai.answering import Answering
from roundtable.edge.openai.chat import Chat
from roundtable.edge.openai.models import Models
from roundtable.edge.openai.panels import Panels
from roundtable.edge.openai.responses import Responses
from roundtable.edge.openapi import OpenApi
from roundtable.edge.replay import Replays
from roundtable.edge.streams import Streams
from roundtable.edge.tables import Tables
from roundtable.edge.threads import Threads
from roundtable.edge.websocket import Sockets
from roundtable.fanout.broadcast import Broadcast
from roundtable.hosting.host import Host, new_node
from roundtable.hosting.people import People
from roundtable.hosting.platform import Platform
from roundtable.hosting.system import System
from roundtable.invocations.invocations import Invocations
from roundtable.invocations.lanes import Bounds
from roundtable.log.memory import MemoryLog
from roundtable.log.opening import open_log
from roundtable.signals import stop_on, stop_with_parent
from roundtable.tools.base import Tool
from roundtable.tools.complete import Complete
from roundtable.tools.generate import Generate
from roundtable.tools.race import Race
from roundtable.tools.table import ConveneTable, Table
from roundtable.tools.toolbox import Toolbox
from roundtable.tools.vector_markov import VectorMarkov

# Seconds the loop may hold the interpreter before the log's thread gets it. With Python's 5 ms a busy loop made an
# append wait up to a second (see log/README.md).
SWITCH = 0.0001
# Connections the kernel holds until we accept them: a shared link brings a thousand people in one second.
BACKLOG = 4096
# Seconds. A handler still at work gets this long after the streams were ended; with the host's and the log's own
# closing a stop stays within ten.
SHUTDOWN_WITHIN = 3.0
# Seconds for readers to take the word that they should come back.
DRAIN_WITHIN = 3.0
# Seconds for callers to take the end of what they called.
TOLD_WITHIN = 1.0
# Longer than a proxy in front keeps its idle connections (commonly 60 s), so that it never meets a closed one.
KEEPALIVE = 75.0
# A caller whose body was refused goes on sending it; so long we read and forget, so that it hears the refusal.
LINGER = 3.0


def build(config: Config) -> web.Application:
    """The whole server, not yet started. Raises `Invalid` when it would stand open to the network."""
    door, bounds = Door(config), Limits(config)
    app = web.Application(
        middlewares=[problems.middleware, door.middleware, bounds.middleware], client_max_size=limits.MAX_BODY
    )
    app[keys.CONFIG] = config
    app.cleanup_ctx.extend([_log, _catalog, _broadcast, partial(_news, bounds), _host, _invocations])
    app.on_response_prepare.append(page.headers)
    tables, health = Tables(bounds), Health(bounds)
    sockets = Sockets(bounds)
    openapi = OpenApi(secured=bool(config.secret))
    callers = app[keys.CALLERS] = Callers()
    attendance = Attendance()
    invoking, multiplex, generating = (
        Invoking(callers, attendance),
        Multiplex(bounds, callers),
        Generating(callers),
    )
    panels = Panels(config.panels)
    app.on_startup.append(lambda app: panels.check(app[keys.CATALOG]))  # after the catalog is there
    answering = Answering(callers, bounds, panels)
    chat, responses, listed = Chat(answering), Responses(answering), Models(panels)
    streams = Streams(sockets)
    app.on_shutdown.extend([attendance.close, _end_calls, multiplex.close, _drain])
    threads = Threads(bounds)
    # A thread is a table, told by its id: neither is found at the other's address.
    table = f"/v1/roundtables/{{id:(?!{PREFIX})[^/]+}}"
    thread = f"/v1/threads/{{id:{PREFIX}[^/]+}}"
    app.add_routes(
        [
            web.get("/", page.index),
            web.get("/t/{id}", page.index),
            web.get("/assets/{name}", page.asset),
            web.post("/v1/session", door.session),
            web.post("/v1/roundtables", tables.convene),
            web.get("/v1/roundtables", tables.list),
            web.get(table, tables.read),
            web.delete(table, tables.delete),
            web.get(f"{table}/events", bounds.stream(sse.events), allow_head=False),
            web.get(f"{table}/ws", bounds.stream(sockets.table), allow_head=False),
            web.get(f"{table}/replay", bounds.stream(Replays(sockets).replay), allow_head=False),
            web.get(f"{table}/export", export.export, allow_head=False),
            web.post(f"{table}/commands", tables.command),
            web.get("/v1/stream", bounds.stream(streams.several), allow_head=False),
            web.get("/v1/stream/{type}/{id}", bounds.stream(streams.one), allow_head=False),
            web.get(f"{table}/analytics", analytics.analytics),
            web.post("/v1/threads", threads.begin),
            web.get("/v1/threads", threads.list),
            web.get(thread, threads.read),
            web.delete(thread, threads.delete),
            web.get(f"{thread}/live", bounds.stream(threads.live), allow_head=False),
            web.post(f"{thread}/messages", threads.say),
            web.get(f"{thread}/events", bounds.stream(sse.events), allow_head=False),
            web.get(f"{thread}/ws", bounds.stream(sockets.table), allow_head=False),
            web.get(f"{thread}/export", export.export, allow_head=False),
            web.post(f"{thread}/commands", tables.command),
            web.post("/v1/system/maintenance", system.announce),
            web.get("/v1/stream/platform", platform.listed),
            web.post("/v1/stream/platform/{id}", platform.post),
            web.delete("/v1/stream/platform/{id}", platform.delete),
            web.post("/invoke", bounds.stream(invoking.invoke)),
            web.get("/invoke/{id}", bounds.stream(invoking.follow), allow_head=False),
            web.delete("/invoke/{id}", invoking.cancel),
            web.get("/v1/invocations", invoking.list),
            web.get("/v1/invocations/ws", bounds.stream(multiplex.serve), allow_head=False),
            web.post("/generate/stream", bounds.stream(generating.stream)),
            web.get("/v1/providers", models.providers),
            web.get("/v1/models", listed.list),
            web.get("/v1/models/{model:.+}", listed.read),
            web.post("/v1/chat/completions", bounds.stream(chat.create)),
            web.post("/v1/responses", bounds.stream(responses.create)),
            web.get("/v1/policies", models.policies),
            web.get("/openapi.json", openapi.document),
            web.get("/v1/tools", models.tools),
            web.get("/healthz", health.alive),
            web.get("/readyz", health.ready),
            web.get("/metrics", health.metrics),
        ]
    )
    return app


async def serve(config: Config, listening: Callable[[str], None], *, worker: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends the process at once. `listening` is told the address.

    A worker shares its port with others, and stops with its parent.
    """
    limits.raise_open_files()
    # Its parser prints a traceback for whatever anyone may send; what a handler did not foresee we log ourselves.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # It warns of whatever a client's handshake offers.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    sys.setswitchinterval(SWITCH)
    stop = stop_on(signal.SIGINT, signal.SIGTERM)
    if worker:
        stop_with_parent(stop)
    runner = web.AppRunner(
        build(config),
        access_log=None,
        keepalive_timeout=KEEPALIVE,
        lingering_time=LINGER,
        shutdown_timeout=SHUTDOWN_WITHIN,
    )
    try:
        await runner.setup()
        await _listen(runner, config, shared=worker)
        policies.available()  # read from the disk now, and not while the first table is convened
        gc.freeze()  # what was imported stays: a full collection walks only what tables made since
        listening(_url(config.host, runner.addresses[0][1]))
        await stop.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, config: Config, *, shared: bool) -> None:
    site = web.TCPSite(
        runner,
        config.host or None,
        config.port,
        backlog=BACKLOG,
        reuse_address=True,
        reuse_port=shared or None,
    )
    try:
        await site.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise Invalid(
            f"Cannot listen on {config.host}:{config.port}: {reason}. Choose another with --host or --port.",
            field="port",
        ) from error


def _url(host: str, port: int) -> str:
    host = host or "0.0.0.0"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _log(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    log = app[keys.LOG] = await open_log(config.data, config.redis, volatile=config.redis_volatile)
    yield
    await log.close()


async def _catalog(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    catalog = app[keys.CATALOG] = Catalog(os.environ, config.providers, model_folders=config.model_folders)
    yield
    await catalog.close()


async def _broadcast(app: web.Application) -> AsyncIterator[None]:
    broadcast = app[keys.BROADCAST] = Broadcast(app[keys.LOG])
    await broadcast.start()
    yield
    await broadcast.close()


async def _news(bounds: Limits, app: web.Application) -> AsyncIterator[None]:
    """What is told beside the tables; before the host, which tells it, and after it."""
    log, node = app[keys.LOG], new_node()
    app[keys.PLATFORM] = Platform(log, time.time)
    people = app[keys.PEOPLE] = People(log, node, time.time)
    news = app[keys.SYSTEM] = System(log, node, time.time, lambda: _counts(app, bounds))
    people.start()
    news.start()
    yield
    await people.close()
    await news.close()


def _counts(app: web.Application, bounds: Limits) -> tuple[int, int, int]:
    return app[keys.HOST].held, bounds.streams, app[keys.BROADCAST].readers()


async def _host(app: web.Application) -> AsyncIterator[None]:
    news = app[keys.SYSTEM]
    host = app[keys.HOST] = Host(app[keys.LOG], app[keys.CATALOG], node=news.node, tell=news.tell)
    await host.start()
    yield
    await host.close()


async def _invocations(app: web.Application) -> AsyncIterator[None]:
    config = app[keys.CONFIG]
    toolbox = app[keys.TOOLBOX] = _toolbox(app)
    memory = MemoryLog()
    app[keys.FLEETING] = Broadcast(memory)
    invocations = app[keys.INVOCATIONS] = Invocations(
        app[keys.LOG],
        memory,
        toolbox,
        time.time,
        bounds=Bounds(
            config.invocations,
            config.invocations_per_caller,
            config.invocations_waiting,
            config.invocations_waiting_per_caller,
        ),
        shared=bool(config.redis),
        keep=config.keep_invocations * 3600,
    )
    await app[keys.FLEETING].start()
    await invocations.start()
    yield
    await invocations.close()
    await app[keys.FLEETING].close()
    await memory.close()


async def _end_calls(app: web.Application) -> None:
    # First of all what belongs to callers, who are to see its end.
    await app[keys.INVOCATIONS].stop()
    await app[keys.CALLERS].quiet(TOLD_WITHIN)


def _toolbox(app: web.Application) -> Toolbox:
    catalog, host, broadcast = app[keys.CATALOG], app[keys.HOST], app[keys.BROADCAST]
    ours: list[Tool] = [Complete(catalog), Generate(catalog), Race(), VectorMarkov()]
    return Toolbox([*ours, Table(host, broadcast), ConveneTable(host, broadcast)])


async def _drain(app: web.Application) -> None:
    # Before aiohttp waits for handlers to end: theirs are the streams, and they end only when told.
    await asyncio.gather(*(app[key].close(DRAIN_WITHIN) for key in (keys.BROADCAST, keys.FLEETING)))
