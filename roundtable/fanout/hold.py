"""Words that wait for those that follow them, so that they go out together: for seconds, and within a bound.

Whatever is no word goes at once, and takes what waits along; so does what nobody is shown, if no word waits.
"""

import asyncio
from collections.abc import Callable, Sequence

from roundtable.fanout.encoding import items
from roundtable.fanout.framing import View
from roundtable.fanout.stages import Item, is_word
from roundtable.log.base import Record

# What may wait, so that nobody is given more at once than in a run of the past. Bytes of entries.
MAX_WAITING = 64 * 1024

Give = Callable[[Sequence[Record], Sequence[Item]], None]


class Hold:
    """`give` gets the records that are offered, with their items, each once and in order."""

    def __init__(self, view: View, seconds: float, give: Give) -> None:
        self._view, self._seconds, self._give = view, seconds, give
        self._loop = asyncio.get_running_loop()
        self._records = list[Record]()
        self._items = list[Item]()
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, records: Sequence[Record]) -> None:
        """Records that follow the last ones offered."""
        for record in records:
            made = items(self._view, record)
            self._records.append(record)
            self._items += made
            self._size += len(record.body)
            shown = [item for item in made if item.shown]
            urgent = not all(map(is_word, shown)) or (not shown and self._timer is None)
            if urgent or self._size > MAX_WAITING:
                self.flush()
            elif self._timer is None:
                self._timer = self._loop.call_later(self._seconds, self.flush)

    def flush(self) -> None:
        """Give what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._records:
            records, told = self._records, self._items
            self._records, self._items, self._size = [], [], 0
            self._give(records, told)
