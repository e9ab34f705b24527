"""One viewer's own stream: at a pace of his own, or of several sources under one composite cursor; or a document of it.

He is pulled along, not pushed: nothing is dropped, and what he does not take is left where it is, in the log.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, NamedTuple

import msgspec

from protocol import codec
from protocol.cursor import ZERO, Cursor
from protocol.errors import Invalid, LogError, NotFound
from roundtable.edge.streams.resources import Resource
from roundtable.edge.wires.sse import HEARTBEAT, Wire, come_back
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.combining import Combination, Cursors
from roundtable.fanout.encoding import items
from roundtable.fanout.framing import Framing, View
from roundtable.fanout.lines import Lines
from roundtable.fanout.outlet import Outlet
from roundtable.fanout.reading import Reading
from roundtable.fanout.stages import Item
from roundtable.fanout.transform import Flow, Pacer, coalesced, enriched, paced

# A document without a `limit` holds so many entries, and ends soon after so many bytes or entries looked at: a page
# that is made in some ten milliseconds.
LIMIT, MAX_BYTES, MAX_LOOKED_AT = 100, 1024 * 1024, 20_000

_LINES = Lines()
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Asked(NamedTuple):
    """A resource, the name it is shown under, and the cursor to go on after (None: now)."""

    name: str
    resource: Resource
    after: Cursor | None


Line = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        description="An entry as a line of `ndjson` has it; or a `reset`, which has no `id`.",
        extra_json_schema={
            "type": "object",
            "properties": {"id": {"type": "string"}, "type": {"type": "string"}, "at": {"type": "number"}},
            "required": ["type"],
        },
    ),
]


class Document(msgspec.Struct, frozen=True):
    """What there is after a cursor: entries as lines of `ndjson` are, the `cursor` to go on after, whether that is the
    end of all, and if not the address that goes on there."""

    entries: list[Line]
    cursor: str
    ended: bool
    next: str | None = None


class _Source:
    """One of a viewer's streams; no `reading` if it was deleted. `reason` is why it ended, once all of it was given."""

    def __init__(self, asked: Asked, view: View, reading: Reading | None) -> None:
        self.name, self.view = asked.name, view
        self._stream, _, self._broadcast = asked.resource
        self.reason: str | None = None if reading else "deleted"
        self.start: Cursor = reading.cursor if reading else (asked.after or ZERO)
        self.was_reset = False
        self.rest: list[Item] = []  # of an entry that was left within
        self._reading = reading

    @property
    def tip(self) -> Cursor:
        """The last entry there is."""
        return self._reading.tip if self._reading else self.start

    @property
    def over(self) -> bool:
        """Whether the viewer has all of it already."""
        ended = self.reason is not None or (self._reading is not None and self._reading.ended)
        return ended and not self.rest and not self.was_reset

    @property
    def spectators(self) -> int:
        """How many watch on this node."""
        return self._broadcast.spectators(self._stream)

    def flow(self, pacer: Pacer | None, *, live: bool) -> Flow:
        """Everything that follows; without `live` what there is now."""
        flow = self._items(apart=pacer is not None and pacer.by_token, live=live)
        stages = self.view.stages
        if stages and stages.hold:
            flow = coalesced(flow, stages.hold)
        if stages and stages.extras:
            flow = enriched(flow, stages.extras, stages.ledger)
        return paced(flow, pacer) if pacer else flow

    async def _items(self, *, apart: bool, live: bool) -> Flow:
        for item in self.rest:
            yield item
        reading, view = self._reading, self.view
        while reading and self.reason is None and (reading.behind or (live and not reading.ended)):
            for record in await reading.take():
                for item in items(view, record, view.parts if apart else None):
                    yield item
                if view.ends and (reason := view.ends(record)) is not None:
                    self.reason = reason
                    return
        if reading and reading.ended:
            self.reason = self.reason or reading.reason


