"""Who has nothing to add says so, and when everyone did the discussion is over."""

from protocol.transcript import Transcript, Turn
from roundtable.deliberation import ledger

PASS = "PASS"
MANNERS = f"If you have nothing new to add, answer with the one word {PASS}."
"""What a prompt says where passes count."""


def is_pass(text: str) -> bool:
    """Whether the words are a pass: that one, in any case and between any marks."""
    return _letters(text) == PASS.casefold()


def passed(turn: Turn) -> bool:
    """Whether she had nothing to add. No letter at all is nothing, and so is a blank reply, which is a failure."""
    if turn.status == "failed" and turn.error is not None:
        return turn.error.code == "empty"
    return turn.status == "completed" and _letters(turn.text) in ("", PASS.casefold())


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def everyone(transcript: Transcript) -> bool:
    """Whether everyone present passed in the last turn of this sitting, since a person last said something."""
    since = max((message.seq for message in transcript.messages), default=0)
    last = {turn.panelist: turn for turn in ledger.speeches(transcript) if turn.started_seq > since}
    present = [panelist.name for panelist in transcript.present()]
    return bool(present) and all(name in last and passed(last[name]) for name in present)
