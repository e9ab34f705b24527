"""Who sits at the table, and who may speak: changed at once, and so that somebody is left to speak."""

from msgspec.structs import asdict

from protocol import commands
from protocol import events as e
from protocol.asked import MAX_SEATS, AskedSeat
from protocol.messages import Panelist
from protocol.transcript import Transcript, Turn
from roundtable.table.deed import Deed

# Seats that a table may have had in all: every prompt and every reader carries their names for ever.
MOST_EVER = 4 * MAX_SEATS


def mute(asked: commands.Mute, deed: Deed) -> None:
    """No turns for her; those that she has end now."""
    name = asked.panelist
    if not _sits(name, deed):
        return
    if name in deed.table.muted:
        deed.refuse(f"{name} is muted already.")
    elif _leaves_nobody(deed.table, name):
        deed.refuse(f"Without {name} nobody would be left to speak; pause the table instead.")
    else:
        deed.note(e.PanelChanged(change="muted", panelist=name))
        _stop(_open_turns(deed.table, name), "muted", deed)


def unmute(asked: commands.Unmute, deed: Deed) -> None:
    """She is given turns again, as her method has it."""
    if not _sits(asked.panelist, deed):
        return
    if asked.panelist in deed.table.muted:
        deed.note(e.PanelChanged(change="unmuted", panelist=asked.panelist))
    else:
        deed.refuse(f"{asked.panelist} is not muted.")


def remove(asked: commands.Remove, deed: Deed) -> None:
    """She leaves; her turns end now, and what she said stays."""
    name = asked.panelist
    if not _sits(name, deed):
        return
    if _leaves_nobody(deed.table, name):
        deed.refuse(f"Without {name} nobody would be left to speak; add another first, or swap.")
    else:
        deed.note(e.PanelChanged(change="removed", panelist=name))
        _stop(_open_turns(deed.table, name), "removed", deed)


def add(asked: commands.Add, deed: Deed) -> None:
    """One more sits here. Who is absent under that name is back, as she is described now."""
    seat, table = _seat(asked.seat), deed.table
    if seat.name in table.absent and seat.name not in table.removed:
        _swap(seat.name, seat, deed)
    elif _is_seated(table, seat.name):
        deed.refuse(f"{seat.name} sits here already; swap puts another model in her place.")
    elif len(table.seated()) >= MAX_SEATS:
        deed.refuse(f"A table has {MAX_SEATS} seats, and all are taken; remove or swap one.")
    elif _has_room(seat.name, deed):
        deed.note(e.PanelChanged(change="added", panelist=seat.name, seat=seat))


def swap(asked: commands.Swap, deed: Deed) -> None:
    """Another in her place, or another model under her name."""
    name, seat = asked.panelist, _seat(asked.seat)
    if not _sits(name, deed):
        return
    if seat.name != name and _is_seated(deed.table, seat.name):
        deed.refuse(f"{seat.name} sits here already; choose another name.")
    elif seat.role and _leaves_nobody(deed.table, name):
        deed.refuse(f"Without {name} nobody would be left to speak.")
    elif _has_room(seat.name, deed):
        _swap(name, seat, deed)


def _swap(name: str, seat: Panelist, deed: Deed) -> None:
    """What she was saying is cut, and asked of the other; so are her turns that wait, if it is under another name."""
    deed.note(e.PanelChanged(change="swapped", panelist=name, seat=seat))
    handed = [turn for turn in _open_turns(deed.table, name) if turn.status == "started" or seat.name != name]
    reasons = [turn.reason for turn in handed]  # which a turn that is cancelled has no more
    _stop(handed, "swapped", deed)
    if deed.table.status == "open":  # a paused table queues nothing: the method goes on without them
        for turn, reason in zip(handed, reasons, strict=True):
            deed.queue(seat.name, turn, reason)


def _seat(asked: AskedSeat) -> Panelist:
    return Panelist(**asdict(asked))


def _open_turns(table: Transcript, name: str) -> list[Turn]:
    return [turn for turn in table.of("queued", "started") if turn.panelist == name]


def _stop(turns: list[Turn], reason: str, deed: Deed) -> None:
    for turn in turns:
        deed.stop(turn, reason)


def _is_seated(table: Transcript, name: str) -> bool:
    return any(panelist.name == name for panelist in table.seated())


def _sits(name: str, deed: Deed) -> bool:
    if _is_seated(deed.table, name):
        return True
    deed.refuse(f"Nobody named {name!r} sits at this table any more.", "unknown_panelist")
    return False


def _has_room(name: str, deed: Deed) -> bool:
    if deed.table.seat(name) is not None or len(deed.table.panel) < MOST_EVER:
        return True
    deed.refuse(f"{MOST_EVER} have sat at this table, which is as many as it takes; convene another.")
    return False


def _leaves_nobody(table: Transcript, name: str) -> bool:
    """Whether none would be left who takes part and can speak. Whoever only presides is not counted."""
    seat = table.seat(name)
    others = [panelist for panelist in table.present() if panelist.name != name]
    return seat is not None and not seat.role and not others
