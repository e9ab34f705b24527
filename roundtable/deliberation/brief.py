"""What a turn is asked for, and what of the table its prompt shows: the same for everyone who computes it again."""

import hashlib
import re
from collections.abc import Iterable, Mapping

import msgspec

from protocol.transcript import Transcript, Turn
from roundtable.deliberation.fences import fenced

TOPIC = "the topic"


class Brief(msgspec.Struct, frozen=True):
    """How one turn's prompt differs from the table as it stands.

    `task` is asked at its end; empty: she simply has the floor. Turns and messages in `unheard` are not in it.
    `aliases` are names by which the reader knows panelists instead of theirs: with any, her own words are shown among
    the others', under her alias. Who is `veiled` is not told who sits there. Turns in `order` are shown in that order,
    at the places they had. A `clerk` is asked for a record of what was said, without the manners of a discussion.
    `most` bounds the answer, in tokens. With `through` nothing is in it that was begun after that turn or message.
    """

    task: str = ""
    unheard: frozenset[str] = frozenset()
    aliases: dict[str, str] = {}
    veiled: bool = False
    order: tuple[str, ...] = ()
    clerk: bool = False
    most: int | None = None
    through: str | None = None


def said(by: str, text: str) -> str:
    """Somebody's words as data within a task: nothing in them opens or closes a tag."""
    return fenced("said", text.replace("<", "&lt;"), by=by)


def same_round(transcript: Transcript, turn: Turn) -> frozenset[str]:
    """What others said in that turn's round: what is unheard where all speak at once."""
    return frozenset(
        each.turn for each in transcript.turns if each.round == turn.round and each.panelist != turn.panelist
    )


def renamed(text: str, aliases: Mapping[str, str]) -> str:
    """The words with the names in them as the reader knows them, all at once: an alias may hold another's name."""
    if not aliases:
        return text
    names = "|".join(re.escape(name) for name in sorted(aliases, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{names})(?!\w)", lambda found: aliases[found[0]], text)


def drawn(items: Iterable[str], lot: str) -> list[str]:
    """In an order that `lot` alone decides, and is the same on every machine for ever: by SHA-256 of it with the item
    behind it."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{lot}{item}".encode()).digest())


def subject(transcript: Transcript) -> str:
    """What a method is to work on: the topic, or what a person asked all since the sitting before."""
    last = max((turn.started_seq for turn in transcript.turns if turn.seq < transcript.base_seq), default=0)
    asked = any(not message.to and message.seq > last for message in transcript.messages)
    return TOPIC if not last or not asked else "the last question that a person put to all"
