"""Which store: the embedded one, or Redis where a URL is given."""

from pathlib import Path

from roundtable.log.base import EventLog
from roundtable.log.memory import MemoryLog
from roundtable.log.redis import RedisLog
from roundtable.log.split import SplitLog
from roundtable.log.sqlite import SqliteLog


async def open_log(data: Path, redis: str = "", *, volatile: bool = False) -> EventLog:
    """The log in Redis at the URL `redis`, or without one in the directory `data`, where tables may be off the record.

    `volatile` accepts a Redis that may lose what it is given. Raises `Invalid` (the URL) and `LogUnavailable`.
    """
    if redis:
        return await RedisLog.open(redis, volatile=volatile)
    return SplitLog(await SqliteLog.open(data), MemoryLog())
