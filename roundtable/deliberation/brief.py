"""What a turn is asked for, and what of the table its prompt shows: the same for everyone who computes it again."""

import msgspec

from protocol.messages import Panelist
from protocol.transcript import Transcript, Turn


class Brief(msgspec.Struct, frozen=True):
    """How one turn's prompt differs from the table as it stands.

    `task` is asked at its end; empty: she simply has the floor. Turns in `unheard` are not in it. `aliases` are names
    by which the reader knows panelists instead of theirs: with any, her own words are shown among the others', under
    her alias. A `clerk` is asked for a record of what was said, without the manners of a discussion. `most` bounds the
    answer, in tokens. With `through` nothing is in it that was begun after that turn or message.
    """

    task: str = ""
    unheard: frozenset[str] = frozenset()
    aliases: dict[str, str] = {}
    clerk: bool = False
    most: int | None = None
    through: str | None = None


def same_round(transcript: Transcript, turn: Turn) -> frozenset[str]:
    """What others said in that turn's round: what is unheard where all speak at once."""
    return frozenset(
        each.turn for each in transcript.turns if each.round == turn.round and each.panelist != turn.panelist
    )


def aliases(panel: list[Panelist], label: str = "Panelist") -> dict[str, str]:
    """`Panelist A`, `Panelist B`, ... in the order given."""
    return {panelist.name: f"{label} {chr(ord('A') + place)}" for place, panelist in enumerate(panel)}
