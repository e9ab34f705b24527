"""The embedded store is killed (SIGKILL) while it writes, again and again: what it acknowledged is there.

Run as a program, this file is the writer that gets killed: `test_log_crash.py DIR`.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.cursor import ZERO, Cursor
from protocol.errors import LogUnavailable
from roundtable.log.base import Record
from roundtable.log.sqlite import SqliteLog

STREAMS = [f"table/{i}" for i in range(6)]
# How many acknowledgements each life lasts: from its very first commit to the middle of its stride.
LIVES = [1, 40, 3, 700, 150, 2000]


async def live(directory: Path) -> None:
    log = await SqliteLog.open(directory)
    await asyncio.gather(*(append_forever(log, stream) for stream in STREAMS))


async def append_forever(log: SqliteLog, stream: str) -> None:
    """Write batches of 1 to 7 whose records know the batch's last seq; print each once acknowledged."""
    last = await log.last(stream)
    after = last.cursor if last else ZERO
    term = after.term + 1
    while True:
        end = after.seq + 1 + after.seq % 7
        batch = [Record(Cursor(term, seq), b"%d %d" % (seq, end)) for seq in range(after.seq + 1, end + 1)]
        await log.append(stream, after, batch)
        after = batch[-1].cursor
        os.write(1, f"{stream} {after}\n".encode())


def start(directory: Path) -> "subprocess.Popen[bytes]":
    root = Path(__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, __file__, str(directory)],
        stdout=subprocess.PIPE,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )


def kill_after(writer: "subprocess.Popen[bytes]", count: int) -> list[str]:
    """Let it live for `count` acknowledgements; all that it managed to print, in the end."""
    assert writer.stdout
    with writer.stdout as printed:
        try:
            seen = [printed.readline() for _ in range(count)]
        finally:
            writer.kill()
            writer.wait()
        seen += printed.readlines()
    return [line.decode().strip() for line in seen if line.endswith(b"\n")]


async def verify(directory: Path, acknowledged: dict[str, Cursor]) -> None:
    log = await SqliteLog.open(directory)  # so the dead hold no lock
    for stream in STREAMS:
        records: list[Record] = []
        while page := await log.read(stream, len(records)):
            records += page
        assert await log.has(stream, acknowledged.get(stream, ZERO))
        seqs, ends = (
            zip(*(map(int, record.body.split()) for record in records), strict=True) if records else ((), ())
        )
        assert list(seqs) == [record.cursor.seq for record in records] == list(range(1, len(records) + 1))
        assert not ends or ends[-1] == len(records), "a batch was written in part"
    await log.close()


def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    acknowledged: dict[str, Cursor] = {}
    for count in LIVES:
        printed = kill_after(start(tmp_path), count)
        assert len(printed) >= count
        for line in printed:
            stream, cursor = line.split()
            acknowledged[stream] = Cursor.parse(cursor)
        asyncio.run(verify(tmp_path, acknowledged))
    assert set(acknowledged) == set(STREAMS)


def test_a_second_process_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    writer = start(tmp_path)
    try:
        assert writer.stdout
        writer.stdout.readline()  # it writes, so it has the lock
        with pytest.raises(LogUnavailable) as refusal:
            asyncio.run(SqliteLog.open(tmp_path))
    finally:
        kill_after(writer, 0)
    assert refusal.value.detail == (
        f"Another roundtable process (pid {writer.pid}) is using {tmp_path}. Stop it or choose another --data."
    )


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1])))
