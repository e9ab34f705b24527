"""What `doctor` looks at where tables are kept. Nothing is changed there."""

import asyncio
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from protocol import codec
from protocol.cursor import ZERO
from protocol.errors import LogError, RoundtableError
from roundtable.cli import console, logs
from roundtable.cli.finding import Finding, State
from roundtable.config import Config

# Bytes. Below the first there is no room for an evening of tables, below the second for a write-ahead log.
LITTLE, NOTHING = 10**9, 10**8
# Seconds for SQLite to go over the file: some 2 GB.
CHECK_WITHIN = 5.0
# Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS = 100_000
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
    yield Finding("data", "ok", f"{path}{_holder(path)}")
    if path.stat().st_mode & 0o077:
        yield Finding("data", "warning", "others on this machine may look into it", f"`chmod 700 {path}`")
    yield _space(path)
    file = path / "roundtable.db"
    if file.exists():
        yield from _database(file)


def _unmade(path: Path) -> Finding:
    parent = next(each for each in path.absolute().parents if each.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        return Finding("data", "ok", f"{path} is not there yet; it is made when it is needed")
    return Finding("data", "wrong", f"{path} cannot be made in {parent}", "Choose another --data.")


def _holder(path: Path) -> str:
    """Who uses the directory. For an instant we hold its lock ourselves, as there is no other way to know."""
    try:
        held = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return ""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = os.pread(held, 20, 0).decode(errors="replace").strip()
        return f", in use by process {pid}"
    finally:
        os.close(held)
    return ""


def _space(path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    state: State = "wrong" if free < NOTHING else "warning" if free < LITTLE else "ok"
    hint = "" if state == "ok" else "Free some, or choose another --data."
    return Finding("space", state, f"{console.size(free)} free", hint)


def _database(file: Path) -> Iterator[Finding]:
    from roundtable.log.sqlite_file import look, translate  # noqa: PLC0415 - loaded with the store only
    from roundtable.log.sqlite_format import FORMAT, found  # noqa: PLC0415

    try:
        connection = look(file)
        try:
            version = found(connection, file)
            old = "" if version == FORMAT else f", format {version}, which the next start brings to {FORMAT}"
            (tables,) = connection.execute(
                "SELECT count(*) FROM streams WHERE name GLOB 'table/*'"
            ).fetchone()
            yield Finding(
                "tables",
                "ok",
                f"{tables:,} table{'s' * (tables != 1)}, {console.size(file.stat().st_size)}{old}",
            )
            yield _integrity(connection, file)
            yield from _clock(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        yield Finding("tables", "wrong", translate(error, file).detail)
    except LogError as error:
        yield Finding("tables", "wrong", error.detail)


def _integrity(connection: sqlite3.Connection, file: Path) -> Finding:
    end = time.monotonic() + CHECK_WITHIN
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        hint = f"`sqlite3 {file} 'PRAGMA quick_check'` takes its time."
        return Finding("integrity", "warning", f"not checked to the end in {CHECK_WITHIN:.0f} s", hint)
    finally:
        connection.set_progress_handler(None, 0)
    if found == "ok":
        return Finding("integrity", "ok", "the file is sound")
    hint = f"Stop roundtable and restore a backup, or save what can be read: `sqlite3 {file} .recover`."
    return Finding("integrity", "wrong", f"the file is damaged ({found})", hint)


def _clock(connection: sqlite3.Connection) -> Iterator[Finding]:
    """A clock behind the newest table's would write the same time again and again: `at` never runs backwards."""
    newest = connection.execute(
        "SELECT body FROM entries JOIN (SELECT id FROM streams WHERE name GLOB 'table/*' ORDER BY name DESC LIMIT 1)"
        " ON stream_id = id ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    at = codec.decode_body(ZERO, newest[0]).at if newest else 0.0
    if at > time.time() + SKEW:
        behind = at - time.time()
        yield Finding(
            "clock", "warning", f"behind the newest table by {behind:,.0f} s", "Set the clock, best by NTP."
        )
