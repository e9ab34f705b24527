"""The server dies in mid-turn, again and again, and whoever reads comes back to the next one on the same directory."""

import asyncio
import random
import signal
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.events import Entry
from protocol.transcript import fold
from tests.server_process import Server, plain, serving, whole

Ended = e.TurnCompleted | e.TurnFailed | e.TurnCancelled
# Each death is in another turn, which lasts two seconds: it is still under way when the signal arrives.
DEATHS, TURNS = 3, 5
WORDS, RATE = 40, 20
READERS = 100


def panel(words: int, rate: float) -> list[dict[str, Any]]:
    """Two who count."""
    options = {"text": " ".join(map(str, range(words))), "rate": rate}
    return [{"name": name, "model": "scripted:x", "options": options} for name in ("Ada", "Ben")]


async def read_until_it_dies(server: Server, table: str, seen: list[Entry], how: signal.Signals) -> str:
    """Read on from what was seen, send the signal in mid-turn, and take all that still comes; the turn."""
    turn, heard = "", 0
    async for entry in server.entries(table, seen[-1].cursor if seen else ZERO):
        seen.append(entry)
        match entry.event:
            case e.TurnStarted():
                turn, heard = entry.event.turn, 0
            case e.TurnDelta() if turn:
                heard += 1
                if heard == 5:
                    server.signal(how)
    return turn


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_a_table_outlives_its_server(tmp_path: Path, how: signal.Signals) -> None:
    table, seen, interrupted = "", list[Entry](), list[str]()
    for _ in range(DEATHS):
        async with serving(tmp_path) as server:
            table = table or await server.convene(panel=panel(WORDS, RATE), limits={"max_turns": TURNS})
            interrupted.append(await read_until_it_dies(server, table, seen, how))
            assert await server.ended() == (-how if how == signal.SIGKILL else 0)
    async with serving(tmp_path) as server:
        seen += await whole(server, table, seen[-1].cursor)
        log = await whole(server, table)
        told = await server.transcript(table)

    assert seen == log
    assert [entry.cursor.seq for entry in log] == list(range(1, len(log) + 1))
    assert sum(isinstance(entry.event, e.TermBegan) for entry in log) == DEATHS + 1
    check_turns([entry.event for entry in log], interrupted)
    transcript = fold(log)
    assert (transcript.status, transcript.ended_reason) == ("closed", "max_turns")
    assert told == plain(transcript)


def check_turns(events: list[e.Event], interrupted: list[str]) -> None:
    """Every turn that began ended once, with what it had said; those that were cut, and no others, as such."""
    said = {event.turn: "" for event in events if isinstance(event, e.TurnStarted)}
    for event in events:
        if isinstance(event, e.TurnDelta):
            said[event.turn] += event.text
    ends = [event for event in events if isinstance(event, Ended)]
    assert [event.turn for event in ends] == list(said) == [f"t{number}" for number in range(1, TURNS + 1)]
    assert [event.text for event in ends] == list(said.values())
    cut = [event for event in ends if isinstance(event, e.TurnFailed)]
    assert [(event.turn, event.error.code) for event in cut] == [
        (turn, "interrupted") for turn in interrupted
    ]
    assert all(said[turn] for turn in interrupted)
    assert all(len(said[event.turn].split()) == WORDS for event in ends if isinstance(event, e.TurnCompleted))


async def test_what_was_answered_before_a_kill_is_done_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        table = await server.convene(panel=panel(WORDS, RATE), limits={"max_turns": 1})
        answer = await server.say(table, "key", "And the children?")
        server.signal(signal.SIGKILL)
        await server.ended()
    async with serving(tmp_path) as server:
        assert await server.say(table, "key", "And the children?") == answer
        transcript = fold(await whole(server, table))
    assert [posted.text for posted in transcript.messages] == ["And the children?"]


async def test_readers_who_come_and_go_at_any_cursor_miss_nothing_and_hear_nothing_twice(
    tmp_path: Path,
) -> None:
    dice = random.Random(7)
    log: list[Entry] = []
    reading: list[tuple[Cursor, asyncio.Task[list[Entry]]]] = []
    async with serving(tmp_path) as server, asyncio.TaskGroup() as readers:
        table = await server.convene(panel=panel(150, rate=50), limits={"max_turns": 2})
        async for entry in server.entries(table):
            log.append(entry)
            for _ in range(2 if len(reading) < READERS else 0):  # so all have come well before the table ends
                start, count = dice.choice(log).cursor, dice.randint(1, 20)
                reading.append((start, readers.create_task(in_parts(server, table, start, count))))
        assert len(reading) == READERS
        for start, task in reading:
            assert await task == log[start.seq :]
    assert [entry.cursor.seq for entry in log] == list(range(1, len(log) + 1))


async def in_parts(server: Server, table: str, after: Cursor, count: int) -> list[Entry]:
    """Read so many entries, hang up, and read the rest from there."""
    read: list[Entry] = []
    async with aclosing(server.entries(table, after)) as entries:
        async for entry in entries:
            read.append(entry)
            if len(read) == count:
                break
    return read + await whole(server, table, read[-1].cursor if read else after)
