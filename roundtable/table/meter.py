"""What the turns under way use while they speak, held against what the limits leave: past the cap nobody goes on.

A provider counts at the end, so until then we do, and a turn's own count replaces ours when its end is written.
"""

import math
from collections.abc import Callable, Iterable

from protocol.messages import Cost, Usage
from roundtable.table.budget import Allowance
from roundtable.table.counting import Counter

Price = Callable[[Usage], Cost | None]


class Charge:
    """One turn's running account; call it with what was heard, and it says whether she may go on."""

    def __init__(
        self, meter: "Meter", counter: Counter, *, prompt: int, price: Price, share: Allowance, free: int
    ) -> None:
        self._meter, self._counter, self._share, self._free = meter, counter, share, free
        asked = price(Usage(input=prompt))
        said = price(Usage(input=prompt, output=1_000))
        self.tokens = float(prompt)
        self.dollars = asked.dollars if asked else 0.0
        self._each = (said.dollars - self.dollars) / 1_000 if said else 0.0
        self._said = 0.0

    def __call__(self, text: str) -> bool:
        """Whether there is enough for as much again: what comes next is not known, and may not be too much."""
        count = self._counter.tokens(text)
        self._said += count
        self.tokens += count
        self.dollars += count * self._each
        if self._said <= self._free:
            return True
        more = Allowance(math.ceil(count) + 1, (count + 1) * self._each)
        return _within([self], self._share, more) and self._meter.within(more)


class Meter:
    """All accounts that are open; `left` is what the limits leave of what was written, without those."""

    def __init__(self, left: Callable[[], Allowance]) -> None:
        self._left = left
        self._open: dict[str, Charge] = {}

    def open(
        self,
        turn: str,
        counter: Counter,
        *,
        prompt: int,
        price: Price,
        share: Allowance | None,
        free: int = 0,
    ) -> Charge:
        """An account for a turn whose prompt has so many tokens. It may have its share, or with none as much as there
        is; `free` tokens she may say in any case."""
        charge = Charge(self, counter, prompt=prompt, price=price, share=share or Allowance(), free=free)
        self._open[turn] = charge
        return charge

    def close(self, turn: str) -> None:
        """The turn's end is written."""
        self._open.pop(turn, None)

    def within(self, more: Allowance) -> bool:
        """Whether all together, and so much `more`, are within the limits."""
        return _within(self._open.values(), self._left(), more)


def _within(charges: Iterable[Charge], left: Allowance, more: Allowance) -> bool:
    charges = list(charges)
    if left.tokens is not None and sum(each.tokens for each in charges) + (more.tokens or 0) > left.tokens:
        return False
    dollars = sum(each.dollars for each in charges) + (more.dollars or 0.0)
    return left.dollars is None or dollars <= left.dollars or not dollars
