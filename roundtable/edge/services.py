"""What a server runs behind its handlers, in the order in which it is opened; closed in reverse."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from aiohttp import web

from providers.catalog import Catalog
from roundtable.edge import keys
from roundtable.edge.limits import Limits
from roundtable.fanout.broadcast import Broadcast
from roundtable.hosting.host import Host, new_node
from roundtable.hosting.people import People
from roundtable.hosting.platform import Platform
from roundtable.hosting.system import System
from roundtable.invocations.invocations import Invocations
from roundtable.invocations.lanes import Bounds
from roundtable.log.memory import MemoryLog
from roundtable.log.opening import open_log
from roundtable.tools.ours import ours
from roundtable.tools.toolbox import Toolbox

# Seconds for readers to take the word that they should come back.
DRAIN_WITHIN = 3.0
# Seconds for callers to take the end of what they called.
TOLD_WITHIN = 1.0

Service = Callable[[web.Application], AsyncIterator[None]]


def every(bounds: Limits) -> list[Service]:
    """All of them."""
    return [_log, _catalog, _broadcast, partial(_news, bounds), _host, partial(_invocations, bounds)]


async def end_calls(app: web.Application) -> None:
    """First of all what belongs to callers, who are to see its end."""
    await app[keys.INVOCATIONS].stop()
    await app[keys.CALLERS].quiet(TOLD_WITHIN)


async def drain(app: web.Application) -> None:
    """Before aiohttp waits for handlers to end: theirs are the streams, and they end only when told."""
    await asyncio.gather(*(app[key].close(DRAIN_WITHIN) for key in (keys.BROADCAST, keys.FLEETING)))


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
    # Told beside the tables; before the host, which tells it, and after it.
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
    host = app[keys.HOST] = Host(
        app[keys.LOG], app[keys.CATALOG], node=news.node, tell=news.tell, panels=app[keys.CONFIG].panels
    )
    await host.start()
    yield
    await host.close()


async def _invocations(bounds: Limits, app: web.Application) -> AsyncIterator[None]:
    config, memory = app[keys.CONFIG], MemoryLog()
    tools = ours(app[keys.CATALOG], app[keys.HOST], app[keys.BROADCAST], bounds.table)
    toolbox = app[keys.TOOLBOX] = Toolbox(tools)
    fleeting = app[keys.FLEETING] = Broadcast(memory)
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
    await fleeting.start()
    await invocations.start()
    yield
    await invocations.close()
    await fleeting.close()
    await memory.close()
