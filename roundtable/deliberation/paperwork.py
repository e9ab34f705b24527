"""What is asked for beside any method: by the kind of the turn, the brief of it."""

from collections.abc import Callable, Mapping

from protocol import kinds
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import judging, reading, stances, summaries, verdicts
from roundtable.deliberation.brief import Brief


def _judgement(transcript: Transcript, turn: Turn) -> Brief:
    return judging.brief(transcript, turn, reading.complaint(transcript, turn))


def _stances(transcript: Transcript, turn: Turn) -> Brief:
    return stances.brief(transcript, turn, reading.complaint(transcript, turn))


BRIEFS: Mapping[str, Callable[[Transcript, Turn], Brief]] = {
    kinds.STANCES: _stances,
    kinds.VERDICT: verdicts.brief,
    kinds.JUDGEMENT: _judgement,
    kinds.SUMMARY: summaries.brief,
}
"""Turns of these kinds are planned by the agenda, not by a method."""
