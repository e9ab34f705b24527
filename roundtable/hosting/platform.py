"""What other applications tell: each posts events to a stream of its own (`platform/NAME`), and anyone follows."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import msgspec

from protocol import codec, system
from protocol.cursor import Cursor
from protocol.errors import Invalid, KeyReused, LogDamaged, NotFound, WrongState
from protocol.system import PLATFORM, EventPosted
from roundtable.hosting.convening import MAX_DEPTH, too_deep
from roundtable.hosting.shared import Shared
from roundtable.log.base import EventLog, Record
from roundtable.log.split import is_off_record

MAX_EVENT = 64 * 1024
"""Bytes of one event as JSON."""
MAX_EVENTS = 10_000
"""Events of one stream. Whoever tells more begins another stream, or deletes this one and begins it again."""
MAX_BYTES = 16 * 1024 * 1024
"""Of all events of one stream: what a node reads to know which keys were used."""
MAX_STREAMS = 256
"""Of one server: with `MAX_BYTES`, 4 GiB of its disk at the most."""
# Streams remembered, so that an event does not read all that came before it: digests of 10,000 keys are 2 MB.
HELD = 32

NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}", re.ASCII)
_TYPE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:/-]{0,99}", re.ASCII)


class Post(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event to be posted: a type of the application's own, and any JSON."""

    type: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_TYPE.pattern}$"})]
    data: Any = None


class PlatformLine(msgspec.Struct, frozen=True):
    """A stream in a line; `at` is when its last event was posted, in Unix seconds."""

    name: str
    events: int
    cursor: str
    at: float


class PlatformPage(msgspec.Struct, frozen=True):
    """By name, descending; those that are damaged by their names alone. `next` is null on the last page."""

    streams: list[PlatformLine]
    unreadable: list[str]
    next: str | None


class _Told(NamedTuple):
    place: Cursor
    digest: bytes


class Platform:
    """All methods may raise `LogUnavailable`."""

    def __init__(self, log: EventLog, clock: Callable[[], float]) -> None:
        self._log, self._clock = log, clock
        self._held: OrderedDict[str, _Posts] = OrderedDict()

    async def post(self, name: str, key: str, post: Post) -> Cursor:
        """The event's place, also when the same one was posted before under this key.

        Raises `Invalid`, `KeyReused` when it was another, `WrongState` when the stream or the server is full.
        """
        event = _event(name, key, post)
        posts = self._posts(name)
        await posts.stream.catch_up()
        if not posts.stream.last.seq and len(await self._names("", MAX_STREAMS)) >= MAX_STREAMS:
            raise WrongState(
                f"There are {MAX_STREAMS} streams of applications, and no room for another; delete one.",
                code="platform_full",
            )
        return await posts.add(key, event)

    async def delete(self, name: str) -> None:
        """Remove the stream for good; who follows it is sent away. Raises `NotFound`."""
        if await self._log.last(stream(name)) is None:
            raise NotFound(f"There is no stream {name[:40]!r}.")
        await self._log.delete(stream(name))  # what is held of it finds that out, and remembers its last term

    async def page(self, before: str, limit: int) -> PlatformPage:
        """At most `limit` streams, those before `before` if it is given."""
        names = await self._names(before, limit + 1)  # one more tells whether there is a next page
        found, unreadable = list[PlatformLine](), list[str]()
        for each in names[:limit]:
            name = each.partition("/")[2]
            try:
                if last := await self._log.last(each):  # else it was deleted meanwhile
                    at = codec.decode_body(*last).at
                    found.append(PlatformLine(name, last.cursor.seq, str(last.cursor), at))
            except LogDamaged:  # one that cannot be read must not cost the list
                unreadable.append(name)
        more = len(names) > limit
        return PlatformPage(found, unreadable, names[limit - 1].partition("/")[2] if more else None)

    async def _names(self, before: str, limit: int) -> list[str]:
        return await self._log.streams(PLATFORM, before=stream(before) if before else "", limit=limit)

    def _posts(self, name: str) -> "_Posts":
        posts = self._held.get(name) or _Posts(self._log, name, self._clock)
        self._held[name] = posts
        self._held.move_to_end(name)
        if len(self._held) > HELD:
            self._held.popitem(last=False)
        return posts


class _Posts:
    """One stream: its keys, and its size in bytes."""

    def __init__(self, log: EventLog, name: str, clock: Callable[[], float]) -> None:
        self.stream = Shared(log, stream(name), clock, self._note, self._forget)
        self._forget()

    async def add(self, key: str, event: EventPosted) -> Cursor:
        digest = _digest(event)

        def decide() -> list[EventPosted]:
            if told := self._keys.get(key):
                if told.digest != digest:
                    raise KeyReused(f"The key {key!r} was used before for another event; use a new one.")
                return []
            if self.stream.last.seq >= MAX_EVENTS or self._size >= MAX_BYTES:
                raise WrongState(
                    f"This stream is full: it takes {MAX_EVENTS:,} events or {MAX_BYTES >> 20} MiB. "
                    "Begin another, or delete it.",
                    code="stream_full",
                )
            return [event]

        await self.stream.add(decide)
        return self._keys[key].place

    def _note(self, record: Record) -> None:
        self._size += len(record.body)
        try:
            event = system.decode(record.body)
        except LogDamaged:
            return  # it costs itself, and not what is posted after it
        if isinstance(event, EventPosted) and event.key:
            self._keys[event.key] = _Told(record.cursor, _digest(event))

    def _forget(self) -> None:
        self._keys: dict[str, _Told] = {}
        self._size = 0


def stream(name: str) -> str:
    """The stream of that name."""
    return f"{PLATFORM}/{name}"


def _event(name: str, key: str, post: Post) -> EventPosted:
    if not NAME.fullmatch(name) or is_off_record(name):
        raise Invalid(
            "A stream's name has 1 to 64 of the characters A-Z a-z 0-9 . _ - and begins with a letter or a digit.",
            field="name",
        )
    if not _TYPE.fullmatch(post.type):
        raise Invalid(
            "A type has 1 to 100 of the characters A-Z a-z 0-9 . _ : / - and begins with a letter or a digit.",
            field="type",
        )
    if too_deep(post.data):
        raise Invalid(f"Data is nested at most {MAX_DEPTH} deep.", field="data")
    event = EventPosted(name=post.type, data=post.data, key=key)
    if len(codec.encode(event)) > MAX_EVENT:
        raise Invalid(f"An event has at most {MAX_EVENT >> 10} KiB.", field="data", code="event_too_large")
    return event


def _digest(event: EventPosted) -> bytes:
    return hashlib.sha256(codec.encode([event.name, event.data])).digest()
