"""The embedded store on disk: its directory, its lock, its format, and what SQLite's errors mean.

DIR/lock           held by flock as long as the store is open; names the process that holds it
DIR/roundtable.db  the database, in WAL mode (with `-wal` and `-shm` beside it while open)
"""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Literal

from protocol.errors import LogDamaged, LogError, LogUnavailable
from roundtable.log.sqlite_format import upgrade

Sync = Literal["normal", "full"]

# The table that a backup has beside those of the format: a digest of all it holds.
SEAL = "seal"
# Only a person with an SQLite shell can make us wait: the lock keeps our own processes out. Milliseconds.
BUSY_TIMEOUT = 5000
# After a burst the write-ahead log shrinks back to this. Bytes.
WAL_LIMIT = 16 * 1024 * 1024
# Primary result codes that blame the file itself: no retry will help.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# Those that blame the disk below it.
_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
# Those that mean, where we write: we may not. SQLite needs to write beside the file too.
_REFUSED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}


def lock(directory: Path) -> int:
    """Create `directory` (0700) if need be and take its lock; returns the descriptor that holds it.

    Raises `LogUnavailable` when another process has it. The kernel lets go when the holder dies.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LogUnavailable(f"{directory} cannot hold the log: {error.strerror}.") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(held, 0)
        os.pwrite(held, b"%d\n" % os.getpid(), 0)
    except BlockingIOError as error:
        pid = os.pread(held, 20, 0).decode(errors="replace").strip()
        os.close(held)
        raise LogUnavailable(
            f"Another roundtable process (pid {pid or 'unknown'}) is using {directory}. "
            "Stop it or choose another --data.",
            code="log_in_use",
        ) from error
    except OSError as error:
        os.close(held)
        raise LogUnavailable(f"{directory} cannot be locked: {error.strerror}.") from error
    return held


def connect(path: Path, sync: Sync) -> sqlite3.Connection:
    """A connection with explicit transactions, to be used by one thread at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        connection.execute(f"PRAGMA synchronous = {sync}")
        connection.execute("PRAGMA secure_delete = ON")  # what was deleted is overwritten, not only unlinked
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def look(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing in the file, which another process may be writing. SQLite needs `-wal` and
    `-shm` beside a file that is, or may be, in use, and makes them empty if it can."""
    uri = path.resolve().as_uri()
    try:
        return _look(f"{uri}?mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_DIRECTORY:
            raise
        # No `-wal` is there, so the file is in nobody's hands, and all that was written is in it.
        return _look(f"{uri}?immutable=1")


def _look(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        connection.execute("PRAGMA user_version")  # the first to touch the file
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(path: Path, sync: Sync) -> sqlite3.Connection:
    """Open the database for writing, made (0600) if it is new, upgraded if it is old.

    Raises `LogUnavailable` and `LogDamaged`.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives -wal and -shm the same mode
        connection = connect(path, sync)
    except (OSError, sqlite3.Error) as error:
        raise translate(error, path) from error
    try:
        upgrade(connection, path)
        connection.execute(f"DROP TABLE IF EXISTS {SEAL}")  # what is written on is no backup any more
    except sqlite3.Error as error:
        connection.close()
        raise translate(error, path) from error
    except LogUnavailable:
        connection.close()
        raise
    return connection


def translate(error: OSError | sqlite3.Error, path: Path) -> LogError:
    """SQLite's error as ours, naming the file and the cause."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the high bits only refine the cause
    if code in _DAMAGE:
        return damaged(path, str(error))
    cause = (isinstance(error, OSError) and error.strerror) or str(error)
    if code in _DISK:
        cause += f"; see that the disk of {path.parent} works and has room"
    if code in _REFUSED:
        cause += f"; {path.parent} and the files in it must be writable"
    return LogUnavailable(f"The log {path} cannot be used: {cause}.")


def damaged(path: Path, found: str) -> LogDamaged:
    """The sentence that says what to do with a file that cannot be trusted."""
    return LogDamaged(
        f"The log {path} is damaged ({found}). Stop roundtable and restore the file from a backup, "
        f"or save what can be read with `sqlite3 {path} .recover`."
    )
