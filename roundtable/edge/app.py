"""The only place where a server is built: what guards it, what it answers, what it runs, and the order of its end."""

from aiohttp import web

from roundtable.config import Config
from roundtable.edge import keys, limits, page, problems, services
from roundtable.edge.addresses import Addresses
from roundtable.edge.auth import Door
from roundtable.edge.invoking.callers import Callers
from roundtable.edge.limits import Limits


def build(config: Config) -> web.Application:
    """The whole server, not yet started. Raises `Invalid` when it would stand open to the network."""
    door, bounds = Door(config), Limits(config)
    app = web.Application(
        middlewares=[problems.middleware, door.middleware, bounds.middleware], client_max_size=limits.MAX_BODY
    )
    app[keys.CONFIG], app[keys.CALLERS] = config, Callers()
    app.cleanup_ctx.extend(services.every(bounds))
    app.on_response_prepare.extend([page.headers, problems.begun])
    addresses = Addresses(config, bounds, door, app[keys.CALLERS])
    app.add_routes(addresses.routes())
    app.on_startup.append(addresses.check)
    app.on_shutdown.extend([addresses.close, services.end_calls, addresses.hang_up, services.drain])
    return app
