"""What a table may still use: its limits held against its transcript. Pure; the clock's time is handed in."""

from protocol.messages import Limits
from protocol.transcript import Transcript

# What a table gets when nobody set a limit: long enough to disagree, short enough to be read.
DEFAULT = Limits(max_rounds=3)


def turns_left(transcript: Transcript) -> int | None:
    """Turns that may still start, queued ones not deducted; None is without limit."""
    if transcript.limits.max_turns is None:
        return None
    return max(0, transcript.limits.max_turns - (transcript.spent.turns - transcript.base.turns))


def tokens_left(transcript: Transcript) -> int | None:
    """Tokens, read and written, that the table may still use."""
    if transcript.limits.max_tokens is None:
        return None
    spent, base = transcript.spent, transcript.base
    return transcript.limits.max_tokens - (
        spent.tokens_in + spent.tokens_out - base.tokens_in - base.tokens_out
    )


def seconds_left(transcript: Transcript, now: float) -> float | None:
    """Seconds until `max_seconds`, at Unix time `now`; None is without limit, or while the clock stands."""
    if transcript.limits.max_seconds is None or not transcript.running_since:
        return None
    used = transcript.spent.seconds - transcript.base.seconds + max(0.0, now - transcript.running_since)
    return transcript.limits.max_seconds - used


def reached(transcript: Transcript, now: float) -> str:
    """The name of the limit that lets no further turn start, or nothing."""
    if turns_left(transcript) == 0:
        return "max_turns"
    tokens = tokens_left(transcript)
    if tokens is not None and tokens <= 0:
        return "max_tokens"
    seconds = seconds_left(transcript, now)
    if seconds is not None and seconds <= 0:
        return "max_seconds"
    limit = transcript.limits.max_dollars
    if limit is not None and transcript.spent.dollars - transcript.base.dollars >= limit:
        return "max_dollars"
    return ""


def may_begin_round(transcript: Transcript) -> bool:
    """Whether one round more is within `max_rounds`."""
    limit = transcript.limits.max_rounds
    return limit is None or transcript.round - transcript.base_round < limit
