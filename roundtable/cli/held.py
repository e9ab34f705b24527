"""A table held in this terminal to its end: shown as it happens or told as JSON, and then where it is kept."""

import asyncio
import shlex
from typing import TYPE_CHECKING

from protocol import codec
from roundtable import exporting
from roundtable.cli import console, journal
from roundtable.config import Config

if TYPE_CHECKING:
    from roundtable.cli.holding import Convene, Held
    from roundtable.log.base import Record


def held(config: Config, convene: "Convene", *, record: bool = True, as_json: bool = False) -> "Held":
    """Hold what `convene` opens. Raises `LogUnavailable` when the data directory is in use, and what it raises."""
    from roundtable.cli import holding  # noqa: PLC0415 - vendors' SDKs take a while

    terminal = console.terminal()
    journal.begin("roundtable: %(message)s")

    def show(record: "Record") -> None:
        if as_json:
            print(exporting.line(record).decode(), flush=True)
        else:
            terminal.show(codec.decode_body(*record).event)

    held = asyncio.run(holding.hold(config, convene, show, record=record))
    if not as_json:
        terminal.spent(held.transcript.spent)
    return held


def ended(config: Config, held: "Held", *, record: bool = True, before: int = 0) -> int:
    """Say where it is kept; the exit code. `before` turns had been completed when it began."""
    if record:
        data = shlex.quote(str(config.data))
        console.tell(f"the table is kept: `roundtable serve --data {data}` has it at /t/{held.table}")
    else:
        console.tell("the table was off the record: nothing of it is kept")
    if held.interrupted:
        return console.INTERRUPTED
    completed = sum(turn.status == "completed" for turn in held.transcript.turns)
    return 0 if completed > before else console.FAILED
