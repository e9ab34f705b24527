"""How many read each stream on all nodes that share a Redis: told by each, forgotten when it stops telling."""

from collections import defaultdict
from collections.abc import Mapping

from roundtable.log import redis_scripts as scripts
from roundtable.log.redis_connection import Pool
from roundtable.log.redis_keys import Partition, partition

# How long a node's word counts: long enough for three repetitions, so that one that is slow is not forgotten, and
# short enough for people not to wonder who is watching. Seconds.
COUNTS_FOR = 30.0


async def count(pool: Pool, readers: Mapping[str, int], node: str) -> dict[str, int]:
    """As `EventLog.count`, in one round trip."""
    grouped: dict[Partition, list[str]] = defaultdict(list)
    for stream in readers:
        grouped[partition(stream)].append(stream)
    milliseconds = int(COUNTS_FOR * 1000)
    answers = await pool.ask_all(
        [
            scripts.COUNT(
                tuple(map(home.here, names)), node, milliseconds, *(readers[name] for name in names)
            )
            for home, names in grouped.items()
        ]
    )
    return {
        name: int(found)
        for names, answer in zip(grouped.values(), answers, strict=True)
        for name, found in zip(names, answer, strict=True)
    }
