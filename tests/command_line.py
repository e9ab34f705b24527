"""The command line inside the test's process, where it is fast: what it printed, and its exit code."""

import asyncio
import io
import sys
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from protocol import events as e
from protocol.codec import encode_body
from protocol.cursor import ZERO
from protocol.events import Entry
from roundtable.cli import main
from roundtable.log.base import Record
from roundtable.log.sqlite import SqliteLog
from tests.tables import ADA, BEN, entries, opened, turn


class Said(NamedTuple):
    """One call."""

    code: int
    out: str
    err: str


def call(*args: object, stdin: bytes = b"") -> Said:
    """Run it; raises `SystemExit` where argparse does."""
    streams = [
        io.TextIOWrapper(io.BytesIO(given), "utf-8", write_through=True) for given in (stdin, b"", b"")
    ]
    with patch.multiple(sys, stdin=streams[0], stdout=streams[1], stderr=streams[2]):
        code = main([str(arg) for arg in args])
    out, err = (stream.buffer.getvalue().decode() for stream in streams[1:])
    return Said(code, out, err)


SCENE: list[Entry] = entries(
    [
        *opened(ADA, BEN),
        e.RoundStarted(round=1),
        *turn(1, "Ada", "Because of **dragons**."),
        e.MessagePosted(message="m1", author="Kim", text="Really?"),
        *turn(2, "Ben", "No."),
        e.TableClosed(reason="max_rounds"),
    ]
)


def records(scene: list[Entry]) -> list[Record]:
    """As the log has them."""
    return [Record(entry.cursor, encode_body(entry.event, entry.at)) for entry in scene]


def keep(directory: Path, *tables: str, scene: list[Entry] = SCENE) -> None:
    """Write the scene into a data directory, once for each name."""

    async def write() -> None:
        log = await SqliteLog.open(directory)
        for table in tables:
            await log.append(f"table/{table}", ZERO, records(scene))
        await log.close()

    asyncio.run(write())
