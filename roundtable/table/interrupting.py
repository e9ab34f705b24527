"""What a person does with the floor: says something, takes it, asks for it, passes somebody over."""

from protocol import commands
from protocol import events as e
from roundtable.deliberation.record import BARGE_IN
from roundtable.table import hands
from roundtable.table.deed import Deed
from roundtable.table.yielding import TOKENS, WITHIN


def say(said: commands.Say | commands.BargeIn, deed: Deed) -> None:
    """Post it; whoever had a hand up has had the floor. A table at rest is woken."""
    table, author = deed.table, said.author or commands.HOST
    if not _hears(said.to, deed):
        return
    message = f"m{len(table.messages) + 1}"
    deed.note(e.MessagePosted(message=message, author=author, text=said.text, to=said.to))
    if author in table.hands:
        deed.note(e.HandLowered(author=author, reason="said"))
    if table.status == "resting":
        deed.note(e.TableResumed(reason="message"))


def barge_in(asked: commands.BargeIn, deed: Deed) -> None:
    """Everyone who speaks yields, or is cut where there is no sentence to finish; then it is said, or a hand is up."""
    if not _hears(asked.to, deed):
        return
    for turn in deed.table.of("started"):
        if not turn.text.strip():
            deed.stop(turn, BARGE_IN)
        elif not turn.yielding:
            deed.ask_to_yield(turn, WITHIN, TOKENS)
    if asked.text:
        say(asked, deed)
    else:
        raise_hand(asked, deed)


def raise_hand(asked: commands.RaiseHand | commands.BargeIn, deed: Deed) -> None:
    """Let the table wait. What cannot be refused any more, as somebody yields already, is left out."""
    table, author = deed.table, asked.author or commands.HOST
    if table.status == "resting":
        why = "The table rests: say something, and it wakes."
    elif table.concluding:
        why = "The discussion is over; when its verdict is given, say something."
    elif author in table.hands:
        why = f"{author}'s hand is up already; say something, or lower it."
    elif len(table.hands) >= hands.MOST:
        why = f"{hands.MOST} hands are up already; wait for one of them."
    else:
        deed.note(e.HandRaised(author=author, within=hands.WITHIN))
        return
    if not deed.done:
        deed.refuse(why)


def _hears(name: str, deed: Deed) -> bool:
    if not name or any(panelist.name == name for panelist in deed.table.seated()):
        return True
    deed.refuse(f"Nobody named {name!r} sits at this table.", "unknown_panelist")
    return False


def lower_hand(asked: commands.LowerHand, deed: Deed) -> None:
    """Let the table go on."""
    author = asked.author or commands.HOST
    if author in deed.table.hands:
        deed.note(e.HandLowered(author=author, reason="command"))
    else:
        deed.refuse(f"{author} has no hand up.")


def skip(asked: commands.Skip, deed: Deed) -> None:
    """End the turns of whoever speaks, or of the one named; where nobody does, the next in the queue."""
    table, name = deed.table, asked.panelist
    speaking = [turn for turn in table.of("started") if name in ("", turn.panelist)]
    queued = [turn for turn in table.of("queued") if name in ("", turn.panelist)]
    for turn in speaking or queued[:1]:
        deed.stop(turn, "skipped")
    if not deed.done:
        deed.refuse(f"{name or 'Nobody'} has {'no' if name else 'a'} turn that could be passed over.")
