"""`GET /v1/roundtables/{id}/export?format=`: a table as a file to keep, `md` unless another form is asked for."""

import asyncio
import logging
from contextlib import aclosing
from typing import Literal

import msgspec
from aiohttp import hdrs, web

from protocol import codec, events
from protocol.errors import LogError
from protocol.transcript import Transcript
from roundtable import exporting
from roundtable.edge import keys
from roundtable.edge.operations import Answer, operation, queried
from roundtable.edge.parameters import ById
from roundtable.edge.tables.tables import Snapshot
from roundtable.hosting.host import stream

# Seconds in which a reader takes one page (256 KiB): a phone on a poor line does.
PAGE_WITHIN = 60.0

_logger = logging.getLogger("roundtable.edge")


class Form(msgspec.Struct, frozen=True):
    """Which form; see `exporting.TYPES`."""

    format: Literal["md", "html", "json", "jsonl"] = "md"


@operation(
    tag="tables",
    path=ById,
    query=Form,
    answers={
        200: Answer(
            {
                **dict.fromkeys(exporting.TYPES.values()),
                "application/json": Snapshot,
                exporting.TYPES["jsonl"]: events.KNOWN,
            },
            headers={hdrs.CONTENT_DISPOSITION: "A file's name, from the topic."},
        )
    },
)
async def export(request: web.Request) -> web.StreamResponse:
    """`GET /v1/roundtables/{id}/export`: a table as a file to keep. Raises `Invalid`, `NotFound`, `LogUnavailable`."""
    format = queried(request, Form).format
    table = request.match_info["id"]
    transcript = await request.app[keys.HOST].transcript(table)
    headers = {
        hdrs.CONTENT_TYPE: f"{exporting.TYPES[format]}; charset=utf-8",
        hdrs.CONTENT_DISPOSITION: exporting.disposition(transcript, format),
        hdrs.CACHE_CONTROL: "no-store",
        # Opened from here it would be a page of ours: it may do no more than its own policy lets it.
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    if format == "jsonl":
        return await _entries(request, stream(table), headers)
    # A thread makes it, as a long table takes a tenth of a second; it needs its own copy, as ours goes on changing.
    copied = codec.encode(transcript)
    return web.Response(body=await asyncio.to_thread(_document, copied, format), headers=headers)


def _document(copied: bytes, format: str) -> bytes:
    return exporting.document(msgspec.json.decode(copied, type=Transcript), format)


async def _entries(request: web.Request, name: str, headers: dict[str, str]) -> web.StreamResponse:
    """Cut off where it fails: chunks without their last one tell the reader that this is not all."""
    response = web.StreamResponse(headers=headers)
    try:
        await response.prepare(request)
        async with aclosing(exporting.pages(request.app[keys.LOG], name)) as pages:
            async for page in pages:
                async with asyncio.timeout(PAGE_WITHIN):
                    await response.write(exporting.lines(page))
    except (TimeoutError, ConnectionError, LogError) as error:
        if isinstance(error, LogError):
            _logger.warning("%s cannot be exported: %s", name, error.detail)
        if request.transport is not None:
            request.transport.abort()
    return response
