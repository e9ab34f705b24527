"""Turns spoken at once, one after the other: for a terminal, which has one place where words appear. What is said for a
method to read is not shown.
"""

from protocol import events as e
from protocol import kinds

_END = e.TurnCompleted | e.TurnFailed | e.TurnCancelled


class Spotlight:
    """It is on whoever began first; the others' words wait until that turn has ended. What waits is the text of one
    round, which the limits of a table bound."""

    def __init__(self) -> None:
        self._turn = ""
        self._paperwork = set[str]()
        self._waiting: dict[str, list[e.TurnEvent]] = {}  # by turn, in the order in which they began

    def follow(self, event: e.Event) -> list[e.Event]:
        """What is to be shown now that `event` has happened, in this order."""
        if isinstance(event, e.TurnQueued) and not kinds.is_heard(event.kind):
            self._paperwork.add(event.turn)
        if not isinstance(event, e.TurnEvent) or isinstance(event, e.TurnQueued):
            return [event]
        if event.turn in self._paperwork:
            return []
        self._turn = self._turn or event.turn
        if event.turn != self._turn:
            self._waiting.setdefault(event.turn, []).append(event)
            return []
        return [event, *self._next()] if isinstance(event, _END) else [event]

    def _next(self) -> list[e.TurnEvent]:
        """Turn to the next one, and to the one after that if it has ended meanwhile, and so on."""
        shown: list[e.TurnEvent] = []
        self._turn = ""
        while self._waiting and not self._turn:
            turn = next(iter(self._waiting))
            shown += (said := self._waiting.pop(turn))
            self._turn = "" if isinstance(said[-1], _END) else turn
        return shown
