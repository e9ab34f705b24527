"""The page: the bundle that `make web` puts into `roundtable/edge/web`. It holds no data; what it shows it asks for.

Also the headers that every answer carries.
"""

import re
from pathlib import Path
from typing import Annotated

import msgspec
from aiohttp import hdrs, web

from roundtable.edge.operations import Answer, operation

WEB = Path(__file__).parent / "web"
# One name, no slash, no leading dot: nothing outside the folder can be named.
_NAME = "[A-Za-z0-9_-][A-Za-z0-9._-]*"
_asset = re.compile(_NAME, re.ASCII)

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_OTHER = "application/octet-stream"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # An address is all it takes to watch a table, so it is told to nobody.
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Roundtable</title>
<h1>Roundtable is running, its page is not built</h1>
<p>Run <code>make web</code> in the project's folder, then reload. The API answers meanwhile, under
<code>/v1/roundtables</code>.</p></html>
"""


class OneAsset(msgspec.Struct, frozen=True):
    """A file of the bundle."""

    name: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_NAME}$"})]


class Page(msgspec.Struct, frozen=True):
    """The page is the same at all its addresses."""

    id: Annotated[str, msgspec.Meta(description="Of a table or thread, for which the page asks itself.")]


class Comparison(msgspec.Struct, frozen=True):
    """Two tables side by side: two futures of one past, say."""

    id: Annotated[str, msgspec.Meta(description="Of the table on the left, for which the page asks itself.")]
    other: Annotated[str, msgspec.Meta(description="Of the table on the right, likewise.")]


_MEDIA = [kind.partition(";")[0] for kind in _TYPES.values()] + [_OTHER]
_HTML = Answer({"text/html": None})


@operation(tag="page", path=Page, answers={200: _HTML, 304: None, 503: _HTML})
async def index(_: web.Request) -> web.StreamResponse:
    """The one page, under every address that people see."""
    page = WEB / "index.html"
    if not page.is_file():
        return web.Response(status=503, text=_MISSING, content_type="text/html")
    # no-cache means: ask each time, by ETag. The page names the assets of its own build.
    return _file(page, "no-cache")


@operation(tag="page", path=Comparison, answers={200: _HTML, 304: None, 503: _HTML})
async def comparison(request: web.Request) -> web.StreamResponse:
    """The one page, which shows two tables here."""
    return await index(request)


@operation(tag="page", path=OneAsset, answers={200: Answer(dict.fromkeys(_MEDIA)), 304: None})
async def asset(request: web.Request) -> web.StreamResponse:
    """A script, style, font or picture. Its name changes with its content, so it may be kept for ever."""
    name = request.match_info["name"]
    path = WEB / "assets" / name
    if not _asset.fullmatch(name) or not path.is_file():
        raise web.HTTPNotFound
    return _file(path, "public, max-age=31536000, immutable")


async def headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add what every answer carries (a signal handler for `on_response_prepare`)."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.pop(hdrs.SERVER, None)


def _file(path: Path, caching: str) -> web.FileResponse:
    kind = _TYPES.get(path.suffix, _OTHER)
    return web.FileResponse(path, headers={hdrs.CONTENT_TYPE: kind, hdrs.CACHE_CONTROL: caching})
