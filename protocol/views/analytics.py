"""What a table did and what it cost, in figures: a pure function of the Transcript, so alike live and closed."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

import msgspec

from protocol import kinds
from protocol.transcript import Transcript, Turn


class Figures(msgspec.Struct, frozen=True):
    """Of the turns of one panelist, or of all. Times are in seconds; None: there is nothing to measure it by.

    `turns`: that had the floor; `open`: that have it now.
    `first_token_median`, `first_token_p95`: from having the floor to the first word or thought, waits before another
    attempt included, over turns that came so far; the percentile is a nearest rank.
    `tokens_per_second`: output tokens, thinking included, by the time from the first of them to the end of the turn;
    over ended turns in which that took time.
    `speaking_seconds`: from the first word or thought to the end, as far as it is told. `share_of_time` and
    `share_of_tokens`: of all panelists' together, from 0 to 1.
    `words`: of what was said, by white space; answers to a form (a vote, stances) are not among them.
    `dollars` by list price: a lower bound while `unpriced`, the ended turns whose price is unknown, is not 0.
    `cached`: input tokens that the vendor read from its cache. `estimated`: turns whose tokens we counted ourselves.
    `failures`: failed turns by error code. `retries`: attempts after the first.
    `interruptions`: turns cancelled once they had the floor, by reason. `cut`: those ended by the token limit.
    """

    turns: int
    open: int
    completed: int
    failed: int
    cancelled: int
    first_token_median: float | None
    first_token_p95: float | None
    tokens_per_second: float | None
    speaking_seconds: float
    share_of_time: float | None
    share_of_tokens: float | None
    words: int
    tokens_in: int
    tokens_out: int
    thinking: int
    cached: int
    estimated: int
    dollars: float
    unpriced: int
    failures: dict[str, int]
    retries: int
    interruptions: dict[str, int]
    cut: int


class Analytics(msgspec.Struct, frozen=True):
    """A table's figures at `cursor`; `panelists` by name, in the order of their seats. `seconds`: it was open and not
    paused, up to its newest entry. `messages`: what people said."""

    cursor: str
    status: str
    seconds: float
    rounds: int
    messages: int
    table: Figures
    panelists: dict[str, Figures]


def analyse(t: Transcript) -> Analytics:
    """The figures of a table."""
    began = [turn for turn in t.turns if turn.started_at]
    names = dict.fromkeys([panelist.name for panelist in t.panel] + [turn.panelist for turn in began])
    running = max(0.0, t.at - t.running_since) if t.running_since else 0.0
    return Analytics(
        cursor=t.cursor,
        status=t.status,
        seconds=round(t.spent.seconds + running, 3),
        rounds=t.round,
        messages=len(t.messages),
        table=_figures(began, began, t.at),
        panelists={
            name: _figures([turn for turn in began if turn.panelist == name], began, t.at) for name in names
        },
    )


def _figures(turns: Sequence[Turn], everyones: Sequence[Turn], now: float) -> Figures:
    waits = sorted(turn.first_at - turn.started_at for turn in turns if turn.first_at)
    usages = [turn.usage for turn in turns if turn.usage]
    tokens_out = sum(usage.output for usage in usages)
    states = Counter(turn.status for turn in turns)
    return Figures(
        turns=len(turns),
        open=states["started"],
        completed=states["completed"],
        failed=states["failed"],
        cancelled=states["cancelled"],
        first_token_median=round(median(waits), 3) if waits else None,
        first_token_p95=round(waits[-(-len(waits) * 95 // 100) - 1], 3) if waits else None,
        tokens_per_second=_rate(turns),
        speaking_seconds=round(_speaking(turns, now), 3),
        share_of_time=_share(_speaking(turns, now), _speaking(everyones, now)),
        share_of_tokens=_share(tokens_out, sum(turn.usage.output for turn in everyones if turn.usage)),
        words=sum(len(turn.text.split()) for turn in turns if kinds.is_heard(turn.kind)),
        tokens_in=sum(usage.input for usage in usages),
        tokens_out=tokens_out,
        thinking=sum(usage.thinking for usage in usages),
        cached=sum(usage.cached for usage in usages),
        estimated=sum(usage.estimated for usage in usages),
        dollars=round(sum(turn.cost.dollars for turn in turns if turn.cost), 12),
        unpriced=sum(bool(turn.ended_at) and turn.cost is None for turn in turns),
        failures=dict(Counter(turn.error.code for turn in turns if turn.status == "failed" and turn.error)),
        retries=sum(turn.attempt - 1 for turn in turns),
        interruptions=dict(Counter(turn.reason for turn in turns if turn.status == "cancelled")),
        cut=sum(turn.stop_reason == "length" for turn in turns),
    )


def _rate(turns: Sequence[Turn]) -> float | None:
    spoken = [
        (turn.usage.output, turn.ended_at - turn.first_at)
        for turn in turns
        if turn.usage and turn.first_at and turn.ended_at > turn.first_at
    ]
    seconds = sum(each for _, each in spoken)
    return round(sum(tokens for tokens, _ in spoken) / seconds, 1) if seconds else None


def _speaking(turns: Sequence[Turn], now: float) -> float:
    return sum(max(0.0, (turn.ended_at or now) - turn.first_at) for turn in turns if turn.first_at)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
