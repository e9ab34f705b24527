"""Files of older formats, and files that may not be written: what opening them does, and what it says."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from protocol.cursor import ZERO, Cursor
from protocol.errors import LogUnavailable
from roundtable.log import sqlite_format
from roundtable.log.base import Checkpoint, Record
from roundtable.log.sqlite import SqliteLog
from roundtable.log.sqlite_format import FORMAT, STEPS, Step
from tests.test_log import TABLE, batch, write

# As roundtable 0.1 made it, to the letter. Never to be changed.
FORMAT_1 = """
BEGIN;
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE entries (
    stream_id INTEGER NOT NULL, seq INTEGER NOT NULL, term INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (stream_id, seq)
) WITHOUT ROWID;
CREATE TABLE checkpoints (
    stream_id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, term INTEGER NOT NULL, body BLOB NOT NULL
);
PRAGMA user_version = 1;
COMMIT;
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A data directory of format 1 with two tables and an inbox."""
    database = sqlite3.connect(tmp_path / "roundtable.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(FORMAT_1)
    for id, name in enumerate(("table/one", "table/two", "inbox/one"), 1):
        database.execute("INSERT INTO streams VALUES (?, ?)", (id, name))
        for seq in range(1, 4):
            database.execute(
                "INSERT INTO entries VALUES (?, ?, 7, ?)", (id, seq, b"%s %d" % (name.encode(), seq))
            )
    database.execute("INSERT INTO checkpoints VALUES (1, 3, 7, ?)", (b"fold",))
    database.close()
    return tmp_path


def format_of(directory: Path) -> int:
    database = sqlite3.connect(directory / "roundtable.db")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.close()
    return int(version)


def schema(directory: Path) -> list[str]:
    database = sqlite3.connect(directory / "roundtable.db")
    tables = [
        sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql NOTNULL ORDER BY name")
    ]
    database.close()
    return tables


async def check_contents(log: SqliteLog) -> None:
    for name in ("table/one", "table/two", "inbox/one"):
        expected = [Record(Cursor(7, seq), b"%s %d" % (name.encode(), seq)) for seq in range(1, 4)]
        assert await log.read(name, 0) == expected
    assert await log.checkpoint("table/one") == Checkpoint(Cursor(7, 3), b"fold")


async def test_a_file_of_format_1_is_upgraded_and_its_tables_need_an_owner(old: Path, tmp_path: Path) -> None:
    log = await SqliteLog.open(old)
    await check_contents(log)
    assert set(await log.leases.abandoned()) == {"table/one", "table/two"}
    for stream in await log.leases.claim(["table/one", "table/two"], "ada", 60):
        await log.leases.release(stream, "ada")
    await write(log, "table/three", 1)
    await log.close()
    assert format_of(old) == FORMAT
    log = await SqliteLog.open(old)
    assert await log.leases.abandoned() == []  # it is not upgraded a second time
    await log.close()
    await (await SqliteLog.open(tmp_path / "new")).close()
    assert schema(tmp_path / "new") == schema(old)


async def test_an_upgrade_that_is_interrupted_leaves_the_file_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema(old)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(
            sqlite_format, "STEPS", (*STEPS, Step("breaks", "INSERT INTO nowhere VALUES (1);"))
        )
        for _ in range(2):  # the first attempt has let go of the file and its lock
            with pytest.raises(LogUnavailable, match="no such table: nowhere"):
                await SqliteLog.open(old)
    assert (format_of(old), schema(old)) == (1, before)
    log = await SqliteLog.open(old)
    await check_contents(log)
    await log.close()


async def test_a_file_of_format_1_is_viewed_as_it_is(old: Path) -> None:
    view = await SqliteLog.view(old)
    assert len(await view.read("table/two", 0)) == 3
    assert await view.streams("table") == ["table/two", "table/one"]
    await view.close()
    assert format_of(old) == 1


# What may not be written


@contextmanager
def nobody(directory: Path) -> Iterator[None]:
    """Run as a user to whom the modes of files apply; as root they do not."""
    privileged = os.geteuid() == 0
    if privileged:
        for path in (directory, *directory.iterdir()):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)


@pytest.fixture
def library() -> Iterator[Path]:
    """A data directory outside of pytest's, which only its owner may enter."""
    directory = Path(tempfile.mkdtemp())
    yield directory
    directory.chmod(0o700)
    shutil.rmtree(directory)


async def fill(directory: Path) -> None:
    log = await SqliteLog.open(directory)
    await log.append(TABLE, ZERO, batch(ZERO, b"a", b"b"))
    await log.close()


async def test_a_directory_that_may_not_be_written_is_named(library: Path) -> None:
    library.chmod(0o500)
    with (
        nobody(library),
        pytest.raises(LogUnavailable, match=f"{library} cannot hold the log: Permission denied"),
    ):
        await SqliteLog.open(library)


async def test_a_file_that_may_not_be_written_is_named(library: Path) -> None:
    await fill(library)
    (library / "roundtable.db").chmod(0o400)
    with (
        nobody(library),
        pytest.raises(LogUnavailable, match=r"roundtable\.db cannot be used: Permission denied"),
    ):
        await SqliteLog.open(library)


async def test_a_directory_in_which_nothing_new_may_be_made_is_named(library: Path) -> None:
    await fill(library)
    library.chmod(0o500)
    with (
        nobody(library),
        pytest.raises(LogUnavailable, match=f"{library} and the files in it must be writable"),
    ):
        await SqliteLog.open(library)


async def test_a_library_that_may_not_be_written_can_be_viewed_and_is_left_alone(library: Path) -> None:
    await fill(library)
    for path in library.iterdir():
        path.chmod(0o400)
    library.chmod(0o500)
    with nobody(library):
        view = await SqliteLog.view(library)
        assert [record.body for record in await view.read(TABLE, 0)] == [b"a", b"b"]
        await view.close()
    assert {path.name for path in library.iterdir()} == {"lock", "roundtable.db"}
