"""What a person or a program may ask of a table. A command is a request: it may be refused, and says so."""

import msgspec

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


ANY = Say | Pause | Resume | Close | Cancel | Retry
"""The tagged union that the codec decodes."""
