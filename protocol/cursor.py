"""The one identifier: where an entry stands in its stream, and so where a reader stands.

`term-seq` as text is at once Redis Stream ID, SSE `id:`, `after=` parameter and replay position.
"""

import re
from typing import Self

import msgspec

from protocol.errors import Invalid

# Redis Stream IDs are two unsigned 64-bit numbers; JavaScript counts exactly to 2**53 - 1. The smaller bound holds.
LIMIT = 2**53 - 1
_TEXT = re.compile(r"(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})(?:\.([1-9][0-9]{0,4}))?", re.ASCII)


class Cursor(msgspec.Struct, frozen=True, order=True):
    """Entry `seq` (dense from 1) of a stream, written under ownership `term`.

    `part` counts frames within an entry where a view makes several of one: 0 means the whole entry
    was delivered, k that its first k frames were. `0-0` stands before the first entry.
    """

    term: int
    seq: int
    part: int = 0

    def __str__(self) -> str:
        return f"{self.term}-{self.seq}.{self.part}" if self.part else f"{self.term}-{self.seq}"

    @classmethod
    def parse(cls, text: str, field: str = "after") -> Self:
        """Read `term-seq` or `term-seq.k`; raises `Invalid` naming `field`."""
        match = _TEXT.fullmatch(text)
        if match is None or max(int(match[1]), int(match[2])) > LIMIT:
            raise Invalid(f"{text[:60]!r} is not a cursor; one looks like 1763675000123-42.", field=field)
        return cls(int(match[1]), int(match[2]), int(match[3] or 0))

    def next(self, term: int | None = None) -> "Cursor":
        """The place directly after this one, under `term` or the same."""
        return Cursor(self.term if term is None else term, self.seq + 1)


ZERO = Cursor(0, 0)
"""Before the first entry."""


def next_term(last: int, now: float) -> int:
    """The term a new owner begins: `max(last + 1, Unix milliseconds)`; `now` in Unix seconds."""
    return max(last + 1, int(now * 1000))
