"""`roundtable copy`: all tables from one place to another, of whatever kind."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import Invalid
from roundtable.cli import arguments, console, logs, moving
from roundtable.cli.backup import backed_up
from roundtable.cli.restore import restored

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable copy ~/.local/share/roundtable redis://localhost
  roundtable copy redis://localhost /srv/tables             and back
  roundtable copy redis://localhost tables.db               as `backup` does

A place is a data directory, a Redis URL, or a file whose name ends in .db. FROM
may be in use, and is not changed. What is in TO stays as it is; a copy that was
interrupted is continued by the same command.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(
        commands, "copy", _copy, "copy all tables from one place to another", _EXAMPLES
    )
    parser.add_argument("source", metavar="FROM", help="a data directory, a backup or a Redis URL")
    parser.add_argument("target", metavar="TO", help="likewise")
    parser.add_argument("--merge", action="store_true", help="add to the tables that are in TO")
    parser.add_argument("--force", action="store_true", help="replace TO, if it is a file")
    arguments.add_volatile(parser)


def _copy(args: argparse.Namespace) -> int:
    source, target = _place(args.source), _place(args.target)
    if source == target:
        raise Invalid("FROM and TO are the same place.", field="target")
    volatile = bool(args.redis_volatile)
    if _is_file(target):
        work = backed_up(source, Path(target), replace=args.force)
    elif _is_file(source):
        work = restored(Path(source), target, merge=args.merge, volatile=volatile)
    else:
        work = _copied(source, target, merge=args.merge, volatile=volatile)
    return asyncio.run(work)


def _place(text: str) -> str:
    return text if logs.is_redis(text) else str(Path(text).expanduser().resolve())


def _is_file(place: str) -> bool:
    if logs.is_redis(place):
        return False
    path = Path(place)
    return path.is_file() or (path.suffix == ".db" and not path.is_dir())


async def _copied(source: str, target: str, *, merge: bool, volatile: bool) -> int:
    from roundtable.log.copying import copy  # noqa: PLC0415 - loaded with the store only

    here = await logs.to_read(source)
    try:
        there = await moving.to_write(target, merge=merge, volatile=volatile)
        try:
            with console.Progress() as progress:
                copied = await copy(here, there, moving.shown(progress))
        finally:
            await there.close()
    finally:
        await here.close()
    return moving.outcome(copied, target)
