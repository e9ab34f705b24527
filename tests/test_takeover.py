"""A table's owner dies, freezes or leaves, and another node goes on; on real processes and a real Redis."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol import events as e
from protocol.events import Entry
from protocol.transcript import fold
from tests.cluster import Cluster, cluster, counting
from tests.redis_server import RedisServer
from tests.server_process import plain, whole

# `python -m tests.bench takeover` does it twenty times, and says how long each took.
DEATHS = 4
WORDS, RATE = 60, 20
PANEL = [counting("Ada", WORDS, RATE), counting("Ben", WORDS, RATE)]


@pytest.fixture
async def nodes(tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, redis_server.url, 2) as nodes:
        yield nodes


async def test_kill_9_of_the_owner_loses_doubles_and_reorders_nothing(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    # All are there from the start: a viewer who waited for one to start would come too late to the next turn.
    async with cluster(tmp_path, redis_server.url, DEATHS + 2) as nodes:
        table = await nodes.nodes[0].convene(panel=PANEL, limits={"max_turns": DEATHS + 1})
        seen: list[Entry] = []
        owner, heard, deaths = nodes.nodes[0], 0, 0
        async for entry in nodes.watch(table):
            seen.append(entry)
            if isinstance(entry.event, e.TermBegan):
                owner, heard = nodes.owner(entry), 0
            heard += isinstance(entry.event, e.TurnDelta)
            if heard == 5 and deaths < DEATHS:
                deaths += 1
                await nodes.kill(owner)  # in the middle of a turn
        check(seen, await whole(nodes.nodes[0], table), terms=DEATHS + 1, interrupted=DEATHS)
        told = await asyncio.gather(*(node.transcript(table) for node in nodes.nodes))
        assert told == [plain(fold(seen))] * 2


async def test_an_owner_that_slept_past_its_lease_finds_its_append_refused(nodes: Cluster) -> None:
    table = await nodes.nodes[0].convene(panel=PANEL, limits={"max_turns": 2})
    asleep, awake = nodes.nodes
    seen: list[Entry] = []
    async for entry in awake.entries(table):
        seen.append(entry)
        terms = sum(isinstance(known.event, e.TermBegan) for known in seen)
        if terms == 1 and isinstance(entry.event, e.TurnDelta):
            asleep.signal(signal.SIGSTOP)
        if terms == 2 and isinstance(entry.event, e.TurnDelta):
            asleep.signal(signal.SIGCONT)  # it has words to say, and a term that is over
    check(seen, await whole(asleep, table), terms=2, interrupted=1)
    assert {term for term, _ in places(seen)} == {seen[0].cursor.term, seen[-1].cursor.term}


async def test_a_node_that_is_stopped_hands_its_tables_over_at_once(nodes: Cluster) -> None:
    table = await nodes.nodes[0].convene(panel=PANEL, limits={"max_turns": 2})
    seen: list[Entry] = []
    async for entry in nodes.watch(table):
        seen.append(entry)
        if len(nodes.nodes) == 2 and isinstance(entry.event, e.TurnDelta):
            await nodes.kill(nodes.nodes[0], signal.SIGTERM)
    check(seen, await whole(nodes.nodes[0], table), terms=2, interrupted=1)


async def test_any_node_takes_a_command_and_the_owner_acts_on_it(nodes: Cluster) -> None:
    owner, other = nodes.nodes
    table = await owner.convene(panel=PANEL, limits={"max_turns": 1})
    answers = await asyncio.gather(
        *(node.say(table, "key", "And the children?") for node in (other, owner, other))
    )
    assert [answer["outcome"] for answer in answers] == ["done"] * 3
    assert len({answer["cursor"] for answer in answers}) == 1
    seen = await whole(other, table)
    check(seen, await whole(owner, table), terms=1, interrupted=0)
    assert [posted.text for posted in fold(seen).messages] == ["And the children?"]


async def test_tables_outlive_the_death_of_their_store(nodes: Cluster, redis_server: RedisServer) -> None:
    table = await nodes.nodes[0].convene(panel=PANEL, limits={"max_turns": 2})
    seen: list[Entry] = []
    async for entry in nodes.nodes[1].follow(table):
        seen.append(entry)
        if sum(isinstance(known.event, e.TurnDelta) for known in seen) == 5 and isinstance(
            entry.event, e.TurnDelta
        ):
            redis_server.kill()
            redis_server.start()
    check(
        seen, await whole(nodes.nodes[0], table), terms=len({term for term, _ in places(seen)}), interrupted=0
    )


async def test_a_table_deleted_at_one_node_is_gone_at_all(nodes: Cluster) -> None:
    owner, other = nodes.nodes
    table = await owner.convene(panel=PANEL)
    async for entry in owner.entries(table):  # to the end, which the deletion is
        if isinstance(entry.event, e.TurnDelta) and entry.event.text.strip() == "5":
            await other.delete(table)
    assert [await node.status(table) for node in nodes.nodes] == [404, 404]


def places(entries: list[Entry]) -> list[tuple[int, int]]:
    return [(entry.cursor.term, entry.cursor.seq) for entry in entries]


def check(seen: list[Entry], log: list[Entry], *, terms: int, interrupted: int) -> None:
    """What was seen is what the log holds: dense, in order, every turn ended once, and so many were cut."""
    assert seen == log
    assert [entry.cursor.seq for entry in log] == list(range(1, len(log) + 1))
    assert sum(isinstance(entry.event, e.TermBegan) for entry in log) == terms
    table = fold(log)  # which refuses an end without a beginning, and a second one
    assert table.status == "closed"
    assert [turn.status for turn in table.turns].count("failed") == interrupted
    assert {turn.error.code for turn in table.turns if turn.error} <= {"interrupted"}
    assert not table.of("queued", "started")
    for turn in table.turns:
        said = "".join(
            entry.event.text
            for entry in log
            if isinstance(entry.event, e.TurnDelta) and entry.event.turn == turn.turn
        )
        assert said == turn.text
