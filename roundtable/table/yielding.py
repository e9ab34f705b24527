"""How a speaker yields: her words to the end of the sentence that she is in, but only so long and so many."""

import asyncio

from msgspec.structs import replace

from protocol.events import TurnDelta, TurnThinking, TurnTool
from roundtable.table.merge import Happened, tokens
from roundtable.table.sentences import end_of_sentence

# Whoever takes the floor waits no longer than in a conversation, and for no more than a long sentence: seconds, tokens.
WITHIN, TOKENS = 2.0, 200


class Yielding:
    """One turn on its way to its end, from the moment that it is asked to; `text` is what the log holds of it. Nothing
    more is heard of it when it is `over`."""

    def __init__(self, text: str) -> None:
        self._until = asyncio.get_running_loop().time() + WITHIN
        self.over = False
        self._text = text
        self._left = TOKENS

    @property
    def seconds_left(self) -> float:
        """Until it is stopped wherever it is."""
        return self._until - asyncio.get_running_loop().time()

    @property
    def is_over(self) -> bool:
        """Whether it is to be stopped now."""
        return self.over or self.seconds_left <= 0

    def hear(self, item: Happened) -> Happened | None:
        """What of this may still be said; None when that is nothing."""
        match item.event:
            case TurnDelta(text=text):
                return self._words(item, item.event) if self._affords(text) else None
            case TurnThinking(text=text) | TurnTool(arguments=text):
                return item if self._affords(text) else None
            case _:
                return item

    def _affords(self, text: str) -> bool:
        self._left -= tokens(text)
        self.over = self.over or self._left < 0
        return not self.over

    def _words(self, item: Happened, event: TurnDelta) -> Happened | None:
        said = len(self._text)
        self._text += event.text
        end = end_of_sentence(self._text, said)
        if end is None:
            return item
        self.over = True
        return Happened(item.at, replace(event, text=self._text[said:end])) if end > said else None
