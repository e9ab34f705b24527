"""From a model's bytes to words that may be shown: whole characters only, and nothing of a stop sequence."""

import codecs


class Words:
    """One answer's text. `stopped` says that one of the `stops` (non-empty strings) has come.

    Holds back at most an unfinished character, and one character less than the longest stop.
    """

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self._stops = stops
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """A token's bytes in, what may be shown out; nothing after a stop."""
        if self.stopped:
            return ""
        text = self._held + self._decode(piece)
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        keep = max((overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self, *, whole: bool = False) -> str:
        """What was held back in case a stop came. A character that the limit cut in two is not shown, or (`whole`)
        replaced."""
        held, self._held = self._held, ""
        return held + self._decode(b"", True) if whole and not self.stopped else held


def overlap(text: str, stop: str) -> int:
    """How much of the text's end is the beginning of `stop`."""
    return next(
        (size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0
    )
