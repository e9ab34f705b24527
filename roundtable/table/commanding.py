"""What a command does to a table: its effect is noted at once and in the order of the inbox, or why it has none."""

import msgspec

from protocol import commands
from protocol import events as e
from roundtable.policies.order import ASKED
from roundtable.table.floor import Floor
from roundtable.table.writer import Writer


def act(position: int, submitted: e.CommandSubmitted, writer: Writer, floor: Floor) -> None:
    """Note the whole effect of the command at this place of the inbox, or its refusal; nothing of it comes later."""
    key, status = submitted.key, writer.transcript.status
    match submitted.command:
        case commands.Say() as say:
            _say(say, key, position, writer)
        case commands.Pause() if status == "open":
            writer.note(e.TablePaused(reason="command", command=key, inbox=position))
        case commands.Resume() if status in ("paused", "resting"):
            writer.note(e.TableResumed(reason="command", command=key, inbox=position))
        case commands.Close() if status != "closed":
            floor.clear("closing")  # `command` is for the turn a person cancelled
            writer.note(e.TableClosed(reason="command", command=key, inbox=position))
        case commands.Put() as put:
            material, told = f"d{len(writer.transcript.materials) + 1}", msgspec.structs.asdict(put)
            writer.note(e.MaterialAdded(material=material, **told, command=key, inbox=position))
        case commands.Cancel(turn=turn):
            _cancel(turn, key, position, writer, floor)
        case commands.Retry(turn=turn) if status in ("open", "resting"):
            _retry(turn, key, position, writer)
        case command:
            asked = type(command).__name__.lower()
            _refuse(writer, key, position, f"The table is {status}; {asked} would change nothing.")


def _say(say: commands.Say, key: str, position: int, writer: Writer) -> None:
    table = writer.transcript
    if say.to and all(panelist.name != say.to for panelist in table.panel):
        detail = f"Nobody named {say.to!r} sits at this table."
        _refuse(writer, key, position, detail, code="unknown_panelist")
        return
    message = f"m{len(table.messages) + 1}"
    writer.note(e.MessagePosted(
        message=message, author=say.author or commands.HOST, text=say.text, to=say.to, command=key, inbox=position
    ))  # fmt: skip
    if table.status == "resting":
        writer.note(e.TableResumed(reason="message"))


def _cancel(turn: str, key: str, position: int, writer: Writer, floor: Floor) -> None:
    state = next((known for known in writer.transcript.turns if known.turn == turn), None)
    if state is None:
        detail = f"This table has no turn {turn[:40]!r}."
        _refuse(writer, key, position, detail, code="unknown_turn")
    elif state.status in ("queued", "started"):
        floor.stop(turn, e.TurnCancelled(turn=turn, panelist=state.panelist, command=key, inbox=position))
    else:
        _refuse(writer, key, position, f"{turn} has ended: it is {state.status}.")


def _retry(turn: str, key: str, position: int, writer: Writer) -> None:
    table = writer.transcript
    state = next((known for known in table.turns if known.turn == turn), None)
    if state is None:
        _refuse(writer, key, position, f"This table has no turn {turn[:40]!r}.", code="unknown_turn")
    elif state.status not in ("failed", "cancelled"):
        _refuse(writer, key, position, f"{turn} is {state.status}; there is nothing to try again.")
    else:
        if table.status == "resting":
            writer.note(e.TableResumed(reason="retry"))
        writer.note(e.TurnQueued(
            turn=f"t{len(table.turns) + 1}", panelist=state.panelist, kind=state.kind, round=table.round,
            reason=ASKED, command=key, inbox=position,
        ))  # fmt: skip


def _refuse(writer: Writer, key: str, position: int, detail: str, *, code: str = "wrong_state") -> None:
    writer.note(e.CommandRefused(code=code, detail=detail, command=key, inbox=position))
