"""What every dialect's reader has in common: one streamed answer, from bytes to chunks. No I/O, and no SDK.

What an event means is the dialect's.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from protocol.errors import ProviderError
from protocol.sse import Decoder, Frame
from providers.base import Chunk, Stop
from providers.failures import Failures, report

T = TypeVar("T")
_anything = msgspec.json.Decoder()


class Answer(ABC):
    """One answer: feed bytes, get chunks, then `end()` once. `done` says that the server has ended it.

    All methods raise `ProviderError`.
    """

    def __init__(self, failures: Failures, model: str) -> None:
        self.done = False
        self._failures = failures
        self._model = model
        self._frames = Decoder()
        self._opening = b""

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Chunks that `data` completed; nothing once it is `done`."""
        self._opening = self._opening or data.lstrip()[:1]
        for frame in self._frames.feed(data):
            if self.done:
                return
            yield from self._read(frame)

    @abstractmethod
    def end(self) -> Stop:
        """What the end of the stream means."""

    @abstractmethod
    def _read(self, frame: Frame) -> Iterator[Chunk]:
        """Chunks of one event; sets `done` at the last."""

    def _decode(self, decoder: msgspec.json.Decoder[T], data: str) -> T:
        try:
            return decoder.decode(data)
        except (msgspec.MsgspecError, RecursionError):
            raise self._failures.nonsense("an event that this dialect does not have") from None

    def _unfinished(self) -> ProviderError:
        return self._failures.unfinished(self._opening)

    def _told_in(self, frame: Frame) -> ProviderError:
        """A failure that is a whole event."""
        return self._told(self._decode(_anything, frame.data))

    def _told(self, error: object) -> ProviderError:
        """A failure that the server tells inside its stream."""
        return self._failures.reported(report(error), self._model)
