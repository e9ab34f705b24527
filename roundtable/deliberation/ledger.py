"""The speaking-time ledger: who had how much of the floor, and who may have it next. Paperwork is not speaking."""

from protocol import kinds
from protocol.transcript import Transcript, Turn


def is_speech(turn: Turn) -> bool:
    """Whether the turn is a contribution to the discussion: no paperwork, and not its verdict."""
    return kinds.is_heard(turn.kind) and turn.kind != kinds.VERDICT


def speeches(transcript: Transcript) -> list[Turn]:
    """Contributions of this sitting, in the order in which they were queued, however they ended."""
    return [turn for turn in transcript.sitting() if is_speech(turn)]


def spoken(transcript: Transcript) -> dict[str, int]:
    """Tokens by panelist since the table opened, thinking included, in speeches that completed, failed or were cut."""
    tokens = {panelist.name: 0 for panelist in transcript.panel}
    for turn in transcript.turns:
        if is_speech(turn) and turn.usage:
            tokens[turn.panelist] += turn.usage.output
    return tokens


def last_speaker(transcript: Transcript) -> str:
    """Who had the floor last, in this sitting or an earlier one; who was passed over has not had it. Empty: nobody."""
    begun = [turn for turn in transcript.turns if turn.started_seq and is_speech(turn)]
    return max(begun, key=lambda turn: turn.started_seq).panelist if begun else ""


def candidates(transcript: Transcript) -> list[str]:
    """Who may speak next, in seat order: everyone who takes part and is present, but for the last speaker while there
    is another."""
    names = [panelist.name for panelist in transcript.present()]
    last = last_speaker(transcript)
    return [name for name in names if name != last] or names


def least_heard(transcript: Transcript) -> str:
    """The one of the candidates who spoke least, by tokens; ties go by seat. There must be one."""
    tokens = spoken(transcript)
    return min(candidates(transcript), key=lambda name: tokens[name])


def waited(transcript: Transcript) -> dict[str, int]:
    """By panelist, how many speeches of this sitting there were since hers; all, for who had none. Who was skipped
    had hers."""
    held = speeches(transcript)
    waits = {panelist.name: len(held) for panelist in transcript.panel}
    for since, turn in enumerate(reversed(held)):
        if waits[turn.panelist] == len(held):
            waits[turn.panelist] = since
    return waits
