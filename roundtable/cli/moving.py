"""What `backup`, `restore` and `copy` share: how far they are, how it went, and when they ask first."""

from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import Invalid
from roundtable.cli import console, logs

if TYPE_CHECKING:
    from roundtable.log.base import EventLog
    from roundtable.log.copying import Copied, Progress

# Refusals told one by one; the rest is a number.
TOLD = 10


def shown(progress: console.Progress) -> "Progress":
    """Tell it of a copy under way."""
    return lambda copied: progress(
        f"{copied.streams:,} of {copied.total:,} streams, {console.size(copied.size)} copied"
    )


async def to_write(place: str, *, merge: bool, volatile: bool) -> "EventLog":
    """What is kept there, for writing. What holds tables already is taken only with `merge`, or when a person says so.

    Raises `Invalid`, and `LogUnavailable` when a server has it.
    """
    from roundtable.log.opening import open_log  # noqa: PLC0415 - Redis' client takes a while

    is_redis = logs.is_redis(place)
    log = await open_log(Path(place), place if is_redis else "", volatile=volatile)
    try:
        if not merge and await log.streams("table", limit=1):
            where = (
                f"{logs.named(place)} holds tables already. They stay as they are, and others come to them."
            )
            if not console.confirm(f"{where} Go on?"):
                raise Invalid(f"{where} Say --merge if that is meant.", field="merge")
    except BaseException:
        await log.close()
        raise
    return log


def outcome(copied: "Copied", place: str) -> int:
    """Say how it went; the exit code."""
    for refusal in copied.refused[:TOLD]:
        console.tell(f"{refusal.stream}: {refusal.detail}")
    if len(copied.refused) > TOLD:
        console.tell(f"and {len(copied.refused) - TOLD} more")
    before = f", {copied.already:,} of them before" if copied.already else ""
    console.tell(
        f"{copied.streams:,} of {copied.total:,} streams are in {logs.named(place)}{before}; "
        f"{copied.records:,} entries ({console.size(copied.size)}) were written"
    )
    return console.FAILED if copied.refused else 0
