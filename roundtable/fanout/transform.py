"""Stages of a flow of items, for whoever pulls: filter, coalesce, enrich, pace, format. Each takes a flow and is one.

    told(records, FULL) -> filtered(..., types=["turn.*"]) -> coalesced(..., 0.25) -> paced(..., Pacer(events=2))

What a stage does not show it passes on, so that a reader's place and what is known of the stream never depend on the
order. Closing the last stage closes all. What a channel does for many, `stages` does for it: one code, two speeds.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from typing import Generic, TypeVar

import msgspec

from protocol import codec
from roundtable.fanout import stages
from roundtable.fanout.encoding import items, wire
from roundtable.fanout.framing import Framing, View
from roundtable.fanout.hold import MAX_WAITING
from roundtable.fanout.ledger import Ledger
from roundtable.fanout.stages import Extra, Item, is_word
from roundtable.log.base import Record

T = TypeVar("T")
Flow = AsyncGenerator[Item]


async def told(records: AsyncIterable[Record], view: View, *, apart: bool = False) -> Flow:
    """What a view holds of records, frame by frame; `apart`: in the parts that its entries were made of."""
    async for record in records:
        for item in items(view, record, view.parts if apart else None):
            yield item


async def filtered(flow: Flow, *, types: Sequence[str] = (), panelists: Sequence[str] = ()) -> Flow:
    """Only what `stages.admitting` admits is shown."""
    admits = stages.admitting(types, panelists)
    async with aclosing(flow):
        async for item in flow:
            for each in stages.filtered([item], admits):
                yield each


async def enriched(flow: Flow, extras: Sequence[Extra], ledger: Ledger | None = None) -> Flow:
    """With what is known at each place. Without a `ledger` of the stream it counts from the flow's beginning on."""
    ledger = ledger or Ledger()
    async with aclosing(flow):
        async for item in flow:
            ledger.extend(item.cursor.seq, item.data)
            for each in stages.enriched([item], extras, ledger):
                yield each


async def coalesced(flow: Flow, seconds: float) -> Flow:
    """Words of one speaker that follow each other within `seconds` go together; nothing else waits."""
    clock = asyncio.get_running_loop().time
    waiting, size, due = list[Item](), 0, 0.0
    async with _Spells(flow) as spells:
        while True:
            try:
                item = await spells.next(max(0.0, due - clock()) if waiting else None)
            except TimeoutError:
                item, urgent = None, True
            else:
                if item is None:
                    break
                urgent = (item.shown and not is_word(item)) or (not item.shown and not waiting)
                due = due if waiting else clock() + seconds
                waiting.append(item)
                size += len(item.data)
            if urgent or size > MAX_WAITING:
                for each in stages.merged(waiting):
                    yield each
                waiting, size = [], 0
        for each in stages.merged(waiting):
            yield each


class Pacer:
    """So many events, or tokens, a second at the most; who shares one shares them. Nothing is dropped: it waits."""

    def __init__(self, *, events: float | None = None, tokens: float | None = None) -> None:
        self._events, self._tokens = events, tokens
        self._due = 0.0

    @property
    def by_token(self) -> bool:
        """Whether words are best told apart again."""
        return self._tokens is not None

    async def turn(self, item: Item) -> None:
        """Until it may be shown."""
        if not item.shown:
            return
        clock = asyncio.get_running_loop().time
        start = max(clock(), self._due)
        self._due = start + max(
            1 / self._events if self._events else 0.0, tokens(item) / self._tokens if self._tokens else 0.0
        )
        if (wait := start - clock()) > 0:
            await asyncio.sleep(wait)


async def paced(flow: Flow, pacer: Pacer) -> Flow:
    """No faster than `pacer` lets it."""
    async with aclosing(flow):
        async for item in flow:
            await pacer.turn(item)
            yield item


async def formatted(flow: Flow, framing: Framing) -> AsyncGenerator[bytes]:
    """What is shown as frames, each with its cursor."""
    async with aclosing(flow):
        async for item in flow:
            if item.shown:
                yield wire(framing, [item])


class _Spoken(msgspec.Struct):
    chunks: list[msgspec.Raw] = []


_spoken = msgspec.json.Decoder(_Spoken)


def tokens(item: Item) -> int:
    """Tokens in a frame, as its provider sent them: each chunk of words is one, and each step; others are none."""
    if not is_word(item):
        return int(item.event == b"step")
    try:
        return max(1, len(_spoken.decode(item.data).chunks))
    except codec.UNREADABLE:
        return 1


class _Spells(Generic[T]):
    """The next of a flow, waited for in spells: when one is over nothing is lost. Closes the flow."""

    def __init__(self, flow: AsyncGenerator[T]) -> None:
        self._flow = flow
        self._asked: asyncio.Task[T | None] | None = None

    async def __aenter__(self) -> "_Spells[T]":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.gather(self._asked, return_exceptions=True)
        await self._flow.aclose()

    async def next(self, seconds: float | None) -> T | None:
        """The next, None at the end. Raises `TimeoutError`."""
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_task(self._next())
        await asyncio.wait([self._asked], timeout=seconds)
        if not self._asked.done():
            raise TimeoutError
        asked, self._asked = self._asked, None
        return asked.result()

    async def _next(self) -> T | None:
        return await anext(self._flow, None)
