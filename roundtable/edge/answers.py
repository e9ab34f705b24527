"""Answers that are no streams."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import hdrs, web

from protocol import codec
from roundtable.hosting.host import Receipt


def json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in JSON; not to be kept by caches unless `headers` say otherwise."""
    return web.Response(
        status=status,
        body=codec.encode(value),
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store", **(headers or {})},
    )


def outcome(receipt: Receipt) -> dict[str, Any]:
    """What a command came to: `done` with its effect, or `accepted` with its place in the inbox."""
    if receipt.entry is None:
        return {"outcome": "accepted", "position": receipt.position}
    cursor, event = receipt.entry.cursor, codec.encode_body(receipt.entry.event, receipt.entry.at)
    return {"outcome": "done", "cursor": str(cursor), "event": msgspec.Raw(event)}
