"""What handlers find on the application. `app.py` puts it there."""

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from providers.catalog import Catalog
    from roundtable.config import Config
    from roundtable.edge.invoking.callers import Callers
    from roundtable.fanout.broadcast import Broadcast
    from roundtable.hosting.host import Host
    from roundtable.hosting.people import People
    from roundtable.hosting.platform import Platform
    from roundtable.hosting.system import System
    from roundtable.invocations.invocations import Invocations
    from roundtable.log.base import EventLog
    from roundtable.mcp.servers import Servers
    from roundtable.tools.toolbox import Toolbox

BROADCAST: "web.AppKey[Broadcast]" = web.AppKey("broadcast")
CALLERS: "web.AppKey[Callers]" = web.AppKey("callers")
CATALOG: "web.AppKey[Catalog]" = web.AppKey("catalog")
CONFIG: "web.AppKey[Config]" = web.AppKey("config")
INVOCATIONS: "web.AppKey[Invocations]" = web.AppKey("invocations")
# The fan-out of what is not recorded: invocations that belong to one connection.
FLEETING: "web.AppKey[Broadcast]" = web.AppKey("fleeting")
HOST: "web.AppKey[Host]" = web.AppKey("host")
PEOPLE: "web.AppKey[People]" = web.AppKey("people")
PLATFORM: "web.AppKey[Platform]" = web.AppKey("platform")
SYSTEM: "web.AppKey[System]" = web.AppKey("system")
LOG: "web.AppKey[EventLog]" = web.AppKey("log")
SERVERS: "web.AppKey[Servers]" = web.AppKey("servers")
TOOLBOX: "web.AppKey[Toolbox]" = web.AppKey("toolbox")
