"""Moving a library: every stream of one log into another, record for record, each at its own cursor.

Either may be in use. A stream is copied as far as it went when its turn came; the tables come first, so an inbox is
never behind what its table has acted on: whoever goes on in the copy finds every command that was acted on, and acts
on those that came later. What is there already is compared and kept: a copy that was interrupted is continued by
another, and nothing is ever overwritten. Checkpoints are left out, as they are caches. So are tables off the record.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from protocol import codec
from protocol.cursor import ZERO
from protocol.errors import Conflict, LogDamaged, LogError
from roundtable.log.base import EventLog, Record
from roundtable.log.split import is_off_record

# Every kind of stream that is kept, in the order in which they are copied.
KINDS = ("table", "inbox", "platform")
# Names asked for at a time, and records: the bytes of a page are bounded by the log.
PAGE = 1000
# After so many refusals the target is another library, and not this one with a few tables gone on.
MAX_REFUSED = 100


class Refusal(NamedTuple):
    """A stream that was not copied, or not to its end, and why in a sentence."""

    stream: str
    detail: str


class Copied(msgspec.Struct, frozen=True):
    """How far a copy is. `streams` of `total` are in the target whole, `already` of them were there before; `records`
    and `size` (bytes of bodies) were written now."""

    total: int = 0
    streams: int = 0
    already: int = 0
    records: int = 0
    size: int = 0
    refused: tuple[Refusal, ...] = ()


Progress = Callable[[Copied], None]


async def copy(
    source: EventLog,
    target: EventLog,
    progress: Progress = lambda _: None,
    kinds: Sequence[str] = KINDS,
) -> Copied:
    """Copy all streams of `kinds`, each read again in the target and compared; `progress` hears of every page.

    A stream that differs in the target, or that cannot be read, is `refused` by name and costs no other. Tables that
    are not closed need an owner in the target when all is there. Raises `LogUnavailable`: then try again.
    """
    return await _Copy(source, target, progress).run(kinds)


class _Copy:
    def __init__(self, source: EventLog, target: EventLog, progress: Progress) -> None:
        self._source, self._target, self._progress = source, target, progress
        self._copied = Copied()

    async def run(self, kinds: Sequence[str]) -> Copied:
        for kind in kinds:
            async for page in _names(self._source, kind):
                self._note(total=len(page))
        for kind in kinds:
            async for page in _names(self._source, kind):
                for stream in page:
                    await self._attempt(stream)
        async for page in _names(self._source, "table"):
            await self._hand_over(page)
        return self._copied

    async def _attempt(self, stream: str) -> None:
        try:
            await self._stream(stream)
        except (Conflict, LogDamaged) as error:
            refused = (*self._copied.refused, Refusal(stream, error.detail))
            self._copied = msgspec.structs.replace(self._copied, refused=refused)
            self._note()
            if len(refused) == MAX_REFUSED:
                raise LogError(
                    f"{MAX_REFUSED} streams could not be copied; the first: {refused[0].detail}"
                ) from error

    async def _stream(self, stream: str) -> None:
        last, there = await self._source.last(stream), await self._target.last(stream)
        if last is None:
            return  # deleted since it was listed
        end, begun = last.cursor, there.cursor if there else ZERO
        common = min(begun.seq, end.seq)
        ours, theirs = hashlib.sha256(), hashlib.sha256()
        await _digest(self._source, stream, 0, common, ours)
        await _digest(self._target, stream, 0, common, theirs)
        if ours.digest() != theirs.digest():
            raise Conflict(f"{stream} is there already, and goes on differently.")
        after = begun
        async for page in _pages(self._source, stream, begun.seq, end.seq):
            await self._target.append(stream, after, page)
            _add(ours, page)
            after = page[-1].cursor
            self._note(records=len(page), size=sum(len(record.body) for record in page))
        if after.seq < end.seq:
            await self._stopped(stream, new=there is None)
            return
        await _digest(self._target, stream, common, end.seq, theirs)
        if ours.digest() != theirs.digest():
            raise LogDamaged(f"{stream} reads differently in the copy.")
        self._note(streams=1, already=int(after == begun))

    async def _stopped(self, stream: str, *, new: bool) -> None:
        """The source ended early: deleted while it was read, it shall not live on here."""
        if await self._source.last(stream) is not None:
            raise LogDamaged(f"{stream} has lost records while it was copied.")
        if new:
            await self._target.delete(stream)

    async def _hand_over(self, tables: Iterable[str]) -> None:
        """Leave those that are not closed abandoned, for the next owner to go on with. Not those that it owns already,
        and not those that are here in part: once gone on with, they could not be completed."""
        partial = {_id(refusal.stream) for refusal in self._copied.refused}
        lasts = [(table, await self._target.last(table)) for table in tables if _id(table) not in partial]
        left = [table for table, last in lasts if last and not _closes(last.body)]
        await self._target.leases.claim(left, "copy", 0)

    def _note(self, **more: int) -> None:
        grown = {name: getattr(self._copied, name) + count for name, count in more.items()}
        self._copied = msgspec.structs.replace(self._copied, **grown)
        self._progress(self._copied)


def _id(stream: str) -> str:
    return stream.partition("/")[2]


def _closes(body: bytes) -> bool:
    try:
        return codec.body_type(body) == b"table.closed"
    except LogDamaged:
        return False  # its owner will say what it is


async def _names(log: EventLog, kind: str) -> AsyncIterator[list[str]]:
    """Page by page, newest first: what comes while we read is newer, and not seen."""
    before = ""
    while page := await log.streams(kind, before=before, limit=PAGE):
        yield [name for name in page if not is_off_record(name)]
        before = page[-1]


async def _pages(log: EventLog, stream: str, after: int, end: int) -> AsyncIterator[list[Record]]:
    """The records after `after` up to and with `end`, as far as there are any."""
    while after < end and (page := await log.read(stream, after, limit=min(PAGE, end - after))):
        yield page
        after = page[-1].cursor.seq


async def _digest(log: EventLog, stream: str, after: int, end: int, digest: "hashlib._Hash") -> None:
    async for page in _pages(log, stream, after, end):
        _add(digest, page)


def _add(digest: "hashlib._Hash", records: Iterable[Record]) -> None:
    for cursor, body in records:
        digest.update(b"%d-%d %d\n" % (cursor.term, cursor.seq, len(body)))
        digest.update(body)
