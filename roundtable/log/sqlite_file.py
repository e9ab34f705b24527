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

Sync = Literal["normal", "full"]

# PRAGMA user_version. Raise it when an older program could misread the file.
FORMAT = 1
# Only a person with an SQLite shell can make us wait: the lock keeps our own processes out. Milliseconds.
BUSY_TIMEOUT = 5000
# After a burst the write-ahead log shrinks back to this. Bytes.
WAL_LIMIT = 16 * 1024 * 1024
# Primary result codes that blame the file itself: no retry will help.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

# Entries of one stream lie side by side, in order: a page of a replay is one range scan.
_SCHEMA = f"""
BEGIN;
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE entries (
    stream_id INTEGER NOT NULL, seq INTEGER NOT NULL, term INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (stream_id, seq)
) WITHOUT ROWID;
CREATE TABLE checkpoints (
    stream_id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, term INTEGER NOT NULL, body BLOB NOT NULL
);
PRAGMA user_version = {FORMAT};
COMMIT;
"""


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
            "Stop it or choose another --data."
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


def prepare(path: Path, sync: Sync) -> sqlite3.Connection:
    """Open the database for writing, made (0600) if it is new. Raises `LogUnavailable`, `LogDamaged`."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives -wal and -shm the same mode
        connection = connect(path, sync)
    except (OSError, sqlite3.Error) as error:
        raise translate(error, path) from error
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > FORMAT:
            raise LogUnavailable(
                f"{path} was written by a newer roundtable (format {found}; this one reads {FORMAT}). "
                "Upgrade, or choose another --data.",
                retryable=False,
            )
        if not found:
            connection.executescript(_SCHEMA)
    except sqlite3.Error as error:
        connection.close()
        raise translate(error, path) from error
    except LogUnavailable:
        connection.close()
        raise
    return connection


def translate(error: OSError | sqlite3.Error, path: Path) -> LogError:
    """SQLite's error as ours, naming the file and the cause."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:  # the high bits only refine the cause
        return damaged(path, str(error))
    return LogUnavailable(f"The log {path} cannot be used: {error}.")


def damaged(path: Path, found: str) -> LogDamaged:
    """The sentence that says what to do with a file that cannot be trusted."""
    return LogDamaged(
        f"The log {path} is damaged ({found}). Stop roundtable and restore the file from a backup, "
        f"or save what can be read with `sqlite3 {path} .recover`."
    )
