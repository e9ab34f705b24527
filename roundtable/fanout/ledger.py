"""What enriching a frame takes to know of its stream: when it began, who sits there, and what had been spent by when.

Only the ends of turns cost anything, so it is small; and whatever is asked of it depends on the entries up to a seq and
on nothing else, so that two who ask at different times are told the same.
"""

from bisect import bisect_right
from contextlib import suppress
from typing import Any

import msgspec

from protocol.codec import UNREADABLE, body_type
from protocol.messages import Cost, Panelist, Usage

_OPENINGS = frozenset({b"table.opened", b"init"})
_ENDS = frozenset({b"turn.completed", b"turn.failed", b"turn.cancelled"})
_READ = _OPENINGS | _ENDS | {b"turn.started", b"converge"}


class Spent(msgspec.Struct, frozen=True):
    """Up to an entry and with it: tokens, and dollars by list price, a lower bound while `unpriced` is not 0."""

    tokens_in: int = 0
    tokens_out: int = 0
    dollars: float = 0.0
    unpriced: int = 0

    def plus(self, usage: Usage, cost: Cost | None) -> "Spent":
        """And one answer more."""
        return Spent(
            self.tokens_in + usage.input,
            self.tokens_out + usage.output,
            round(self.dollars + cost.dollars, 12) if cost else self.dollars,
            self.unpriced + (cost is None),
        )


class _Answer(msgspec.Struct):
    usage: Usage | None = None
    cost: Cost | None = None


class _Entry(msgspec.Struct):
    at: float
    turn: str = ""
    panel: list[Panelist] = []
    address: str = ""
    usage: Usage = Usage()
    cost: Cost | None = None
    final: Any = None


_decoder = msgspec.json.Decoder(_Entry)


class Ledger:
    """`extend` it with every entry of a stream, in order; `seq` is the last one it knows."""

    def __init__(self) -> None:
        self.seq = 0
        self.began: float | None = None
        self.address = ""
        self.models: dict[str, str] = {}
        self._speaking: set[str] = set()
        self._seqs = [0]
        self._spent = [Spent()]

    def extend(self, seq: int, body: bytes) -> None:
        """The entry `seq`; one that is known already changes nothing, nor does one that cannot be read."""
        if seq <= self.seq:
            return
        self.seq = seq
        if (kind := body_type(body)) in _READ:
            with suppress(*UNREADABLE):  # carried along by everyone, so by us
                self._apply(kind, _decoder.decode(body))

    def spent(self, seq: int) -> Spent:
        """What had been spent with entry `seq`."""
        return self._spent[bisect_right(self._seqs, seq) - 1]

    def elapsed(self, at: float) -> float:
        """Seconds from the opening to `at`; 0 for what came before it."""
        return 0.0 if self.began is None else max(0.0, at - self.began)

    def _apply(self, kind: bytes, entry: _Entry) -> None:
        if kind in _OPENINGS:
            self.began, self.address = entry.at, entry.address
            self.models = {panelist.name: panelist.model for panelist in entry.panel}
        elif kind == b"turn.started":
            self._speaking.add(entry.turn)
        elif kind in _ENDS and entry.turn in self._speaking:  # who never had the floor has cost nothing
            self._speaking.discard(entry.turn)
            self._add(entry.usage, entry.cost)
        elif kind == b"converge":
            self._answered(entry.final)

    def _answered(self, final: Any) -> None:
        """An invocation's result, which tells what it cost if its tool knows."""
        try:
            answer = msgspec.convert(final, _Answer)
        except msgspec.ValidationError:
            return
        if answer.usage is not None:
            self._add(answer.usage, answer.cost)

    def _add(self, usage: Usage, cost: Cost | None) -> None:
        self._seqs.append(self.seq)
        self._spent.append(self._spent[-1].plus(usage, cost))
