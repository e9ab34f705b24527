"""Reading: what is asked of Redis, and what its answers say."""

from collections.abc import Iterable
from typing import NamedTuple

from protocol.cursor import Cursor
from roundtable.log import redis_scripts as scripts
from roundtable.log.base import Checkpoint, Record
from roundtable.log.redis_connection import Command, Pool, command
from roundtable.log.redis_errors import damaged
from roundtable.log.redis_keys import ALL, partition

# Entries that a page asks for before it knows how large they are: eight of the largest are 64 MiB.
FIRST_STEP = 8


class Joined(NamedTuple):
    """A stream at one moment: whether the cursor asked for exists, where the stream ends, and the ID of the newest
    notice of a deletion in its partition."""

    there: bool
    last: Cursor
    noticed: Cursor


def cursor(id: bytes) -> Cursor:
    """An entry's place; our cursor is its ID."""
    term, _, seq = id.partition(b"-")
    return Cursor(int(term), int(seq))


def entry_id(at: Cursor) -> str:
    """The entry's ID; a reader's place within an entry is no part of it."""
    return f"{at.term}-{at.seq}"


def records(entries: Iterable[tuple[bytes, list[bytes]]]) -> list[Record]:
    """What XREAD brought. An entry of somebody else's is passed on as it is: its place cannot be dense, and that
    is what readers look at."""
    return [Record(cursor(id), fields[1]) for id, fields in entries]


class Reader:
    """Asks through `pool`. All methods raise `LogUnavailable` and `LogDamaged`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._at = pool.address.name

    async def last(self, stream: str) -> Record | None:
        """As `EventLog.last`."""
        key = partition(stream).log(stream)
        entries = await self._pool.ask(command("XREVRANGE", key, "+", "-", "COUNT", 1))
        if not entries:
            return None
        [(id, fields)] = entries
        at = cursor(id)
        if at.seq == 0 or not _ours(
            fields
        ):  # 0: an ID of Redis's own making; the next owner would count from it
            raise damaged(self._at, f"entry {at} of {stream} is not ours")
        return Record(at, fields[1])

    async def has(self, stream: str, at: Cursor) -> bool:
        """As `EventLog.has`, for any cursor but ZERO."""
        return bool(await self._pool.ask(scripts.HAS((partition(stream).log(stream),), entry_id(at))))

    async def page(self, stream: str, after_seq: int, limit: int, max_bytes: int) -> list[Record]:
        """As `EventLog.read`; a gap raises `LogDamaged`."""
        key = partition(stream).log(stream)
        start: bytes | None = await self._pool.ask(scripts.LOCATE((key,), after_seq))
        if start is None:
            return []
        page = await self._page(key, start.decode(), limit, max_bytes) if start else None
        if page is None or (page and page[0].cursor.seq != after_seq + 1):
            raise damaged(self._at, f"{stream} has a gap after {after_seq}")
        return page

    async def after(self, stream: str, at: Cursor, limit: int, max_bytes: int) -> list[Record]:
        """A page from the cursor on, dense in itself. It does not follow `at` densely if the store lost something."""
        return await self._page(partition(stream).log(stream), f"({entry_id(at)}", limit, max_bytes)

    async def _page(self, key: str, start: str, limit: int, max_bytes: int) -> list[Record]:
        """XRANGE knows no bound in bytes, so it goes in steps, by what the records so far lead to expect."""
        page: list[Record] = []
        size, step = 0, FIRST_STEP
        while len(page) < limit and size < max_bytes:
            step = min(step, limit - len(page))
            entries = await self._pool.ask(command("XRANGE", key, start, "+", "COUNT", step))
            for id, fields in entries:
                at, body = cursor(id), fields[1]
                size += len(body)
                if page and (size > max_bytes or at.seq != page[-1].cursor.seq + 1 or not _ours(fields)):
                    return page  # what is wrong is met again by whoever asks for what comes next
                if not _ours(fields):
                    raise damaged(self._at, f"entry {at} of {key} is not ours")
                page.append(Record(at, body))
            if len(entries) < step:
                break
            start = f"({entry_id(page[-1].cursor)}"
            step = 1 + min(4 * step, (max_bytes - size) * len(page) // (size + 1))
        return page

    async def join(self, stream: str, after: Cursor) -> Joined:
        """What a tail must know to follow from `after` on."""
        home = partition(stream)
        answer = await self._pool.ask(scripts.JOIN((home.log(stream), home.deleted), entry_id(after)))
        return Joined(bool(answer[0]), cursor(answer[1]), cursor(answer[2]))

    async def streams(self, kind: str, before: str, limit: int) -> list[str]:
        """As `EventLog.streams`."""
        # Names of a kind lie between "kind/" and "kind0", as "0" is the character after "/".
        end = min(before or f"{kind}0", f"{kind}0")
        answers = await self._pool.ask_all([_listing(home.names, f"{kind}/", end, limit) for home in ALL])
        names = (name.decode(errors="replace") for answer in answers for name in answer)
        return sorted(names, reverse=True)[:limit]

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        """As `EventLog.checkpoint`."""
        answer: bytes | None = await self._pool.ask(command("GET", partition(stream).fold(stream)))
        if answer is None:
            return None
        at, _, body = answer.partition(b"\n")
        try:
            return Checkpoint(cursor(at), body)
        except ValueError:
            return None  # not ours; a checkpoint can always be made again


def _ours(fields: list[bytes]) -> bool:
    return len(fields) == 2 and fields[0] == b"b"


def _listing(key: str, after: str, before: str, limit: int) -> Command:
    return command("ZREVRANGEBYLEX", key, f"({before}", f"({after}", "LIMIT", 0, limit)
