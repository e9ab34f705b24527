"""A library as one file, to be kept elsewhere: complete or absent when written, proved whole before it is restored.

The file is a database of the embedded store, so it can be viewed like one, with a seal: a digest of all that it holds.
"""

import asyncio
import hashlib
import os
import shutil
import sqlite3
from pathlib import Path

from protocol.errors import Invalid, LogDamaged
from roundtable.log.base import EventLog
from roundtable.log.copying import Copied, Progress, copy
from roundtable.log.sqlite import SqliteLog
from roundtable.log.sqlite_file import SEAL, lock, look, translate
from roundtable.log.sqlite_view import FILE

_ALL = """SELECT name, term, seq, body FROM streams JOIN entries ON stream_id = id ORDER BY name, seq"""


async def backup(
    source: EventLog, file: Path, progress: Progress = lambda _: None, *, replace: bool = False
) -> Copied:
    """Write `file`, for its owner only (0600). What cannot be read in `source` is `refused` by name and missing there.

    It is made in a directory `.NAME.partial` beside it, and appears under its name when it is on the disk. Raises
    `Invalid` when there is such a file and not `replace`, `LogUnavailable`.
    """
    partial = await asyncio.to_thread(_begin, file, replace)
    try:
        target = await SqliteLog.open(partial)
        try:
            copied = await copy(source, target, progress)
        finally:
            await target.close()
        await asyncio.to_thread(_finish, partial / FILE, file)
        return copied
    finally:
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)


async def restore(file: Path, target: EventLog, progress: Progress = lambda _: None) -> Copied:
    """Copy all of `file` into `target`, as `copying.copy` does.

    Raises `LogDamaged` before anything is written when the file is not whole. One that `backup` has not made has no
    seal: only what SQLite itself checks is checked then.
    """
    view = await SqliteLog.view(file)
    try:
        await asyncio.to_thread(_check, file)
        return await copy(view, target, progress)
    finally:
        await view.close()


def _begin(file: Path, replace: bool) -> Path:
    """An empty directory to work in: what an attempt that was killed has left is removed, unless it is at work."""
    if file.exists() and not replace:
        raise Invalid(f"{file} exists already.", field="file")
    partial = file.with_name(f".{file.name}.partial")
    held = lock(partial)
    try:
        for path in partial.glob(f"{FILE}*"):
            path.unlink()
    finally:
        os.close(held)
    return partial


def _finish(made: Path, file: Path) -> None:
    try:
        connection = sqlite3.connect(made, isolation_level=None)
        try:
            connection.execute(
                "PRAGMA journal_mode = DELETE"
            )  # one file, also where nothing can be put beside it
            connection.execute(f"CREATE TABLE {SEAL} AS SELECT ? AS digest", (_digest(connection),))
        finally:
            connection.close()
        _sync(made)
        made.replace(file)
        _sync(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise translate(error, file) from error


def _check(file: Path) -> None:
    try:
        connection = look(file)
        try:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            sealed = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (SEAL,)).fetchone()
            whole = not sealed or connection.execute(f"SELECT digest FROM {SEAL}").fetchone() == (
                _digest(connection),
            )
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise translate(error, file) from error
    if found != "ok" or not whole:
        cause = "its digest does not match what it holds" if found == "ok" else found
        raise LogDamaged(f"The backup {file} is damaged ({cause}). Nothing was restored.")


def _digest(connection: sqlite3.Connection) -> bytes:
    digest = hashlib.sha256()
    for name, term, seq, body in connection.execute(_ALL):
        digest.update(b"%s %d-%d %d\n" % (name.encode(), term, seq, len(body)))
        digest.update(body)
    return digest.digest()


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
