"""What a person or a program may ask of a table. A command is a request: it may be refused, and says so."""

from typing import Literal

import msgspec

from protocol.messages import Limits, Panelist

HOST = "Host"
"""Under whose name something is said that names no author."""


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all commands; `type` is the tag."""


class Say(Command, frozen=True, tag="say"):
    """Post a message to the table, or put it to one panelist, who then has the floor next."""

    text: str
    to: str = ""
    author: str = ""


class Pause(Command, frozen=True, tag="pause"):
    """Begin no new turn."""


class Resume(Command, frozen=True, tag="resume"):
    """Go on after a pause."""


class Close(Command, frozen=True, tag="close"):
    """End the table for good; what is being said is cut and kept."""


class Cancel(Command, frozen=True, tag="cancel"):
    """End one turn, running or queued, by its id; the table goes on."""

    turn: str


class Retry(Command, frozen=True, tag="retry"):
    """Give the floor again to whoever failed or was cancelled in a turn, for a new one; a table at rest is woken."""

    turn: str


class BargeIn(Command, frozen=True, tag="barge_in"):
    """Take the floor: who speaks yields at the next sentence's end, or after 2 s or 200 tokens. `text` is said at
    once."""

    text: str = ""
    to: str = ""
    author: str = ""


class RaiseHand(Command, frozen=True, tag="raise_hand"):
    """Ask for the floor: once who speaks has ended no other begins until something is said, or the hand is lowered."""

    author: str = ""


class LowerHand(Command, frozen=True, tag="lower_hand"):
    """Let the table go on after all."""

    author: str = ""


class Skip(Command, frozen=True, tag="skip"):
    """Pass over one panelist's turn under way or next in the queue; without a name, whoever has the floor."""

    panelist: str = ""


class Mute(Command, frozen=True, tag="mute"):
    """Give a panelist no turns; what she is saying is cut."""

    panelist: str


class Unmute(Command, frozen=True, tag="unmute"):
    """Give her turns again."""

    panelist: str


class Add(Command, frozen=True, tag="add"):
    """Seat another panelist."""

    seat: Panelist


class Remove(Command, frozen=True, tag="remove"):
    """Let a panelist leave for good; what she said stays."""

    panelist: str


class Swap(Command, frozen=True, tag="swap"):
    """Put `seat` in a panelist's place. Under the same name it is another model that speaks from now on."""

    panelist: str
    seat: Panelist


class Extend(Command, frozen=True, tag="extend"):
    """Set limits anew; those that are absent stay as they are."""

    limits: Limits


class Conclude(Command, frozen=True, tag="verdict"):
    """End the discussion and come to a verdict now; the table rests after it."""


class Title(Command, frozen=True, tag="title"):
    """Call the table by another name than its topic; an empty one takes that back."""

    title: str


class Put(Command, frozen=True, tag="put"):
    """Lay material on the table, of which the bytes are kept and the text is read already: no caller's command."""

    name: str
    media_type: str
    form: Literal["text", "image"]
    size: int
    sha256: str
    text: str = ""
    pages: int = 0
    cut: bool = False
    author: str = ""


ANY = (
    Say | Pause | Resume | Close | Cancel | Retry | BargeIn | RaiseHand | LowerHand | Skip | Mute | Unmute
    | Add | Remove | Swap | Extend | Conclude | Title
)  # fmt: skip
"""The tagged union that the codec decodes: what callers may ask."""
INBOX = ANY | Put
"""What may stand in a table's inbox."""
