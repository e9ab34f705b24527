"""Tables off the record: they live in a bounded memory, where those that are over give way to new ones.

The log drops nothing by itself: it cannot know which of its streams anybody still needs.
"""

from protocol import codec
from protocol.errors import Invalid, LogUnavailable
from roundtable.hosting import inbox, people
from roundtable.log.base import EventLog
from roundtable.log.memory import MemoryLog
from roundtable.log.split import SplitLog

# A table begins only while this part of the memory is free, so that it, and those under way, find room to go on.
FREE = 0.5


async def admit(log: EventLog, *, record: bool) -> None:
    """Let a table begin in `log`. Raises `Invalid` when it is off the record and the log would keep it, and
    `LogUnavailable` when there is no room."""
    if record:
        return
    if not isinstance(log, SplitLog):
        raise Invalid(
            "This server keeps its tables in a store that several nodes share, so none can be off the record here. "
            "Let it be recorded, or ask a server that was started without --redis.",
            field="record",
        )
    await make_room(log.volatile)


async def make_room(log: MemoryLog) -> None:
    """Delete the oldest closed tables until `FREE` is free. Raises `LogUnavailable` when those under way need it."""
    if log.size <= log.max_bytes * FREE:
        return
    for stream in await _oldest_first(log):
        if await _closed(log, stream):
            await log.delete(stream)
            for each in (inbox.stream, people.stream):
                await log.delete(each(stream.removeprefix("table/")))
            if log.size <= log.max_bytes * FREE:
                return
    raise LogUnavailable(
        "The tables off the record that are under way need all the memory there is for them. Close one of them."
    )


async def _oldest_first(log: MemoryLog) -> list[str]:
    names: list[str] = []
    while page := await log.streams("table", before=names[-1] if names else "", limit=1000):
        names += page
    return names[::-1]


async def _closed(log: MemoryLog, stream: str) -> bool:
    last = await log.last(stream)
    return last is not None and codec.body_type(last.body) == b"table.closed"
