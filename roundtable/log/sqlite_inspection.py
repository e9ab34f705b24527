"""The embedded store looked over, for `doctor`. Nothing is changed, and a server may be at work there meanwhile."""

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from protocol import codec
from protocol.cursor import ZERO
from roundtable.log.sqlite_file import look, translate
from roundtable.log.sqlite_format import found

# Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS = 100_000
_TABLES = "SELECT count(*) FROM streams WHERE name GLOB 'table/*'"
_NEWEST = """SELECT body FROM entries
JOIN (SELECT id FROM streams WHERE name GLOB 'table/*' ORDER BY name DESC LIMIT 1) ON stream_id = id
ORDER BY seq DESC LIMIT 1"""


class Inspection(NamedTuple):
    """`damage` is the first that SQLite finds: empty for a sound file, None when there was not time enough to tell.

    `newest` is the time of the newest table's last entry, in Unix seconds; 0 without a table.
    """

    format: int
    tables: int
    damage: str | None
    newest: float


def inspect(file: Path, within: float) -> Inspection:
    """Look at a database, for damage at most `within` seconds. Raises `LogUnavailable` and `LogDamaged`."""
    try:
        connection = look(file)
        try:
            version = found(connection, file)
            (tables,) = connection.execute(_TABLES).fetchone()
            damage = _damage(connection, within)
            return Inspection(version, tables, damage, 0.0 if damage else _newest(connection))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise translate(error, file) from error


def holder(directory: Path) -> str:
    """The process that uses the directory, empty if none does. For an instant we hold its lock ourselves, as there is
    no other way to know."""
    try:
        held = os.open(directory / "lock", os.O_RDWR)
    except OSError:
        return ""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return os.pread(held, 20, 0).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(held)
    return ""


def _damage(connection: sqlite3.Connection, within: float) -> str | None:
    end = time.monotonic() + within
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)
    return "" if told == "ok" else str(told)


def _newest(connection: sqlite3.Connection) -> float:
    row = connection.execute(_NEWEST).fetchone()
    return codec.decode_body(ZERO, row[0]).at if row else 0.0
