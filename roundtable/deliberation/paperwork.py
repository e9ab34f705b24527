"""What is asked for beside any method: by the kind of the turn, the brief of it."""

from collections.abc import Callable, Mapping

from protocol import kinds
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import summaries, verdicts
from roundtable.deliberation.brief import Brief

BRIEFS: Mapping[str, Callable[[Transcript, Turn], Brief]] = {
    kinds.VERDICT: verdicts.brief,
    kinds.SUMMARY: summaries.brief,
}
"""Turns of these kinds are planned by the agenda, not by a method."""
