"""The shared store, put together: one Redis (or Valkey) for any number of nodes.

`redis_connection` reaches it, `redis_facts` looks at it first, `redis_writer` appends, `redis_reader` asks,
`redis_follower` and `redis_tail` follow; `redis_scripts` is what happens inside it, `redis_keys` where things lie.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Self

from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict
from roundtable.log import redis_audience, redis_facts, redis_format
from roundtable.log import redis_scripts as scripts
from roundtable.log.base import MAX_BATCH_BYTES, Checkpoint, Outcome, Record, Tail
from roundtable.log.batch import check
from roundtable.log.redis_connection import DEADLINE, Address, Link, Pool, command
from roundtable.log.redis_follower import Follower
from roundtable.log.redis_keys import Partition, partition
from roundtable.log.redis_leases import RedisLeases
from roundtable.log.redis_reader import Reader, entry_id
from roundtable.log.redis_tail import RedisTail
from roundtable.log.redis_wire import Arg
from roundtable.log.redis_writer import Writer

# What an append costs in memory beside the bodies it carries, so that many small ones are bounded too. Bytes.
_OVERHEAD = 256


class RedisLog:
    """An `EventLog` in Redis Streams. What was acknowledged is as safe as the server keeps it.

    With `appendonly yes` it survives the death of the server's process; `appendfsync everysec`, the default, may lose
    a second to a power cut, and a failover what had not reached the replica. Then streams end earlier: the next
    owner begins a new term, and readers whose cursor is gone are told `reset`.
    """

    def __init__(self, address: Address, deadline: float) -> None:
        self._address = address
        self._deadline = deadline
        self._node = secrets.token_hex(8)
        self._pool = Pool(address, deadline)
        self._reader = Reader(self._pool)
        self._writer = Writer(Link(address, deadline), address.name)
        self._followers: dict[Partition, Follower] = {}
        self._tails: set[RedisTail] = set()
        self.leases = RedisLeases(self._pool)

    @classmethod
    async def open(cls, url: str, *, volatile: bool = False, deadline: float = DEADLINE) -> Self:
        """Connect and make sure that the server is fit. `deadline` in seconds bounds every exchange with it.

        Raises `Invalid` for the URL and `LogUnavailable` for the server, in a sentence that says what to do.
        `volatile` accepts a server that may lose what it was given: no append-only file, or one that evicts.
        """
        log = cls(Address.parse(url), deadline)
        try:
            redis_facts.check(await log._pool.ask(command("INFO")), log._address.name, volatile=volatile)
            await redis_format.settle(log._pool)
            await log._try_out()
        except BaseException:
            await log.close()
            raise
        return log

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        """As `EventLog.append`. Cancelled while it waits, it may still be written.

        After `LogUnavailable` the outcome is unknown: trying the same batch again settles it.
        """
        batch = tuple(batch)
        check(expected, batch)
        home = partition(stream)
        args: list[Arg] = [part for at, body in batch for part in (entry_id(at), body)]
        size = sum(len(record.body) + _OVERHEAD for record in batch)
        append = scripts.APPEND((home.log(stream), home.names), stream, entry_id(expected), *args)
        match await self._writer.submit(append, size):
            case 1:
                return "appended"
            case 2:
                return "already"
            case bytes(last):
                raise Conflict(f"{stream} ends at {last.decode()}, not at {expected}.")
            case other:
                raise AssertionError(f"the append script answered {other!r}")

    async def delete(self, stream: str) -> None:
        """As `EventLog.delete`. Copies on replicas go with it; the append-only file forgets when it is rewritten."""
        home = partition(stream)
        keys = (home.log(stream), home.fold(stream), home.names, *home.leases, home.deleted)
        await self._pool.ask(scripts.DELETE(keys, stream))

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        """As `EventLog.save_checkpoint`; that of a stream which is gone is dropped."""
        home, at = partition(stream), checkpoint.cursor
        await self._pool.ask(
            scripts.SAVE((home.log(stream), home.fold(stream)), at.term, at.seq, checkpoint.body)
        )

    async def last(self, stream: str) -> Record | None:
        return await self._reader.last(stream)

    async def has(self, stream: str, cursor: Cursor) -> bool:
        return cursor == ZERO or await self._reader.has(stream, cursor)

    async def read(
        self, stream: str, after_seq: int, *, limit: int = 1000, max_bytes: int = MAX_BATCH_BYTES
    ) -> list[Record]:
        """As `EventLog.read`; a gap raises `LogDamaged`."""
        return await self._reader.page(stream, after_seq, limit, max_bytes)

    async def streams(self, kind: str, *, before: str = "", limit: int = 100) -> list[str]:
        return await self._reader.streams(kind, before, limit)

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        return await self._reader.checkpoint(stream)

    async def count(self, readers: Mapping[str, int], node: str) -> dict[str, int]:
        return await redis_audience.count(self._pool, readers, node) if readers else {}

    async def tail(self) -> Tail:
        tail = RedisTail(self._reader, self._follower, self._tails.discard)
        self._tails.add(tail)
        return tail

    async def close(self) -> None:
        """As `EventLog.close`; ends all tails. Closing twice is no error."""
        await self._writer.close()
        for tail in tuple(self._tails):
            await tail.close()
        for follower in self._followers.values():
            await follower.close()
        await self._pool.close()

    def _follower(self, stream: str) -> Follower:
        home = partition(stream)
        follower = self._followers.get(home)
        if follower is None:
            follower = Follower(home, self._node, Link(self._address, self._deadline), self._pool)
            self._followers[home] = follower
        return follower

    async def _try_out(self) -> None:
        """Write, read and delete a stream, so that a missing right or room shows now and not at the first table."""
        stream = f"probe/{self._node}"
        await self.append(stream, ZERO, [Record(Cursor(1, 1), b"")])
        try:
            await self.read(stream, 0)
            await self._pool.ask(command("XREAD", "STREAMS", partition(stream).log(stream), "0-0"))
        finally:
            await self.delete(stream)
