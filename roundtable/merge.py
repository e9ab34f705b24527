"""Fair merge of the turns that speak at the same time: deficit round robin over bounded buffers.

A fast model cannot starve a slow one, and a full buffer stops pulling from its provider. Fairness is in
characters, as the log shows it: while several have words waiting, none gets a quantum ahead of another.
Source: Shreedhar and Varghese, "Efficient Fair Queueing using Deficit Round Robin", 1995.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from protocol.events import Event, TurnDelta, TurnEvent, TurnThinking, TurnTool

# Characters one turn may be ahead of another: about a sentence.
QUANTUM = 256
# Characters that one turn may have waiting before its provider is read no further. A second of the fastest
# hosted models is about 8,000.
MAX_WAITING = 16_384


class Happened(NamedTuple):
    """An event of a turn and when it happened, Unix seconds."""

    at: float
    event: TurnEvent


def weight(event: Event) -> int:
    """What an event counts in fairness and in a buffer: its characters, and one for being an event."""
    match event:
        case TurnDelta() | TurnThinking():
            return 1 + len(event.text)
        case TurnTool():
            return 1 + len(event.arguments)
        case _:
            return 1


class Source:
    """One turn's way into the merge."""

    def __init__(self, arrived: asyncio.Event) -> None:
        self.waiting: deque[Happened] = deque()
        self.deficit = 0
        self._weight = 0
        self._arrived = arrived
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, item: Happened) -> None:
        """Hand over one event; waits while `MAX_WAITING` characters have not been taken."""
        await self._room.wait()
        self.waiting.append(item)
        self._weight += weight(item.event)
        if self._weight >= MAX_WAITING:
            self._room.clear()
        self._arrived.set()

    def pop(self) -> Happened:
        item = self.waiting.popleft()
        self._weight -= weight(item.event)
        if self._weight < MAX_WAITING:
            self._room.set()
        return item


class Merge:
    """Many sources, one reader, who waits for `arrived` and clears it before taking."""

    def __init__(self, arrived: asyncio.Event) -> None:
        self.arrived = arrived
        self._turns: deque[Source] = deque()

    def open(self) -> Source:
        """A new source; it is forgotten when it is `close`d and empty."""
        source = Source(self.arrived)
        self._turns.append(source)
        return source

    def close(self, source: Source) -> None:
        self._turns.remove(source)

    def take(self, budget: int) -> list[Happened]:
        """Up to about `budget` characters, in fair order; the rotation goes on where it stopped."""
        taken: list[Happened] = []
        while budget > 0 and any(source.waiting for source in self._turns):
            source = self._turns[0]
            source.deficit = source.deficit + QUANTUM if source.waiting else 0
            while source.waiting and weight(source.waiting[0].event) <= source.deficit:
                item = source.pop()
                source.deficit -= weight(item.event)
                budget -= weight(item.event)
                taken.append(item)
            self._turns.rotate(-1)
        if any(source.waiting for source in self._turns):
            self.arrived.set()
        return taken


def coalesce(items: Iterable[Happened]) -> list[Happened]:
    """Consecutive words of one turn become one event that remembers each part's length and time."""
    result: list[Happened] = []
    run: list[Happened] = []
    for item in items:
        if run and not _continues(run[-1].event, item.event):
            result.append(_joined(run))
            run = []
        run.append(item)
    if run:
        result.append(_joined(run))
    return result


def _continues(before: Event, after: Event) -> bool:
    if isinstance(before, TurnDelta) and isinstance(after, TurnDelta):
        return (before.turn, before.attempt) == (after.turn, after.attempt)
    if isinstance(before, TurnThinking) and isinstance(after, TurnThinking):
        return (before.turn, before.attempt) == (after.turn, after.attempt)
    return False


def _joined(run: list[Happened]) -> Happened:
    first = run[0]
    if len(run) == 1:
        return first
    parts = [(item.at, item.event.text) for item in run if isinstance(item.event, TurnDelta | TurnThinking)]
    chunks = [(len(text), max(0, round((at - first.at) * 1000))) for at, text in parts]
    assert isinstance(first.event, TurnDelta | TurnThinking)
    return Happened(first.at, replace(first.event, text="".join(text for _, text in parts), chunks=chunks))
