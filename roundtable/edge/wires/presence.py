"""Who reads a table under a name: `?as=NAME` on its `events`, `ws` and `live`."""

import contextlib

from aiohttp import web

from protocol.errors import Invalid
from roundtable.edge import keys
from roundtable.hosting.convening import check_name


def present(request: web.Request) -> contextlib.AbstractContextManager[None]:
    """Be there, under the name asked for, as long as inside; nothing without one. Raises `Invalid`."""
    names = request.query.getall("as", [])
    if not names:
        return contextlib.nullcontext()
    if len(names) > 1:
        raise Invalid("as is given more than once; you have one name.", field="as")
    check_name(names[0], "as")
    return request.app[keys.PEOPLE].here(request.match_info["id"], names[0])
