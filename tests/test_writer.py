"""The pen of a table: legal events only, in batches that any store takes, each once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol import events as e
from protocol.errors import Conflict, IllegalMove
from roundtable.log.base import MAX_BATCH_BYTES, Outcome, Record
from roundtable.log.sqlite import SqliteLog
from roundtable.table.writer import Writer
from tests.tables import AT, opened, until

STREAM = "table/test"


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(tmp_path)
    yield log
    await log.close()


def started(log: SqliteLog) -> Writer:
    writer = Writer(STREAM, log, lambda: AT)
    writer.begin_term("test")
    writer.note(opened()[1])
    return writer


def post(writer: Writer, number: int, text: str) -> None:
    writer.note(e.MessagePosted(message=f"m{number}", author="Host", text=text))


async def test_what_is_too_much_for_one_append_goes_in_several(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    append = log.append

    async def measured(stream: str, expected: object, batch: list[Record]) -> Outcome:
        sizes.append(sum(len(record.body) for record in batch))
        return await append(stream, expected, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "append", measured)
    writer = started(log)
    for number in range(1, 9):
        post(writer, number, "x" * (MAX_BATCH_BYTES // 3))
    post(writer, 9, "x" * (2 * MAX_BATCH_BYTES))
    await writer.commit()
    assert len(sizes) > 3
    assert all(size <= MAX_BATCH_BYTES for size in sizes[:-1])  # the last is one entry, larger than any batch
    found = await until(log, STREAM, lambda table: len(table.messages) == 9)
    assert [message.message for message in found.messages] == [f"m{number}" for number in range(1, 10)]


async def test_an_illegal_event_is_written_nowhere(log: SqliteLog) -> None:
    writer = started(log)
    with pytest.raises(IllegalMove):
        writer.note(e.TableResumed(reason="command"))
    post(writer, 1, "Still here.")
    await writer.commit()
    last = await log.last(STREAM)
    assert last is not None
    assert last.cursor.seq == 3


async def test_one_pen_at_a_time(log: SqliteLog) -> None:
    first = started(log)
    await first.commit()
    second = Writer(STREAM, log, lambda: AT, await until(log, STREAM, lambda table: table.topic))
    second.begin_term("other")
    await second.commit()
    post(first, 1, "Too late.")
    with pytest.raises(Conflict):
        await first.commit()
