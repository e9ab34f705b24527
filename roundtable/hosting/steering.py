"""Every check on a command before it is accepted: what no table could do, whatever its state.

What depends on the state is decided by the table's owner when its turn comes, and is refused in the log.
"""

from protocol import commands
from protocol.asked import MAX_TEXT, MAX_TITLE
from protocol.errors import Invalid
from protocol.transcript import Transcript
from providers.catalog import Catalog
from roundtable.hosting import convening


def check(command: commands.INBOX, transcript: Transcript, catalog: Catalog) -> None:
    """Raise `Invalid` naming the field. A name that no seat has ever had is one; that its seat is empty is not."""
    match command:
        case commands.Say():
            check_said(command, transcript)
        case commands.BargeIn():
            _check_barge_in(command, transcript)
        case commands.RaiseHand() | commands.LowerHand():
            _check_author(command.author, transcript)
        case commands.Extend():
            _check_limits(command)
        case commands.Title():
            _check_title(command)
        case commands.Add() | commands.Swap():
            _check_seat(command, transcript, catalog)
        case commands.Mute() | commands.Unmute() | commands.Remove() | commands.Skip():
            _check_named(command.panelist, "panelist", transcript, anyone=isinstance(command, commands.Skip))
        case _:
            pass


def _check_title(command: commands.Title) -> None:
    if len(" ".join(command.title.split())) > MAX_TITLE:
        raise Invalid(f"A title has at most {MAX_TITLE} characters.", field="title")


def _check_limits(command: commands.Extend) -> None:
    if all(value is None for value in convening.bounded(command.limits).values()):
        raise Invalid("Name a limit and what it shall be.", field="limits")


def check_said(said: commands.Say, transcript: Transcript) -> None:
    """Raise `Invalid` for what cannot be said, to whom, or under that name."""
    convening.check_text(said.text, "text", MAX_TEXT)
    _check_author(said.author, transcript)
    if said.to:
        _check_named(said.to, "to", transcript)


def _check_barge_in(asked: commands.BargeIn, transcript: Transcript) -> None:
    if asked.text:
        check_said(commands.Say(asked.text, asked.to, asked.author), transcript)
    elif asked.to:
        raise Invalid(f"Say what is put to {asked.to[:40]!r}.", field="text")
    else:
        _check_author(asked.author, transcript)


def _check_author(author: str, transcript: Transcript) -> None:
    if author:
        convening.check_name(author, "author")
        if any(convening.same(author, panelist.name) for panelist in transcript.panel):
            raise Invalid(f"{author} is a panelist; take a name of your own.", field="author")


def _check_named(name: str, field: str, transcript: Transcript, *, anyone: bool = False) -> None:
    """With `anyone` no name is one."""
    if transcript.seat(name) is None and not (anyone and not name):
        names = ", ".join(panelist.name for panelist in transcript.panel)
        raise Invalid(f"Nobody named {name[:40]!r} sits at this table; there are {names}.", field=field)


def _check_seat(command: commands.Add | commands.Swap, transcript: Transcript, catalog: Catalog) -> None:
    """A name may come back, but no other may sound like it: what was said under it stays hers."""
    seat, leaves = command.seat, ""
    if isinstance(command, commands.Swap):
        leaves = command.panelist
        _check_named(leaves, "panelist", transcript)
    convening.check_seat(seat, "seat", catalog)
    alike = [each.name for each in transcript.panel if convening.same(each.name, seat.name)]
    if alike and seat.name not in alike:
        raise Invalid(f"{seat.name!r} sounds like {alike[0]!r}, who speaks here.", field="seat.name")
    if any(convening.same(message.author, seat.name) for message in transcript.messages):
        raise Invalid(f"A person speaks here as {seat.name!r}.", field="seat.name")
    held = [each.name for each in transcript.seated() if each.role and each.role == seat.role]
    if set(held) - {leaves, seat.name}:
        raise Invalid(f"A table has one {seat.role}; it is {held[0]}.", field="seat.role")
