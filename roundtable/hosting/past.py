"""What was said at a table up to a cursor, as the first entries of another: its fork.

Each turn is told in one piece: a fork's past is what was said, and how it was spoken word by word is on record where it
was. Commands, owners and refusals stay there too. Pure; times are those of the original.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from protocol import events as e
from protocol.messages import Panelist
from protocol.transcript import Transcript

# Of its first table alone: who owned it, what a person asked of it that had no effect, who waited to speak.
_NOT_TOLD = (
    e.TermBegan, e.TableOpened, e.TableClosed, e.CommandRefused, e.HandRaised, e.HandLowered, e.TurnYielding,
)  # fmt: skip
REASON = "fork"
"""Why what was under way ends, and why the clock stood between the two tables."""


class Happened(NamedTuple):
    """An event and when it happened, in Unix seconds."""

    at: float
    event: e.Event


class _Said:
    """A turn's words that were not told yet."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.thought, self.text = "", ""


def past(entries: Iterable[e.Entry]) -> Iterator[Happened]:
    """What of these entries is told again. A turn that had not ended has its words so far, and no end."""
    saying: dict[str, _Said] = {}
    whose: dict[str, dict[str, Any]] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, e.TurnDelta | e.TurnThinking):
            said = saying.setdefault(event.turn, _Said(entry.at))
            whose[event.turn] = {"turn": event.turn, "panelist": event.panelist, "attempt": event.attempt}
            if isinstance(event, e.TurnDelta):
                said.text += event.text
            else:
                said.thought += event.text
            continue
        if isinstance(event, e.TurnCompleted | e.TurnFailed | e.TurnCancelled) and event.turn in saying:
            yield from _words(whose[event.turn], saying.pop(event.turn))
        if not isinstance(event, _NOT_TOLD):
            yield Happened(entry.at, _unasked(event))
    for turn, said in saying.items():
        yield from _words(whose[turn], said)


def _words(who: dict[str, Any], said: _Said) -> Iterator[Happened]:
    """Times run one way, and whoever speaks at once is told in the order of their ends."""
    if said.thought:
        yield Happened(said.at, e.TurnThinking(**who, text=said.thought))
    if said.text:
        yield Happened(said.at, e.TurnDelta(**who, text=said.text))


def _unasked(event: e.Event) -> e.Event:
    """Without the command it was the effect of, which was another table's."""
    if not isinstance(event, e.Asked):
        return event
    bare: e.Event = replace(event, command=UNSET, inbox=UNSET)
    return bare


def going_on(table: Transcript, *, anew: bool, now: float) -> Iterator[Happened]:
    """What stands between a past that folds to `table` and the fork's own future: what was under way ends, and the
    clock goes on from `now`. `anew`: as a sitting of its own, in which limits count from nothing and a method begins
    again."""
    open_turns = table.of("queued", "started") if anew else table.of("started")
    for turn in open_turns:
        ended = e.TurnCancelled(
            turn=turn.turn, panelist=turn.panelist, attempt=turn.attempt, text=turn.text, reason=REASON
        )
        yield Happened(table.at, ended)
    if table.status == "paused" and anew:
        yield Happened(table.at, e.TableResumed(reason=REASON))
    if anew and table.status != "resting":
        yield Happened(table.at, e.TableRested(reason=REASON))
    elif table.status == "open":
        yield Happened(table.at, e.TablePaused(reason=REASON))
    yield Happened(now, e.TableResumed(reason=REASON))


def reseated(table: Transcript, panel: list[Panelist], now: float) -> Iterator[Happened]:
    """The changes by which those who sit at `table` become `panel`."""
    seated = [seat.name for seat in table.panel if seat.name not in table.removed]
    for seat in panel:
        if seat.name not in seated:
            yield Happened(now, e.PanelChanged(change="added", panelist=seat.name, seat=seat))
        elif seat != table.seat(seat.name):
            yield Happened(now, e.PanelChanged(change="swapped", panelist=seat.name, seat=seat))
    for name in seated:
        if all(seat.name != name for seat in panel):
            yield Happened(now, e.PanelChanged(change="removed", panelist=name))
