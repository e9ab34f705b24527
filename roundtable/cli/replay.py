"""`roundtable replay`: a table that was, at its own pace or another."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from protocol import codec
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid
from protocol.parts import parts
from roundtable import exporting, recording
from roundtable.cli import arguments, console, remote
from roundtable.fanout.pacing import FASTEST, LONGEST_GAP, SLOWEST, Score, Tempo
from roundtable.sdk import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roundtable.cli.arguments import Commands
    from roundtable.log.base import Record
    from roundtable.sdk.addresses import Place

_EXAMPLES = """\
examples:
  roundtable replay http://127.0.0.1:8420/t/ID --speed 4
  roundtable replay talk.jsonl --max-gap 1     no silence longer than a second
  roundtable replay talk.jsonl --after 1763675000123-42
  roundtable export ID --format jsonl | roundtable replay -

A file is an export in jsonl, as `roundtable export --format jsonl` makes it.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "replay", _replay, "show a table as it happened", _EXAMPLES)
    parser.add_argument(
        "source", metavar="FILE|URL", help="an export in jsonl, a table's address, or - for a pipe"
    )
    parser.add_argument(
        "--speed", metavar="X", type=_number(SLOWEST, FASTEST), default=1.0, help="times as fast (default: 1)"
    )
    parser.add_argument(
        "--max-gap",
        metavar="S",
        type=_number(0.0, LONGEST_GAP),
        default=Tempo().max_gap,
        help=f"seconds to which a longer silence at the table is cut (default: {Tempo().max_gap:.0f})",
    )
    parser.add_argument(
        "--after", metavar="CURSOR", type=arguments.cursor, default=ZERO, help="begin after this entry"
    )
    arguments.add_json(parser, "the entries of the log, one JSON object a line")


def _number(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
        return value

    return number


def _replay(args: argparse.Namespace) -> int:
    terminal = console.terminal()

    def words(record: "Record", part: bytes) -> None:
        terminal.show(codec.decode_body(record.cursor, part).event)

    with _opened(args.source) as file:
        records = _after(recording.read(file), args.after)
        try:
            play(records, Tempo(args.speed, args.max_gap), _lines() if args.json else words)
        finally:
            terminal.end()
    return 0


Show = Callable[["Record", bytes], None]
"""Is given an entry, and the part of it that is due: several times where words were logged together."""


def play(
    records: "Iterable[Record]",
    tempo: Tempo,
    show: Show,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show the parts of the entries at the distance at which they happened. Entries left out are no silence."""
    score, seq = Score(tempo, clock()), 0
    for record in records:
        if record.cursor.seq != seq + 1:
            score.restart(clock())
        seq = record.cursor.seq
        for part in parts(record.body):
            wait = score.due(part.at) - clock()
            if wait > 0:
                sleep(wait)
            show(record, part.body)
            score.show(part.at, clock())


def _after(records: "Iterable[Record]", after: Cursor) -> "Iterator[Record]":
    """Those behind `after`, and the opening in any case: it says who sits where."""
    for record in records:
        if record.cursor.seq > after.seq or codec.body_type(record.body) == b"table.opened":
            yield record
        elif record.cursor.seq == after.seq and record.cursor != after:
            raise Invalid(f"The log holds {record.cursor} and no {after}.", field="after")


def _lines() -> Show:
    """Entries whole, each when its first part is due."""
    shown = ZERO

    def show(record: "Record", _: bytes) -> None:
        nonlocal shown
        if record.cursor != shown:
            shown = record.cursor
            print(exporting.line(record).decode(), flush=True)

    return show


@contextmanager
def _opened(source: str) -> "Iterator[BinaryIO]":
    if source == "-":
        yield sys.stdin.buffer
    elif addresses.is_address(source):
        # Kept on disk meanwhile: a replay may last an hour, and no connection waits that long.
        with tempfile.TemporaryFile() as file:
            asyncio.run(_fetch(addresses.table(source), file))
            file.seek(0)
            yield file
    else:
        with _open(Path(source)) as file:
            yield file


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}. A table kept on this machine is replayed with "
            "`roundtable export ID --format jsonl | roundtable replay -`.",
            field="source",
        ) from error


async def _fetch(place: "Place", file: BinaryIO) -> None:
    async with remote.client(place.server) as client:
        async for piece in client.export(place.table, "jsonl"):
            file.write(piece)
