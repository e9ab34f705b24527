"""What was said at a table, in order: what prompts are made of, and how much of it a prompt holds."""

from protocol import kinds
from protocol.transcript import Posted, Transcript, Turn

Said = Posted | Turn

# Characters of what was said that a prompt holds, with the fences around them: some 8,000 tokens. Three rounds of a
# full table (twelve seats, 150 words each) are as many, so that only longer discussions are summed up; and what a turn
# costs stops growing there, though most windows take far more.
ROOM = 32_000
# The same for who writes the verdict or a summary, once: about 25,000 tokens.
WHOLE_ROOM = 100_000
WHOLE = frozenset({kinds.VERDICT, kinds.SUMMARY})
"""Kinds that are sent as much of the record as the window takes."""
# Why a turn was ended where what had been said counts: it yielded to a person.
INTERRUPTED = "barge_in"


def record(transcript: Transcript) -> list[Said]:
    """Everything that others are sent, oldest first."""
    said: list[Said] = [*transcript.messages, *filter(is_told, transcript.turns)]
    return sorted(said, key=place)


def place(said: Said) -> int:
    """The entry at which it was begun."""
    return said.seq if isinstance(said, Posted) else said.started_seq


def name(said: Said) -> str:
    """The id of the turn or the message: the same in a fork, where entries have other numbers."""
    return said.message if isinstance(said, Posted) else said.turn


def placed(transcript: Transcript, id: str) -> int:
    """The place of the turn or message of that id; 0 for none."""
    return next((place(each) for each in reversed(record(transcript)) if name(each) == id), 0)


def is_told(turn: Turn) -> bool:
    """What was said to the end, or until a person took the floor; and never what was for a method to read."""
    ended = turn.status == "completed" or (turn.status == "cancelled" and turn.reason == INTERRUPTED)
    return ended and kinds.is_heard(turn.kind) and bool(turn.text.strip())
