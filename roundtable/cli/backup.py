"""`roundtable backup`: all tables in one file, also while a server is at work."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from roundtable.cli import arguments, console, logs, moving, target

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable backup tables.db              of --data, also while it is in use
  roundtable backup --redis redis://localhost nightly.db --force
  roundtable restore tables.db --data /srv/tables         the way back

The file is there whole or not at all, and only its owner may read it. It holds
every table but those off the record. A table is two streams: what happened at
it, and what was asked of it.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "backup", _backup, "write all tables to one file", _EXAMPLES)
    arguments.add_settings(parser)
    arguments.add_redis(parser)
    parser.add_argument("file", metavar="FILE", type=Path, help="such as tables.db")
    parser.add_argument("--force", action="store_true", help="replace FILE")


def _backup(args: argparse.Namespace) -> int:
    place = logs.of(arguments.settings(args, redis=args.redis))
    return asyncio.run(backed_up(place, args.file, replace=args.force))


async def backed_up(place: str, file: Path, *, replace: bool) -> int:
    """Back up what is kept at `place`; the exit code."""
    from roundtable.log.backup import backup  # noqa: PLC0415 - loaded with the store only

    target.check(file, replace=replace)
    source = await logs.to_read(place)
    try:
        with console.Progress() as progress:
            copied = await backup(source, file, moving.shown(progress), replace=replace)
    finally:
        await source.close()
    return moving.outcome(copied, str(file))
