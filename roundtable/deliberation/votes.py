"""Votes for or against a motion, in secret, before a debate and after it: asked for, read and counted."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from protocol import kinds
from protocol.findings import ANY, TallyCounted, TurnUnread, VoteCast
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import record
from roundtable.deliberation.answers import Unread, named, one_line, parse, plain

Stage = Literal["before", "after"]
FOR, AGAINST, UNDECIDED = CHOICES = ("for", "against", "undecided")
_MEANT = {each: each for each in CHOICES} | {
    "for the motion": FOR, "in favor": FOR, "in favour": FOR, "yes": FOR,
    "against the motion": AGAINST, "no": AGAINST, "abstain": UNDECIDED,
}  # fmt: skip
SPEECHES = frozenset({kinds.OPENING, kinds.REBUTTAL, kinds.CLOSING})
"""Kinds of turns that a debate consists of: a vote comes before all of them, or after."""
QUESTIONS: Mapping[str, Stage] = {f"Where do you stand {when} the debate?": when for when in get_args(Stage)}
"""What is put to a voter; it stays with her turn whatever becomes of it."""
# Tokens: a line of JSON, and room for a model that thinks first.
MOST = 1_000
# Characters of a reason that are kept: two sentences.
REASON = 300

TASK = """\
Vote on the motion, {name}: what you think yourself, whatever side you speak for. Nobody at the table is shown your \
vote. The motion is {motion}; where that is a question, `for` is yes. {when}
Answer with one JSON object and nothing else, the vote in one of these words: \
{{"vote": "for" | "against" | "undecided", "reason": "one sentence"}}"""


class _Vote(msgspec.Struct):
    vote: str
    reason: object = None


def stage(transcript: Transcript, turn: Turn) -> Stage:
    """Whether that vote is before the debate of its sitting, or after it. One that a person asked for again had no
    question put to it, and is told by what was said before."""
    if turn.question in QUESTIONS:
        return QUESTIONS[turn.question]
    debated = any(each.kind in SPEECHES and each.seq < turn.seq for each in transcript.sitting())
    return "after" if debated else "before"


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """The vote; one word and no more is one. Raises `Unread`."""
    vote = _Vote(turn.text) if named(turn.text, _MEANT) else parse(turn.text, _Vote)
    said = named(vote.vote, _MEANT)
    if said is None:
        raise Unread(f"{vote.vote[:40]!r} is none of {', '.join(CHOICES)}.")
    cast = VoteCast(
        turn=turn.turn,
        panelist=turn.panelist,
        round=turn.round,
        choice=_MEANT[said],
        reason=one_line(plain(vote.reason), REASON),
        stage=stage(transcript, turn),
    )
    return [cast]


def asked(transcript: Transcript, name: str, when: Stage) -> list[Turn]:
    """Her turns to vote at that stage, in order."""
    return [
        turn
        for turn in transcript.sitting()
        if turn.kind == kinds.VOTE and turn.panelist == name and stage(transcript, turn) == when
    ]


def owed(transcript: Transcript, when: Stage) -> list[str]:
    """Who is here and was not asked for her vote yet, or once, and it could not be read or we stopped. Who is silent
    abstains."""
    unread = {each.turn for each in transcript.found(TurnUnread)}
    unread |= {turn.turn for turn in transcript.of("failed") if record.stopped_by_us(turn)}
    owing = []
    for panelist in transcript.present():
        turns = asked(transcript, panelist.name, when)
        if not turns or (len(turns) == 1 and turns[0].turn in unread):
            owing.append(panelist.name)
    return owing


def cast(transcript: Transcript, when: Stage) -> dict[str, str]:
    """By name what she voted at that stage, by her last vote."""
    return {vote.panelist: vote.choice for vote in transcript.found(VoteCast) if vote.stage == when}


def count(transcript: Transcript) -> TallyCounted:
    """The votes after the debate. The winner is the side that has more of them, and nobody if they are equal; the swing
    is of those alone who voted both times, so that a vote that is missing moves nothing."""
    before, after = cast(transcript, "before"), cast(transcript, "after")
    scores = Counter(dict.fromkeys(CHOICES, 0))
    scores.update(after.values())
    both = before.keys() & after.keys()
    swing = Counter(dict.fromkeys(CHOICES, 0))
    swing.update(after[name] for name in both)
    swing.subtract(before[name] for name in both)
    lead = scores[FOR] - scores[AGAINST]
    return TallyCounted(
        round=transcript.round,
        kind=kinds.VOTE,
        scores={choice: float(votes) for choice, votes in scores.items()},
        winner=FOR if lead > 0 else AGAINST if lead < 0 else "",
        swing=dict(swing),
        ballots=len(after),
    )
