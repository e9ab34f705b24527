"""Row 6: how long a table's viewers wait when its owner is killed (-9), from the kill to the next owner's first word.

Every entry a viewer sees over all the kills is held against the log: nothing lost, doubled or reordered.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from protocol import events as e
from protocol.events import Entry
from protocol.transcript import fold
from tests.bench.figures import Figure
from tests.bench.processes import redis
from tests.cluster import Cluster, cluster, counting
from tests.server_process import whole

KILLS = 20
# Seconds: what the issue of a table's viewers is told. The median and the worst have the same bound.
GOAL = 3.0
# Words: a turn lasts far longer than a node lives here.
PANEL = [counting(name, words=400, rate=40) for name in ("Ada", "Ben", "Cleo")]


def measure(_: int) -> Iterator[Figure]:
    """Seconds."""
    with tempfile.TemporaryDirectory() as folder, redis(Path(folder)) as store:
        waits = asyncio.run(_kill(Path(folder), f"unix://{store}"))
    yield Figure(f"viewers' wait over {KILLS} kills, beside the goal", "s", waits, [GOAL], 1.0)
    yield Figure("the longest of them", "s", [max(waits)], [GOAL], 1.0)


async def _kill(folder: Path, url: str) -> list[float]:
    async with cluster(folder, url, 2, quiet=True) as nodes:
        table = await nodes.nodes[0].convene(panel=PANEL, limits={"max_turns": KILLS + 1})
        seen, waits = await _watch(nodes, table)
        if seen != (log := await whole(nodes.nodes[0], table)):
            raise RuntimeError(f"{len(seen)} entries were seen, {len(log)} are in the log, and they differ")
    if [entry.cursor.seq for entry in log] != list(range(1, len(log) + 1)):
        raise RuntimeError("the log has a gap")
    cut = [turn.status for turn in fold(log).turns].count("failed")
    print(
        f"{len(log)} entries in {len(waits) + 1} terms, {cut} turns cut, seen as they are logged", flush=True
    )
    return waits


async def _watch(nodes: Cluster, table: str) -> tuple[list[Entry], list[float]]:
    seen: list[Entry] = []
    waits: list[float] = []
    owner, heard, killed = nodes.nodes[0], 0, 0.0
    async for entry in nodes.watch(table):
        seen.append(entry)
        if isinstance(entry.event, e.TermBegan):
            owner, heard = nodes.owner(entry), 0
        if isinstance(entry.event, e.TurnDelta):
            heard += 1
            if heard == 1 and killed:
                waits.append(time.monotonic() - killed)
            if heard == 5:
                killed = await _next(nodes, owner, table, last=len(waits) == KILLS)
    return seen, waits


async def _next(nodes: Cluster, owner: object, table: str, *, last: bool) -> float:
    """Kill the owner, with another node ready; or, after the last time, end the table. When that was."""
    node = next(node for node in nodes.nodes if node is owner)
    if last:
        await node.command(table, "end", type="close")
        return time.monotonic()
    await nodes.add()
    now = time.monotonic()  # the signal is the first that `kill` does
    await nodes.kill(node)
    return now
