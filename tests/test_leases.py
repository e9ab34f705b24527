"""The contract of leases, on every store: who owns what, when nobody does, and what a restart leaves."""

import asyncio
import sys
from pathlib import Path

import pytest

from protocol.cursor import ZERO
from protocol.errors import LogUnavailable
from roundtable.log.base import EventLog
from roundtable.log.leases import LocalLeases
from roundtable.log.sqlite import SqliteLog
from tests.test_log import TABLE, batch, log, write

__all__ = ["log"]  # the fixture over all stores
LONG = 3600.0
OTHER = "table/other"


async def test_a_stream_has_one_owner(log: EventLog) -> None:
    assert await log.leases.claim([TABLE, OTHER], "ada", LONG) == {TABLE, OTHER}
    assert await log.leases.claim([TABLE, "table/free"], "ben", LONG) == {"table/free"}
    assert await log.leases.claim([TABLE], "ada", LONG) == {TABLE}
    assert await log.leases.claim([], "ada", LONG) == set()
    assert await log.leases.abandoned() == []


async def test_of_those_who_claim_at_once_one_owns(log: EventLog) -> None:
    claims = await asyncio.gather(*(log.leases.claim([TABLE], f"node{i}", LONG) for i in range(10)))
    assert sorted(claims, key=len) == [set()] * 9 + [{TABLE}]


async def test_a_lease_that_ran_out_is_anybodys(log: EventLog) -> None:
    await log.leases.claim([TABLE], "ada", LONG)
    await log.leases.claim([OTHER], "ada", LONG)
    assert await log.leases.claim([TABLE], "ada", 0) == {TABLE}
    assert await log.leases.abandoned() == [TABLE]
    assert await log.leases.claim([TABLE, OTHER], "ben", LONG) == {TABLE}
    assert await log.leases.abandoned() == []


async def test_what_was_released_needs_nobody(log: EventLog) -> None:
    await log.leases.claim([TABLE], "ada", 0)
    await log.leases.release(TABLE, "ada")
    await log.leases.release(TABLE, "ada")
    assert await log.leases.abandoned() == []
    assert await log.leases.claim([TABLE], "ben", LONG) == {TABLE}


async def test_only_its_holder_releases_a_lease(log: EventLog) -> None:
    await log.leases.claim([TABLE], "ada", 0)
    await log.leases.release(TABLE, "ben")
    assert await log.leases.abandoned() == [TABLE]


async def test_the_abandoned_are_listed_within_a_limit(log: EventLog) -> None:
    streams = {f"table/{i}" for i in range(9)}
    await log.leases.claim(streams, "ada", 0)
    assert len(set(await log.leases.abandoned(4))) == 4
    assert set(await log.leases.abandoned()) == streams


@pytest.mark.parametrize("written", [False, True])
async def test_deleting_a_stream_ends_its_lease(log: EventLog, written: bool) -> None:
    if written:
        await write(log, TABLE, 1)
    await log.leases.claim([TABLE], "ada", 0)
    await log.delete(TABLE)
    assert await log.leases.abandoned() == []
    assert await log.leases.claim([TABLE], "ben", LONG) == {TABLE}


# The embedded store, over restarts and in what it writes


async def test_what_was_owned_when_the_process_ended_is_abandoned(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.leases.claim([TABLE, OTHER, "table/deleted", "table/over"], "ada", LONG)
    await write(log, "table/deleted", 1)
    await log.delete("table/deleted")
    await log.leases.release("table/over", "ada")
    await log.leases.release(OTHER, "ada")
    await log.leases.claim([OTHER], "ada", LONG)
    await log.close()
    log = await SqliteLog.open(tmp_path)
    assert set(await log.leases.abandoned()) == {TABLE, OTHER}
    assert await log.leases.claim([TABLE], "ben", LONG) == {TABLE}
    await log.leases.release(TABLE, "ben")
    await log.close()
    log = await SqliteLog.open(tmp_path)
    assert await log.leases.abandoned() == [OTHER]
    await log.close()


async def test_a_first_claim_is_committed_with_the_first_append_and_others_not_at_all(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    commits: list[str] = []
    log._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    before = sys.getswitchinterval()
    sys.setswitchinterval(
        30
    )  # the writer gets the interpreter when the loop has nothing more to do, as it does idle
    try:
        await asyncio.gather(
            log.leases.claim([TABLE], "ada", LONG), log.append(TABLE, ZERO, batch(ZERO, b"first"))
        )
    finally:
        sys.setswitchinterval(before)
    assert len(commits) == 1
    for _ in range(3):
        assert await log.leases.claim([TABLE], "ada", LONG) == {TABLE}
        assert await log.leases.claim([TABLE], "ben", LONG) == set()
    assert len(commits) == 1
    await log.close()


async def test_a_claim_that_cannot_be_written_owns_nothing(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.leases.claim([OTHER], "ada", LONG)
    (pages,) = log._connection.execute("PRAGMA page_count").fetchone()
    log._connection.execute(f"PRAGMA max_page_count = {pages}")
    full = [f"table/{'x' * 4000}{number}" for number in range(3)]
    with pytest.raises(LogUnavailable, match="full"):
        await log.leases.claim(full, "ada", LONG)
    log._connection.execute("PRAGMA max_page_count = 1000000")
    assert await log.leases.claim(full, "ben", LONG) == set(full)
    await log.close()
    log = await SqliteLog.open(tmp_path)
    assert set(await log.leases.abandoned()) == {OTHER, *full}
    await log.close()


async def test_a_lease_runs_out_by_the_clock_of_the_store() -> None:
    now = 0.0
    leases = LocalLeases(lambda: now)
    await leases.claim([TABLE], "ada", 10)
    now = 9.9
    assert await leases.claim([TABLE], "ben", 10) == set()
    assert await leases.claim([TABLE], "ada", 10) == {TABLE}
    now = 19.8
    assert await leases.abandoned() == []
    now = 19.9
    assert await leases.abandoned() == [TABLE]
