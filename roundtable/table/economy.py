"""What a table does without so that it can end well, and says so: a round that it cannot pay, a chair that it cannot.

Asked before a round begins and before a verdict is asked for; never in the middle of either.
"""

from protocol import kinds
from protocol.findings import BudgetDegraded, RoundForecast
from protocol.messages import Panelist
from protocol.transcript import Transcript
from roundtable.deliberation import officers
from roundtable.policies import Seat
from roundtable.table import budget, forecast
from roundtable.table.budget import Limit
from roundtable.table.forecast import Expected


def is_told(transcript: Transcript, coming: RoundForecast) -> bool:
    """Whether a forecast is worth an entry: tokens or dollars are limited, or the round costs something."""
    limits = transcript.limits
    return limits.max_tokens is not None or limits.max_dollars is not None or bool(coming.dollars)


def fewer_rounds(transcript: Transcript, coming: RoundForecast) -> tuple[BudgetDegraded, Limit] | None:
    """Why the next round is not begun, and the limit; None when it is. One round of a sitting is held in any case."""
    if transcript.round == transcript.base_round or not (coming.tokens_in or coming.tokens_out):
        return None
    verdict = _verdict(transcript)
    tokens, dollars = budget.tokens_left(transcript), budget.dollars_left(transcript)
    needed = coming.tokens_in + coming.tokens_out + (verdict.tokens if verdict else 0)
    after = " and the verdict" if verdict else ""
    if tokens is not None and needed > tokens:
        detail = f"Another round{after} would take some {needed:,} tokens; {max(0, tokens):,} are left."
        return BudgetDegraded(round=transcript.round, measure="fewer_rounds", detail=detail), "max_tokens"
    price = (coming.dollars or 0.0) + ((verdict.dollars or 0.0) if verdict else 0.0)
    if dollars is not None and price > dollars:
        detail = f"Another round{after} would cost some {_money(price)}; {_money(dollars)} is left."
        return BudgetDegraded(round=transcript.round, measure="fewer_rounds", detail=detail), "max_dollars"
    return None


def at_verdict(transcript: Transcript, queue: tuple[Seat, ...]) -> BudgetDegraded | None:
    """Who writes the verdict instead of the chair, or that nobody does, where her model is too dear for what is left;
    None when she can, or that was settled before."""
    seats = [seat for seat in queue if seat.kind == kinds.VERDICT]
    left = budget.dollars_left(transcript)
    if not seats or left is None or was_told(transcript, "cheaper_chair", "no_synthesis"):
        return None
    chair = transcript.seat(seats[0].panelist)
    price = forecast.of_verdict(transcript, chair).dollars if chair else None
    if chair is None or price is None or price <= left:
        return None
    why = f"The verdict would cost some {_money(price)} with {chair.name}; {_money(left)} is left."
    other = _cheapest(transcript, left)
    if other is None:
        return BudgetDegraded(round=transcript.round, measure="no_synthesis", detail=why)
    return BudgetDegraded(
        round=transcript.round,
        measure="cheaper_chair",
        detail=f"{why} {other.name} writes it.",
        panelist=other.name,
    )


def was_told(transcript: Transcript, *measures: str) -> bool:
    """Whether people know of one of these measures in this sitting."""
    return any(saving.measure in measures for saving in transcript.found(BudgetDegraded))


def _verdict(transcript: Transcript) -> Expected | None:
    chair = officers.chair(transcript)
    return forecast.of_verdict(transcript, chair) if transcript.verdict and chair else None


def _cheapest(transcript: Transcript, left: float) -> Panelist | None:
    """Who is here and can write it for what is left, the cheapest first."""
    found = [(forecast.of_verdict(transcript, each).dollars, each) for each in transcript.here()]
    able = [(price, each) for price, each in found if price is not None and price <= left]
    return min(able, key=lambda pair: pair[0])[1] if able else None


def _money(dollars: float) -> str:
    return f"${max(0.0, dollars):.4f}"
