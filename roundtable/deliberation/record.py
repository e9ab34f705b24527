"""What was said at a table, in order: what prompts are made of, and how much of it a prompt holds."""

from protocol import kinds
from protocol.transcript import Posted, Transcript, Turn
from roundtable.deliberation import ledger, passes

Said = Posted | Turn

# Characters of what was said that a prompt holds, with the fences around them: some 8,000 tokens. Three rounds of a
# full table (twelve seats, 150 words each) are as many, so that only longer discussions are summed up; and what a turn
# costs stops growing there, though most windows take far more.
ROOM = 32_000
# The same for who writes the verdict or a summary, once: about 25,000 tokens.
WHOLE_ROOM = 100_000
WHOLE = frozenset({kinds.VERDICT, kinds.SUMMARY})
"""Kinds that are sent as much of the record as the window takes."""
BARGE_IN = "barge_in"
"""The reason of a turn that yielded to a person: what was said until then counts."""
INTERRUPTED = "interrupted"
"""The code of the error of a turn that ended because its server stopped or was lost."""


def counts(turn: Turn) -> bool:
    """Whether what she said in that turn is part of the conversation: it was said to the end, or until a person took
    the floor, and was not for a method to read."""
    ended = turn.status == "completed" or (turn.status == "cancelled" and turn.reason == BARGE_IN)
    return ended and kinds.is_heard(turn.kind) and bool(turn.text.strip())


def is_whole(turn: Turn) -> bool:
    """Whether she said something, and to the end."""
    return turn.status == "completed" and bool(turn.text.strip())


def stopped_by_us(turn: Turn) -> bool:
    """Whether it was our own stopping that ended it, and nobody's doing at the table."""
    return turn.error is not None and turn.error.code == INTERRUPTED


def said(transcript: Transcript, since: int | None = None) -> list[Turn]:
    """What those who take part contributed after entry `since` (else: in this sitting): speeches whose words count, and
    are more than a pass."""
    first = transcript.base_seq if since is None else since
    part = {panelist.name for panelist in transcript.panel if not panelist.role}
    return [
        turn
        for turn in transcript.turns
        if turn.seq > first
        and turn.panelist in part
        and ledger.is_speech(turn)
        and counts(turn)
        and not passes.passed(turn)
    ]


def record(transcript: Transcript) -> list[Said]:
    """Everything that others are sent, oldest first."""
    told: list[Said] = [*transcript.messages, *filter(counts, transcript.turns)]
    return sorted(told, key=place)


def place(said: Said) -> int:
    """The entry at which it was begun."""
    return said.seq if isinstance(said, Posted) else said.started_seq


def name(said: Said) -> str:
    """The id of the turn or the message: the same in a fork, where entries have other numbers."""
    return said.message if isinstance(said, Posted) else said.turn


def placed(transcript: Transcript, id: str) -> int:
    """The place of the turn or message of that id; 0 for none."""
    return next((place(each) for each in reversed(record(transcript)) if name(each) == id), 0)
