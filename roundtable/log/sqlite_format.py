"""The format of the embedded store's file, told as the steps that led to it.

A file says in `PRAGMA user_version` how many it went through; a new one goes through all of them. A step is never
changed once it was released, as there are files that took it: another is added.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from protocol.errors import LogUnavailable


class Step(NamedTuple):
    """What brings a file from one format to the next, and why."""

    reason: str
    sql: str


STEPS = (
    Step(
        "Entries of one stream lie side by side, in order: a page of a replay is one range scan.",
        """
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE entries (
    stream_id INTEGER NOT NULL, seq INTEGER NOT NULL, term INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (stream_id, seq)
) WITHOUT ROWID;
CREATE TABLE checkpoints (
    stream_id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, term INTEGER NOT NULL, body BLOB NOT NULL
);
""",
    ),
    Step(
        "Which streams need an owner is kept: a start looks at those, and not at every table there ever was. "
        "Any table of an older file may have been left open, so an owner shall look at each of them once.",
        """
CREATE TABLE leases (name TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO leases SELECT name FROM streams WHERE name GLOB 'table/*';
""",
    ),
)
# Raised by every step, as an older program could misread the file or leave a newer one's part of it to rot.
FORMAT = len(STEPS)


def found(connection: sqlite3.Connection, path: Path) -> int:
    """The file's format; 0 is a new file. Raises `LogUnavailable` for one that is newer than this program."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise LogUnavailable(
            f"{path} was written by a newer roundtable (format {version}; this one reads {FORMAT}). "
            "Upgrade, or choose another --data.",
            retryable=False,
        )
    return int(version)


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to `FORMAT` in one transaction: whatever interrupts it, the file is as it was.

    Raises `LogUnavailable` for a newer file, `sqlite3.Error`.
    """
    steps = STEPS[found(connection, path) :]
    if not steps:
        return
    script = "".join(step.sql for step in steps)
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {FORMAT}; COMMIT;")
    except sqlite3.Error:
        connection.rollback()
        raise
