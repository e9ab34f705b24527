"""`roundtable restore`: the tables of a backup back to where tables are kept."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import LogDamaged
from roundtable.cli import arguments, console, logs, moving

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable restore tables.db --data /srv/tables
  roundtable restore tables.db --redis redis://localhost --merge

A damaged file is refused before anything is written. Tables that are there
already stay as they are, so restoring twice does no harm; stop a server that
uses --data first. Tables that were open go on with the next start.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "restore", _restore, "bring back the tables of a backup", _EXAMPLES)
    arguments.add_settings(parser)
    arguments.add_redis(parser)
    arguments.add_volatile(parser)
    parser.add_argument("file", metavar="FILE", type=Path, help="what `roundtable backup` made")
    parser.add_argument("--merge", action="store_true", help="add to the tables that are there")


def _restore(args: argparse.Namespace) -> int:
    config = arguments.settings(args, redis=args.redis, redis_volatile=args.redis_volatile)
    place = logs.of(config)
    return asyncio.run(restored(args.file, place, merge=args.merge, volatile=config.redis_volatile))


async def restored(file: Path, place: str, *, merge: bool, volatile: bool) -> int:
    """Restore to `place`; the exit code."""
    from roundtable.log.backup import restore  # noqa: PLC0415 - loaded with the store only

    try:
        await (await logs.to_read(str(file))).close()  # before a place is made for it
    except LogDamaged as error:
        raise LogDamaged(f"{file} is no backup, or is damaged. Nothing was restored.") from error
    target = await moving.to_write(place, merge=merge, volatile=volatile)
    try:
        with console.Progress() as progress:
            copied = await restore(file, target, moving.shown(progress))
    finally:
        await target.close()
    return moving.outcome(copied, place)
