"""What a command does to a table: its effect is noted at once and in the order of the inbox, or why it has none."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import asdict

from protocol import commands
from protocol import events as e
from protocol.findings import VerdictGiven
from protocol.kinds import VERDICT, is_heard
from protocol.messages import Limits
from protocol.transcript import Turn
from roundtable.deliberation import judging, verdicts
from roundtable.policies import REPLY
from roundtable.policies.order import ASKED
from roundtable.table import changing, interrupting
from roundtable.table.deed import Deed
from roundtable.table.floor import Floor
from roundtable.table.writer import Writer


def act(position: int, submitted: e.CommandSubmitted, writer: Writer, floor: Floor) -> None:
    """Note the whole effect of the command at this place of the inbox, or its refusal; nothing of it comes later."""
    deed, command = Deed(submitted.key, position, writer, floor), submitted.command
    status = deed.table.status
    _do(command, deed, floor)
    if not deed.done:
        asked = command.__struct_config__.tag
        deed.refuse(f"The table is {status}; {asked} would change nothing.")


def _do(command: commands.INBOX, deed: Deed, floor: Floor) -> None:
    status = deed.table.status
    match command:
        case commands.Pause() if status == "open":
            deed.note(e.TablePaused(reason="command"))
        case commands.Resume() if status in ("paused", "resting"):
            deed.note(e.TableResumed(reason="command"))
        case commands.Close():
            floor.clear("closing")  # `command` is for the turn a person cancelled
            floor.lower_hands()
            deed.note(e.TableClosed(reason="command"))
        case commands.Cancel(turn=turn):
            _cancel(turn, deed)
        case commands.Retry(turn=turn) if status in ("open", "resting"):
            _retry(turn, deed, floor)
        case commands.Conclude():
            _conclude(deed, floor)
        case _ if type(command) in _OTHERS:
            _OTHERS[type(command)](command, deed)
        case _:
            pass


def _turn(turn: str, deed: Deed) -> Turn | None:
    state = next((known for known in deed.table.turns if known.turn == turn), None)
    if state is None:
        deed.refuse(f"This table has no turn {turn[:40]!r}.", "unknown_turn")
    return state


def _cancel(turn: str, deed: Deed) -> None:
    state = _turn(turn, deed)
    if state is None:
        return
    if state.status in ("queued", "started"):
        deed.stop(state, "command")
    else:
        deed.refuse(f"{turn} has ended: it is {state.status}.")


def _retry(turn: str, deed: Deed, floor: Floor) -> None:
    """Whoever left for having failed is back by that. A verdict is tried again as one."""
    table, state = deed.table, _turn(turn, deed)
    if state is None:
        return
    if state.status not in ("failed", "cancelled"):
        deed.refuse(f"{turn} is {state.status}; there is nothing to try again.")
    elif state.kind == VERDICT:
        _conclude(deed, floor)
    elif not is_heard(state.kind) and (
        table.status == "resting" or table.testing or state.seq < table.base_seq
    ):
        deed.refuse(f"{turn} belongs to a discussion that is over.")
    elif state.panelist in (*table.muted, *table.removed):
        left = "is muted; unmute her first" if state.panelist in table.muted else "has left; add her again"
        deed.refuse(f"{state.panelist} {left}.")
    else:
        if table.status == "resting":
            deed.prepare(e.TableResumed(reason="retry"))
        deed.queue(state.panelist, state, ASKED if is_heard(state.kind) else state.reason)


def _conclude(deed: Deed, floor: Floor) -> None:
    """At rest it is about what was said before: that sitting goes on. Where the last verdict lacks a synthesis the
    chair may try again."""
    table = deed.table
    given = table.found(VerdictGiven)
    if table.policy == REPLY:
        deed.refuse("A thread answers what is said in it, and comes to no verdict.")
    elif table.testing:
        deed.refuse("The outcome is being tested; ask again when that is done.")
    elif table.concluding and table.status != "resting":
        deed.refuse("The discussion is over already; its verdict is on its way.")
    elif given and not given[-1].missing:
        deed.refuse("The verdict on this was given; say something, and the panel goes on.")
    elif not verdicts.answered(table):
        deed.refuse("Nobody has answered yet, so there is nothing to come to a verdict about.")
    else:
        if table.status != "open":
            deed.prepare(e.TableResumed(reason="verdict"))
        deed.note(e.TableConcluding(reason="command"))
        floor.clear("concluding")
        floor.lower_hands()


def _stress_test(_: commands.StressTest, deed: Deed) -> None:
    if deed.table.policy == REPLY:
        deed.refuse("A thread answers what is said in it, and has no outcome to be tested.")
    elif deed.table.status != "resting":
        deed.refuse(f"The table is {deed.table.status}; a stress test is for one that rests.")
    elif why := judging.why_not(deed.table):
        deed.refuse(why)
    else:
        deed.note(e.StressRequested())


def _extend(asked: commands.Extend, deed: Deed) -> None:
    given = {name: value for name, value in asdict(asked.limits).items() if value is not None}
    deed.note(e.LimitsChanged(limits=Limits(**asdict(deed.table.limits) | given)))


def _title(asked: commands.Title, deed: Deed) -> None:
    deed.note(e.TableTitled(title=" ".join(asked.title.split())))


def _put(put: commands.Put, deed: Deed) -> None:
    deed.note(e.MaterialAdded(material=f"d{len(deed.table.materials) + 1}", **asdict(put)))


# Those that the course of the table does not depend on.
_OTHERS: Mapping[type[commands.Command], Callable[[Any, Deed], None]] = {
    commands.Say: interrupting.say,
    commands.BargeIn: interrupting.barge_in,
    commands.RaiseHand: interrupting.raise_hand,
    commands.LowerHand: interrupting.lower_hand,
    commands.Skip: interrupting.skip,
    commands.Mute: changing.mute,
    commands.Unmute: changing.unmute,
    commands.Add: changing.add,
    commands.Remove: changing.remove,
    commands.Swap: changing.swap,
    commands.Extend: _extend,
    commands.Title: _title,
    commands.Put: _put,
    commands.StressTest: _stress_test,
}
