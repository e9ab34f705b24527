"""Fair merge of the turns that speak at the same time: deficit round robin over bounded buffers.

A fast model cannot starve a slow one, and a full buffer stops pulling from its provider. Over any stretch of the log
in which two turns both have words waiting, neither gets more than `QUANTUM` tokens ahead of the other.
Source: Shreedhar and Varghese, "Efficient Fair Queueing using Deficit Round Robin", 1995.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from protocol.events import Event, TurnDelta, TurnEvent, TurnThinking, TurnTool

# Tokens that one turn may get ahead of another, both having words waiting: some three sentences.
QUANTUM = 64
# Tokens a turn gets each time round, and the most in one event: two turns are apart by at most one `_GRANT` and the
# deficits of both, at the beginning and at the end; each is less than one event.
_GRANT, _LARGEST = QUANTUM // 2, QUANTUM // 4
# Characters that one turn may have waiting before its provider is read no further. A second of the fastest
# hosted models is about 8,000.
MAX_WAITING = 16_384
# Few tokens of any vocabulary have more characters.
_LONG = 16


class Happened(NamedTuple):
    """An event of a turn and when it happened, Unix seconds."""

    at: float
    event: TurnEvent


def tokens(text: str) -> int:
    """Tokens in what a provider sent at once, at the least: one, one a word, one for every 16 characters.

    Exact where each chunk is a token or whole words, as most vendors send them; a model's own count comes too late.
    """
    return max(1, len(text.split()), len(text) // _LONG)


def pieces(text: str) -> list[str]:
    """The text in parts that are small enough for one event each; nearly always it is one."""
    if tokens(text) <= _LARGEST:
        return [text]
    step = 2 * _LARGEST  # every word takes two characters, its own and the space before it
    return [text[at : at + step] for at in range(0, len(text), step)]


def _text(event: Event) -> str:
    match event:
        case TurnDelta() | TurnThinking():
            return event.text
        case TurnTool():
            return event.arguments
        case _:
            return ""


class Source:
    """One turn's way into the merge."""

    def __init__(self, arrived: asyncio.Event) -> None:
        self.waiting: deque[tuple[int, Happened]] = deque()  # with its tokens
        self.deficit = 0
        self._characters = 0
        self._closed = False
        self._arrived = arrived
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, item: Happened) -> None:
        """Hand over one event, its text one of `pieces`; waits while `MAX_WAITING` characters have not been taken.

        Once the source is closed it goes nowhere.
        """
        await self._room.wait()
        if self._closed:
            return
        text = _text(item.event)
        self.waiting.append((tokens(text), item))
        self._characters += 1 + len(text)
        if self._characters >= MAX_WAITING:
            self._room.clear()
        self._arrived.set()

    def pop(self) -> Happened:
        _, item = self.waiting.popleft()
        self._characters -= 1 + len(_text(item.event))
        if self._characters < MAX_WAITING:
            self._room.set()
        return item

    def close(self) -> None:
        """Forget what waits, and let nobody wait."""
        self._closed = True
        self.waiting.clear()
        self._room.set()


class Merge:
    """Many sources, one reader, who waits for `arrived` and clears it before taking."""

    def __init__(self, arrived: asyncio.Event) -> None:
        self.arrived = arrived
        self._turns: deque[Source] = deque()

    def open(self) -> Source:
        """A new source, until it is closed."""
        source = Source(self.arrived)
        self._turns.append(source)
        return source

    def close(self, source: Source) -> None:
        """Take nothing more from this source; what waits there is dropped."""
        self._turns.remove(source)
        source.close()

    def take(self, characters: int) -> list[Happened]:
        """Up to about so many characters, in fair order; the rotation goes on where it stopped."""
        taken: list[Happened] = []
        while characters > 0 and any(source.waiting for source in self._turns):
            for item in self._visit(self._turns[0]):
                characters -= 1 + len(_text(item.event))
                taken.append(item)
            self._turns.rotate(-1)
        if any(source.waiting for source in self._turns):
            self.arrived.set()
        return taken

    @staticmethod
    def _visit(source: Source) -> Iterator[Happened]:
        source.deficit += _GRANT
        while source.waiting and source.waiting[0][0] <= source.deficit:
            source.deficit -= source.waiting[0][0]
            yield source.pop()
        if not source.waiting:
            source.deficit = 0  # who has nothing to say saves nothing up


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