class Viewer:
    """`opened` by whoever serves one; then `show` it or make a `document`, once."""

    def __init__(self, sources: Sequence[_Source], pacer: Pacer | None, *, several: bool) -> None:
        self._sources, self._pacer, self._several = sources, pacer, several
        self._places = Cursors(tuple(source.start for source in sources))

    @property
    def over(self) -> bool:
        """Whether he has everything there will ever be."""
        return all(source.over for source in self._sources)

    async def show(self, outlet: Outlet, wire: Wire, framing: Framing) -> None:
        """Send everything that follows, to the end, or to where this node cannot read on."""
        try:
            await outlet.send(framing.wrap((wire.hello or self._beat(framing)) + self._greeting(framing)))
            try:
                await self._follow(outlet, framing)
                last = framing.mark(self._place) + framing.notice(b"end", codec.encode(self._end()))
            except LogError:
                last = wire.retry(come_back())
            await outlet.send(framing.wrap(last))
        except ConnectionError:
            pass

    async def document(self, limit: int | None) -> Document:
        """What there is, up to `limit` entries. Raises `LogError`."""
        entries, looked_at, size, is_all = self._resets(), 0, 0, False
        limit = len(entries) + (limit or LIMIT)
        async with Combination([source.flow(None, live=False) for source in self._sources]) as all_of_it:
            while not is_all and len(entries) < limit and size < MAX_BYTES and looked_at < MAX_LOOKED_AT:
                batch = await all_of_it.take()
                is_all, looked_at = not batch, looked_at + len(batch)
                for number, item in batch:
                    if len(entries) == limit:
                        break
                    if frame := self._tell(_LINES, number, item, gone=all_of_it.deleted(number)):
                        entries.append(frame)
                        size += len(frame)
        ended = is_all and all(source.reason is not None for source in self._sources)
        return Document([msgspec.Raw(entry) for entry in entries], str(self._place), ended)

    async def _follow(self, outlet: Outlet, framing: Framing) -> None:
        clock = asyncio.get_running_loop().time
        beat_at = clock() + HEARTBEAT
        flows = [source.flow(self._pacer, live=True) for source in self._sources]
        async with Combination(flows) as combination:
            while True:
                if clock() >= beat_at:
                    await outlet.send(framing.wrap(self._beat(framing) + framing.mark(self._place)))
                    beat_at = clock() + HEARTBEAT
                try:
                    async with asyncio.timeout_at(beat_at):
                        batch = await combination.take()
                except TimeoutError:
                    continue
                if not batch:
                    return
                frames = b"".join(
                    [self._tell(framing, at, item, gone=combination.deleted(at)) for at, item in batch]
                )
                if frames:
                    await outlet.send(framing.wrap(frames))
                    beat_at = clock() + HEARTBEAT

    @property
    def _place(self) -> Cursor | Cursors:
        return self._places if self._several else self._places.each[0]

    def _tell(self, framing: Framing, number: int, item: Item | None, *, gone: bool) -> bytes:
        """The frame of what a source gives, and the viewer moves on. Nothing if it is not shown."""
        if item is None:
            return self._ended(framing, number, gone=gone)
        self._places = self._places.moved(number, item.cursor)
        if not item.shown:
            return b""
        data = _labelled(item.data, self._sources[number].name) if self._several else item.data
        return framing.frame(self._place, item.event, data)

    def _ended(self, framing: Framing, number: int, *, gone: bool) -> bytes:
        source = self._sources[number]
        source.reason = "deleted" if gone else source.reason
        if not self._several or source.reason is None:
            return b""
        told = {
            "type": "source.ended",
            "source": source.name,
            "cursor": str(self._places.each[number]),
            "reason": source.reason,
        }
        return framing.notice(b"source.ended", codec.encode(told))

    def _greeting(self, framing: Framing) -> bytes:
        """What those are told first whose place is gone."""
        resets = self._resets()
        return b"".join(framing.notice(b"reset", told) for told in resets) + (
            framing.mark(self._place) if resets else b""
        )

    def _resets(self) -> list[bytes]:
        return [
            codec.encode(
                {"type": "reset"}
                | ({"source": source.name} if self._several else {})
                | {"reason": "unknown_cursor", "cursor": str(source.start)}
            )
            for source in self._sources
            if source.was_reset
        ]

    def _beat(self, framing: Framing) -> bytes:
        tips = Cursors(tuple(source.tip for source in self._sources))
        told: dict[str, object] = {"type": "hb", "head": str(tips if self._several else tips.each[0])}
        if not self._several:
            told["spectators"] = self._sources[0].spectators
        return framing.notice(b"hb", codec.encode(told))

    def _end(self) -> dict[str, object]:
        reason = "sources" if self._several else self._sources[0].reason
        return {"type": "end", "cursor": str(self._place), "reason": reason}


@asynccontextmanager
async def opened(asked: Sequence[Asked], pacer: Pacer | None, *, several: bool) -> AsyncIterator[Viewer]:
    """A viewer of these, one more spectator of each. Raises `NotFound` and `LogError`."""
    async with AsyncExitStack() as stack:
        yield Viewer([await _open(stack, each) for each in asked], pacer, several=several)


async def _open(stack: AsyncExitStack, asked: Asked) -> _Source:
    (name, view, broadcast), after = asked.resource, asked.after
    try:
        reading, was_reset = await _read(stack, broadcast, name, after)
    except NotFound:
        if not asked.name or after is None or after == ZERO:
            raise
        return _Source(asked, view, None)  # it was there, so the others go on
    rest = list[Item]()
    if after and after.part and after.seq and not was_reset:
        rest = items(view, await reading.here(), view.parts)[after.part :]
        if not rest:
            (reading, _), was_reset = await _read(stack, broadcast, name, None), True
    view, finish = await broadcast.prepared(name, view)
    source = _Source(asked, view, reading)
    source.was_reset, source.rest = was_reset, rest
    if finish and source.start.seq >= finish.cursor.seq and not rest:
        source.reason = finish.reason
    return source


async def _read(
    stack: AsyncExitStack, broadcast: Broadcast, name: str, after: Cursor | None
) -> tuple[Reading, bool]:
    """A reading after the cursor; or after now, if the stream does not hold that, and then it is a reset."""
    whole = after and Cursor(after.term, after.seq)
    try:
        return await stack.enter_async_context(broadcast.reading(name, whole)), False
    except Invalid as error:
        if error.code != "unknown_cursor":
            raise
    return await stack.enter_async_context(broadcast.reading(name, None)), True


def _labelled(data: bytes, source: str) -> bytes:
    """The data with `source`, which says where it comes from and nothing else, whatever a tool calls its members."""
    if b'"source"' in data:
        members = _members.decode(data)
        members.pop("source", None)
        data = codec.encode(members)
    return data[:-1] + b',"source":' + codec.encode(source) + b"}"
