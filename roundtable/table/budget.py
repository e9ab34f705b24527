"""What a table may still use: its limits held against its transcript. Pure; the clock's time is handed in."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from protocol.findings import BudgetWarned
from protocol.messages import Limits
from protocol.transcript import Transcript
from roundtable.policies.order import keeps_for_verdict, turns_left

# What a table gets when nobody set a limit: long enough to disagree, short enough to be read.
DEFAULT = Limits(max_rounds=3)

Limit = Literal["max_turns", "max_tokens", "max_seconds", "max_dollars"]


class Allowance(NamedTuple):
    """What a turn may use at the most, None without limit: tokens, read and written, and US dollars."""

    tokens: int | None = None
    dollars: float | None = None


# A table that comes to a verdict keeps its last turn for it, and this share of its seconds, tokens and dollars.
KEPT = 0.2
# The share of a limit from which on people are warned.
WARNED = 0.8


def has_to_spare(transcript: Transcript) -> bool:
    """Whether the table can afford a turn that it could end well without: one is left beside the verdict's, and more
    than a fifth of its tokens and dollars."""
    turns, tokens, dollars = turns_left(transcript), tokens_left(transcript), dollars_left(transcript)
    if transcript.concluding and turns is not None:
        turns -= 1
    limits = transcript.limits
    return (
        (turns is None or turns > 0)
        and (tokens is None or tokens > KEPT * (limits.max_tokens or 0))
        and (dollars is None or dollars > KEPT * (limits.max_dollars or 0))
    )


def tokens_left(transcript: Transcript) -> int | None:
    """Tokens, read and written, that the table may still use."""
    if transcript.limits.max_tokens is None:
        return None
    spent, base = transcript.spent, transcript.base
    return transcript.limits.max_tokens - (
        spent.tokens_in + spent.tokens_out - base.tokens_in - base.tokens_out
    )


def dollars_left(transcript: Transcript) -> float | None:
    """US dollars, by list price, that the table may still cost."""
    if transcript.limits.max_dollars is None:
        return None
    return transcript.limits.max_dollars - (transcript.spent.dollars - transcript.base.dollars)


def remaining(transcript: Transcript) -> Allowance:
    """What the turns that may begin now have together, when none is under way: without what is kept for the verdict."""
    tokens, dollars, limits = tokens_left(transcript), dollars_left(transcript), transcript.limits
    kept = KEPT if keeps_for_verdict(transcript) else 0.0
    return Allowance(
        None if tokens is None else tokens - int(kept * (limits.max_tokens or 0)),
        None if dollars is None else dollars - kept * (limits.max_dollars or 0.0),
    )


def share(transcript: Transcript, promised: Iterable[Allowance], among: int) -> Allowance:
    """An equal part of what is left, for one of `among` turns that begin together, when those under way use all that
    they were promised."""
    tokens, dollars = remaining(transcript)
    for each in promised:
        tokens = None if tokens is None else tokens - (each.tokens or 0)
        dollars = None if dollars is None else dollars - (each.dollars or 0.0)
    return Allowance(
        None if tokens is None else tokens // among, None if dollars is None else dollars / among
    )


def seconds_left(transcript: Transcript, now: float) -> float | None:
    """Seconds until no further turn begins, or once that is past until `max_seconds`, at Unix time `now`; None is
    without limit, or while the clock stands."""
    left = _seconds(transcript, now)
    if left is None or transcript.limits.max_seconds is None or not keeps_for_verdict(transcript):
        return left
    soft = left - KEPT * transcript.limits.max_seconds
    return soft if soft > 0 else left


def _seconds(transcript: Transcript, now: float) -> float | None:
    if transcript.limits.max_seconds is None or not transcript.running_since:
        return None
    used = transcript.spent.seconds - transcript.base.seconds + max(0.0, now - transcript.running_since)
    return transcript.limits.max_seconds - used


def is_over(transcript: Transcript, now: float) -> bool:
    """Whether the time is up for whoever speaks, too."""
    seconds = _seconds(transcript, now)
    return seconds is not None and seconds <= 0


def reached(transcript: Transcript, now: float) -> Limit | None:
    """The limit that lets no further turn start, if any: time first."""
    seconds = _seconds(transcript, now)
    kept = KEPT * (transcript.limits.max_seconds or 0) if keeps_for_verdict(transcript) else 0.0
    if seconds is not None and seconds <= kept:
        return "max_seconds"
    if turns_left(transcript) == 0:
        return "max_turns"
    tokens, dollars = remaining(transcript)
    if tokens is not None and tokens <= 0:
        return "max_tokens"
    if dollars is not None and dollars <= 0:
        return "max_dollars"
    return None


def may_begin_round(transcript: Transcript) -> bool:
    """Whether one round more is within `max_rounds`."""
    limit = transcript.limits.max_rounds
    return limit is None or transcript.round - transcript.base_round < limit


def warnings(transcript: Transcript) -> tuple[BudgetWarned, ...]:
    """Limits of which four fifths are used, each once a sitting. Rounds and turns are counted where everybody sees
    them: of those nobody is warned."""
    told = {each.name for each in transcript.found(BudgetWarned)}
    return tuple(
        BudgetWarned(round=transcript.round, name=name, used=used, limit=limit)
        for name, used, limit in _used(transcript)
        if name not in told and WARNED * limit <= used < limit  # past it the end says why
    )


def _used(transcript: Transcript) -> Iterator[tuple[Limit, float, float]]:
    """Of each limit in tokens, dollars and seconds, as of the last entry."""
    limits, seconds = transcript.limits, _seconds(transcript, transcript.at)
    if limits.max_tokens is not None:
        yield "max_tokens", limits.max_tokens - (tokens_left(transcript) or 0), limits.max_tokens
    if limits.max_dollars is not None:
        yield "max_dollars", limits.max_dollars - (dollars_left(transcript) or 0.0), limits.max_dollars
    if limits.max_seconds is not None and seconds is not None:
        yield "max_seconds", limits.max_seconds - seconds, limits.max_seconds
