"""What a stream tells, whatever streams: one event at its place."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from protocol.codec import UNREADABLE
from protocol.cursor import Cursor
from roundtable.sdk.refusals import Unreachable

# Events whose `text` is the next words of somebody; an event that repeats a whole text has no part in it.
_WORDS = frozenset({"step", "turn.delta", "message.delta"})
_decoder = msgspec.json.Decoder(dict[str, Any])


class Event(msgspec.Struct, frozen=True):
    """`type` is the wire's word (`step`, `converge`, `turn.delta`, ...), `cursor` where to go on after it, `at` when it
    happened (Unix seconds), `data` everything else it tells."""

    type: str
    cursor: Cursor
    at: float
    data: Mapping[str, Any]

    @classmethod
    def read(cls, cursor: Cursor, body: bytes) -> Self:
        """From its JSON. Raises `Unreachable` when that is not an event of ours."""
        try:
            data = _decoder.decode(body)
            return cls(str(data.pop("type")), cursor, float(data.pop("at")), data)
        except (*UNREADABLE, KeyError, TypeError, ValueError) as error:
            raise Unreachable(f"What stands at {cursor} is no event.", retryable=False) from error

    @property
    def text(self) -> str:
        """The words that it adds to what is being said; `""` where it adds none."""
        text = self.data.get("text") if self.type in _WORDS else None
        return text if isinstance(text, str) else ""
