"""Where tables are kept, as commands name it: a data directory, one file of a backup, or a Redis URL."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from roundtable.config import Config

if TYPE_CHECKING:
    from roundtable.log.base import EventLog


def is_redis(place: str) -> bool:
    """Whether it is a URL that the log in Redis takes."""
    return re.match(r"(redis|rediss|unix)://", place) is not None


async def to_read(place: str) -> "EventLog":
    """What is kept there, for reading: nothing is locked, a server may be at work on it. Raises `LogUnavailable`."""
    from roundtable.log.opening import open_log  # noqa: PLC0415 - Redis' client takes a while
    from roundtable.log.sqlite import SqliteLog  # noqa: PLC0415

    if is_redis(place):
        return await open_log(Path(), place, volatile=True)
    return await SqliteLog.view(Path(place))


def of(config: Config) -> str:
    """The place that is configured."""
    return config.redis or str(config.data)


def named(place: str) -> str:
    """The place in a sentence: a URL may hold a password."""
    return re.sub(r"//[^@/]*@", "//***@", place)
