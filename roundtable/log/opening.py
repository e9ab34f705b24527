"""placeholder until merge"""

from pathlib import Path
from roundtable.log.base import EventLog
from roundtable.log.sqlite import SqliteLog


async def open_log(data: Path, redis: str = "", *, volatile: bool = False) -> EventLog:
    return await SqliteLog.open(data)
