"""The table of legal transitions: what may happen, and in which state. A new event has a row here."""

from protocol import events as e
from protocol import findings
from protocol.codec import event_type
from protocol.errors import IllegalMove
from protocol.table import Transcript

_LIVE = ("open", "paused")
_OPENED = ("open", "paused", "resting")
MOVES: dict[type[e.Event], tuple[tuple[str, ...], tuple[str, ...]]] = {
    #                  table's status      turn's status
    e.TermBegan: (("new", *_OPENED), ()),
    e.TableOpened: (("new",), ()),
    e.TablePaused: (("open",), ()),
    e.TableResumed: (("paused", "resting"), ()),
    e.TableConcluding: (_LIVE, ()),
    e.TableTitled: (_OPENED, ()),
    e.LimitsChanged: (_OPENED, ()),
    e.PanelChanged: (_OPENED, ()),
    e.HandRaised: (_LIVE, ()),
    e.HandLowered: (_OPENED, ()),
    e.TableRested: (("open",), ()),
    e.TableClosed: (_OPENED, ()),
    e.RoundStarted: (("open",), ()),
    e.TurnQueued: (("open",), ()),
    e.TurnStarted: (("open",), ("queued",)),
    e.TurnRetried: (_LIVE, ("started",)),
    e.TurnYielding: (_LIVE, ("started",)),
    e.TurnDelta: (_LIVE, ("started",)),
    e.TurnThinking: (_LIVE, ("started",)),
    e.TurnTool: (_LIVE, ("started",)),
    e.TurnToolResult: (_LIVE, ("started",)),
    e.TurnCompleted: (_LIVE, ("started",)),
    e.TurnFailed: (_LIVE, ("started",)),
    e.TurnCancelled: (_LIVE, ("queued", "started")),
    e.MessagePosted: (_OPENED, ()),
    e.MaterialAdded: (_OPENED, ()),
    e.CommandRefused: (_OPENED, ()),
    **dict.fromkeys(findings.ANY.__args__, (_LIVE, ())),
}
"""For each event the table's status and, for turn events, the turn's."""


def check(transcript: Transcript, event: e.Event) -> None:
    """Raise `IllegalMove` when the event does not follow."""
    if type(event) not in MOVES:
        return  # an event of a later version changes nothing here
    tables, turns = MOVES[type(event)]
    if transcript.status not in tables:
        raise IllegalMove(f"{event_type(event)} cannot happen at a table that is {transcript.status}.")
    if isinstance(event, e.TurnEvent):
        _check_turn(transcript, event, turns)
    elif isinstance(event, e.PanelChanged):
        _check_change(transcript, event)
    elif isinstance(event, e.TableClosed | e.TableRested) and transcript.of("queued", "started"):
        raise IllegalMove(f"{event_type(event)} cannot happen while turns are open.")


def _check_change(transcript: Transcript, event: e.PanelChanged) -> None:
    sits = transcript.seat(event.panelist) is not None and event.panelist not in transcript.removed
    if sits == (event.change == "added"):
        raise IllegalMove(f"{event.panelist!r} {'sits' if sits else 'does not sit'} at this table.")
    if (event.seat is not None) != (event.change in ("added", "swapped")):
        raise IllegalMove(f"panel.changed by {event.change} has {'a' if event.seat else 'no'} seat.")


def _check_turn(transcript: Transcript, event: e.TurnEvent, statuses: tuple[str, ...]) -> None:
    if isinstance(event, e.TurnQueued):
        if event.turn != f"t{len(transcript.turns) + 1}":
            raise IllegalMove(f"The next turn is t{len(transcript.turns) + 1}, not {event.turn!r}.")
        if transcript.seat(event.panelist) is None or event.panelist in transcript.removed:
            raise IllegalMove(f"Nobody named {event.panelist!r} sits at this table.")
        return
    turn = transcript.turn(event.turn)
    if turn.status not in statuses:
        raise IllegalMove(f"{event_type(event)} cannot happen to {turn.turn}, which is {turn.status}.")
    if turn.panelist != event.panelist:
        raise IllegalMove(f"{turn.turn} is {turn.panelist}'s, not {event.panelist}'s.")
