"""A table as a file: which forms there are, and how each is made from the log.

`md`, `html` and `json` are of the transcript, made whole; `jsonl` is the entries, made page by page.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from urllib.parse import quote

from protocol import codec
from protocol.errors import Invalid
from protocol.transcript import Transcript
from protocol.views import thread, words
from protocol.views.html import html
from protocol.views.markdown import markdown
from roundtable.log.base import EventLog, Record

TYPES = {
    "md": "text/markdown",
    "html": "text/html",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
}
"""The forms, and the media type of each."""
# Letters of a topic in a file's name: what a list of files shows.
_LONGEST_NAME = 60


def check(format: str) -> str:
    """The form, if there is such a one. Raises `Invalid` naming the choices."""
    if format not in TYPES:
        raise Invalid(
            f"{format[:40]!r} is no format to export; there are {', '.join(TYPES)}.", field="format"
        )
    return format


def document(t: Transcript, format: str) -> bytes:
    """The transcript as `md`, `html`, or `json` as the API gives it."""
    match format:
        case "md":
            return markdown(t).encode()
        case "html":
            return html(t).encode()
        case _:
            return codec.encode({"cursor": t.cursor, "transcript": t})


def line(record: Record) -> bytes:
    """An entry as everywhere on the wire, without a line end: the logged body, with its cursor as `id` in front."""
    return b'{"id":"%b",%b' % (str(record.cursor).encode(), record.body[1:])


def lines(records: Sequence[Record]) -> bytes:
    """Entries as `jsonl`."""
    return b"".join(line(record) + b"\n" for record in records)


async def pages(log: EventLog, stream: str) -> AsyncGenerator[list[Record]]:
    """What the stream holds now, a page at a time; what is written meanwhile is left out."""
    last = await log.last(stream)
    seq, end = 0, last.cursor.seq if last else 0
    while seq < end and (records := await log.read(stream, seq)):
        yield [record for record in records if record.cursor.seq <= end]
        seq = records[-1].cursor.seq


def disposition(t: Transcript, format: str) -> str:
    """`Content-Disposition` with a name from the topic (RFC 6266): ASCII for old readers, and the whole one."""
    name = (
        re.sub(r"[^\w]+", "-", words.title(thread.title(t))).strip("-_")[:_LONGEST_NAME].rstrip("-_")
        or "roundtable"
    )
    ascii_name = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "roundtable"
    return f"attachment; filename=\"{ascii_name}.{format}\"; filename*=UTF-8''{quote(f'{name}.{format}', safe='')}"
