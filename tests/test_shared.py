"""A stream that any node may append to, on every store."""

import asyncio
from functools import partial
from itertools import pairwise

from protocol import codec
from protocol.cursor import ZERO
from protocol.system import EventPosted
from roundtable.hosting.shared import Shared
from roundtable.log.base import EventLog, Record
from tests.tables import AT
from tests.test_log import log

__all__ = ["log"]  # the fixture over all stores
NAME = "platform/builds"
EACH = 20


def posted(name: str) -> list[EventPosted]:
    return [EventPosted(name=name)]


async def whole(log: EventLog) -> list[Record]:
    return await log.read(NAME, 0)


async def test_what_nodes_append_at_once_stands_whole_in_one_order(log: EventLog) -> None:
    heard: dict[str, list[Record]] = {"ada": [], "ben": [], "cleo": []}
    clocks = {"ada": AT, "ben": AT - 3600, "cleo": AT + 60}  # an hour behind, a minute ahead
    nodes = {node: Shared(log, NAME, partial(clocks.__getitem__, node), heard[node].append) for node in heard}

    async def work(node: str) -> None:
        for number in range(EACH):
            await nodes[node].add(partial(posted, f"{node}-{number}"))

    await asyncio.gather(*map(work, nodes))
    records = await whole(log)
    assert [record.cursor.seq for record in records] == list(range(1, 3 * EACH + 1))
    assert all(one.cursor < other.cursor for one, other in pairwise(records))
    entries = [codec.decode_body(*record) for record in records]
    assert all(one.at <= other.at for one, other in pairwise(entries))
    for node, shared in nodes.items():
        await shared.catch_up()
        assert heard[node] == records
        own = [record.body for record in records if f'"{node}-'.encode() in record.body]
        assert [f'"{node}-{number}"'.encode() in body for number, body in enumerate(own)] == [True] * EACH


async def test_who_decides_sees_what_others_wrote_first(log: EventLog) -> None:
    one, other = (Shared(log, NAME, lambda: AT) for _ in range(2))

    def only_first(shared: Shared) -> list[EventPosted]:
        return [] if shared.last.seq else posted("first")

    await asyncio.gather(*(shared.add(partial(only_first, shared)) for shared in (one, other)))
    assert len(await whole(log)) == 1


async def test_a_stream_that_begins_again_does_so_under_a_later_term(log: EventLog) -> None:
    lost = 0

    def forget() -> None:
        nonlocal lost
        lost += 1

    one, other = Shared(log, NAME, lambda: AT), Shared(log, NAME, lambda: AT - 60, lost=forget)
    await one.add(lambda: posted("old"))
    await other.catch_up()
    (old,) = await whole(log)
    await one.renew()
    assert (await whole(log), one.last) == ([], ZERO)
    await other.add(lambda: posted("new"))
    (new,) = await whole(log)
    assert new.cursor > old.cursor
    assert not await log.has(NAME, old.cursor)
    assert lost == 1
