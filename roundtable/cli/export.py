"""`roundtable export`: a table as a file, from a server or straight from where it is kept."""

import argparse
import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.codec import decode_body
from protocol.errors import NotFound
from protocol.transcript import Transcript, apply
from roundtable import exporting
from roundtable.cli import arguments, console, logs, remote, target
from roundtable.sdk import addresses

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable export ID --out talk.html           to read, send and print
  roundtable export ID | less                    as Markdown
  roundtable export http://127.0.0.1:8420/t/ID --out talk.jsonl

  md      a play script, for people
  html    the same as one page that needs nothing else
  json    the transcript, for programs
  jsonl   every entry with its time, which can be replayed

An ID is looked up in --data (or --redis), also while a server is at work there;
an address is asked. Without --format the name of --out decides.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "export", _export, "write a table to a file", _EXAMPLES)
    arguments.add_settings(parser)
    arguments.add_redis(parser)
    parser.add_argument("table", metavar="ID|URL", help="which table")
    parser.add_argument("--format", choices=tuple(exporting.TYPES), help="(default: md)")
    parser.add_argument("--out", metavar="FILE", default="-", help="- is standard output (default: -)")
    parser.add_argument("--force", action="store_true", help="replace FILE")


def _export(args: argparse.Namespace) -> int:
    suffix = Path(args.out).suffix[1:].lower()
    format = args.format or exporting.check(suffix or "md")
    if addresses.is_address(args.table):
        pieces = _served(addresses.table(args.table), format)
    else:
        pieces = _kept(logs.of(arguments.settings(args, redis=args.redis)), args.table, format)
    with target.made(args.out, replace=args.force) as file, console.Progress() as progress:

        async def write() -> None:
            done = 0
            async with aclosing(pieces):
                async for piece in pieces:
                    file.write(piece)
                    done += len(piece)
                    progress(f"{console.size(done)} written")

        asyncio.run(write())
    return 0


async def _served(place: addresses.Place, format: str) -> AsyncGenerator[bytes]:
    async with remote.client(place.server) as client, aclosing(client.export(place.table, format)) as pieces:
        async for piece in pieces:
            yield piece


async def _kept(place: str, table: str, format: str) -> AsyncGenerator[bytes]:
    log = await logs.to_read(place)
    try:
        transcript, found = Transcript(), False
        async with aclosing(exporting.pages(log, f"table/{table}")) as pages:
            async for page in pages:
                found = True
                if format == "jsonl":
                    yield exporting.lines(page)
                    continue
                for record in page:
                    apply(transcript, decode_body(*record))
        if not found:
            raise NotFound(f"There is no table {table[:40]!r} in {logs.named(place)}.")
        if format != "jsonl":
            yield exporting.document(transcript, format)
    finally:
        await log.close()
