"""What counts as said: contributions that were made to their end, or until a person took the floor."""

from protocol import kinds
from protocol.transcript import Transcript, Turn

INTERRUPTED = "barge_in"
"""The reason of a turn that yielded to a person: what was said until then counts."""


def counts(turn: Turn) -> bool:
    """Whether what she said in that turn is part of the conversation."""
    ended = turn.status == "completed" or (turn.status == "cancelled" and turn.reason == INTERRUPTED)
    return ended and kinds.is_heard(turn.kind) and bool(turn.text.strip())


def said(transcript: Transcript, since: int | None = None) -> list[Turn]:
    """Contributions of those who take part, after entry `since` (else: of this sitting), a verdict's words not among
    them."""
    first = transcript.base_seq if since is None else since
    part = {panelist.name for panelist in transcript.panel if not panelist.role}
    return [
        turn
        for turn in transcript.turns
        if turn.seq > first and counts(turn) and turn.kind != kinds.VERDICT and turn.panelist in part
    ]
