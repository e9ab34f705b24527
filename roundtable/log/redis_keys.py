"""Where what lies: `rt:{NN}:...`, with the number of a partition as hash tag.

rt:{NN}:log:NAME    the stream itself: entry ID `term-seq`, one field `b`
rt:{NN}:fold:NAME   its newest checkpoint: the cursor, a line feed, the body
rt:{NN}:here:NAME   hash: node -> how many read the stream there, and until when that counts; gone 30 s after the last
rt:{NN}:names       sorted set, all scores 0: the names of the streams
rt:{NN}:leases      sorted set: name -> when its lease runs out, Unix milliseconds
rt:{NN}:holders     hash: name -> who holds the lease
rt:{NN}:deleted     stream of the names deleted last, for the tails of every node
rt:{NN}:wake:NODE   what ends a node's own blocked XREAD; gone by itself after a minute
rt:format           the number of all this; see redis_format.py
"""

import zlib
from typing import NamedTuple

# Never to be changed, as keys in use depend on it. One blocked connection per node and partition is bearable at 16,
# and one partition then sees 1/16 of the wake-ups.
PARTITIONS = 16


class Partition(NamedTuple):
    """One of the `PARTITIONS`; all keys of a stream lie in one, so that scripts and XREAD stay within a slot."""

    number: int

    @property
    def names(self) -> str:
        return f"{self}names"

    @property
    def leases(self) -> tuple[str, str]:
        """When leases run out, and who holds them."""
        return f"{self}leases", f"{self}holders"

    @property
    def deleted(self) -> str:
        return f"{self}deleted"

    def log(self, stream: str) -> str:
        return f"{self}log:{stream}"

    def fold(self, stream: str) -> str:
        return f"{self}fold:{stream}"

    def here(self, stream: str) -> str:
        return f"{self}here:{stream}"

    def wake(self, node: str) -> str:
        return f"{self}wake:{node}"

    def __str__(self) -> str:
        return f"rt:{{{self.number:02}}}:"


ALL = tuple(Partition(number) for number in range(PARTITIONS))


def partition(stream: str) -> Partition:
    """The stream's own. CRC-32, as it is the same in every language and version; Python's `hash` is not."""
    return ALL[zlib.crc32(stream.encode()) % PARTITIONS]
