"""Kinds of turns: what a model is asked for when it has the floor.

Words of a turn are for everybody unless its kind is paperwork: then they are read by a method (`findings`), and nobody
is sent them. A kind this version does not know is words.
"""

SPEECH = "speech"
ANSWER = "answer"
OPENING = "opening"
REBUTTAL = "rebuttal"
CLOSING = "closing"
PROPOSAL = "proposal"
ATTACK = "attack"
REVISION = "revision"
VERDICT = "verdict"
MODERATION = "moderation"
BID = "bid"
VOTE = "vote"
BALLOT = "ballot"
STANCES = "stances"
SUMMARY = "summary"
JUDGEMENT = "judgement"

PAPERWORK = frozenset({MODERATION, BID, VOTE, BALLOT, STANCES, SUMMARY, JUDGEMENT})
"""Kinds whose text is an answer to a question of the method, not a contribution."""


def is_heard(kind: str) -> bool:
    """Whether what is said in such a turn is part of the conversation."""
    return kind not in PAPERWORK
