"""Answers that are no streams."""

from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from protocol import codec


def json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in JSON; not to be kept by caches unless `headers` say otherwise."""
    return web.Response(
        status=status,
        body=codec.encode(value),
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store", **(headers or {})},
    )
