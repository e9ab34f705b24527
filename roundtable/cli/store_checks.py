"""What `doctor` looks at where tables are kept. Nothing is changed there."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from protocol.errors import LogError, RoundtableError
from roundtable.cli import console, logs
from roundtable.cli.finding import Finding, State
from roundtable.config import Config
from roundtable.log.sqlite_format import FORMAT
from roundtable.log.sqlite_inspection import holder, inspect
from roundtable.log.sqlite_view import FILE

# Bytes. Below the first there is no room for an evening of tables, below the second for a write-ahead log.
LITTLE, NOTHING = 10**9, 10**8
# Seconds for SQLite to go over the file: some 2 GB.
CHECK_WITHIN = 5.0
# Seconds by which clocks of one network may differ.
SKEW = 60.0
# Seconds for Redis to answer, with room for its own deadline.
REDIS_WITHIN = 15.0


async def redis(config: Config) -> Finding:
    """Whether the log in Redis can be used."""
    from roundtable.log.opening import open_log  # noqa: PLC0415 - Redis' client takes a while

    try:
        async with asyncio.timeout(REDIS_WITHIN):
            log = await open_log(config.data, config.redis, volatile=config.redis_volatile)
            await log.close()
    except RoundtableError as error:
        return Finding("redis", "wrong", error.detail)
    except TimeoutError:
        return Finding("redis", "wrong", f"{logs.named(config.redis)} does not answer")
    return Finding("redis", "ok", f"{logs.named(config.redis)} can be used")


def directory(path: Path) -> Iterator[Finding]:
    """The data directory, and what is in it."""
    if not path.exists():
        yield _unmade(path)
        return
    if not path.is_dir() or not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            "data",
            "wrong",
            f"{path} cannot be written",
            "Choose another --data, or change its owner or mode.",
        )
        return
    pid = holder(path)
    yield Finding("data", "ok", f"{path}, in use by process {pid}" if pid else str(path))
    if path.stat().st_mode & 0o077:
        yield Finding("data", "warning", "others on this machine may look into it", f"`chmod 700 {path}`")
    yield _space(path)
    file = path / FILE
    if file.exists():
        yield from _database(file)


def _unmade(path: Path) -> Finding:
    parent = next(each for each in path.absolute().parents if each.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        return Finding("data", "ok", f"{path} is not there yet; it is made when it is needed")
    return Finding("data", "wrong", f"{path} cannot be made in {parent}", "Choose another --data.")


def _space(path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    state: State = "wrong" if free < NOTHING else "warning" if free < LITTLE else "ok"
    hint = "" if state == "ok" else "Free some, or choose another --data."
    return Finding("space", state, f"{console.size(free)} free", hint)


def _database(file: Path) -> Iterator[Finding]:
    try:
        seen = inspect(file, CHECK_WITHIN)
    except LogError as error:
        yield Finding("tables", "wrong", error.detail)
        return
    old = "" if seen.format == FORMAT else f", format {seen.format}, which the next start brings to {FORMAT}"
    size = console.size(file.stat().st_size)
    yield Finding("tables", "ok", f"{seen.tables:,} table{'s' * (seen.tables != 1)}, {size}{old}")
    yield _integrity(seen.damage, file)
    behind = seen.newest - time.time()
    if behind > SKEW:
        # `at` never runs backwards, so such a clock would write the same time again and again.
        detail = f"behind the newest table by {behind:,.0f} s"
        yield Finding("clock", "warning", detail, "Set the clock, best by NTP.")


def _integrity(damage: str | None, file: Path) -> Finding:
    if damage is None:
        hint = f"`sqlite3 {file} 'PRAGMA quick_check'` takes its time."
        return Finding("integrity", "warning", f"not checked to the end in {CHECK_WITHIN:.0f} s", hint)
    if not damage:
        return Finding("integrity", "ok", "the file is sound")
    hint = f"Stop roundtable and restore a backup, or save what can be read: `sqlite3 {file} .recover`."
    return Finding("integrity", "wrong", f"the file is damaged ({damage})", hint)
