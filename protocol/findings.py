"""What a table's owner found out while it was held: read from turns that were asked for it, counted, or measured.

A finding is an event like others, and kept in the transcript, where methods look it up. What a model was asked for in a
form (a bid, a ballot, stances) is read once, by the owner, and written down: nobody else has to understand it again.
"""

from typing import Literal

import msgspec

from protocol.event import Event
from protocol.messages import Cost

Position = Literal["support", "oppose", "unsure"]
Method = Literal["lexical", "embedding"]


class Finding(Event, frozen=True, kw_only=True):
    """Base of all findings. `round` is the one it is about."""

    round: int = 0


class Reading(Finding, frozen=True, kw_only=True):
    """Base of what was read from turn `turn` of `panelist`."""

    turn: str
    panelist: str


class TurnUnread(Reading, frozen=True, tag="turn.unread"):
    """What she said is not what was asked for; `detail` says what is missing, for her and for people."""

    kind: str
    detail: str


class SpeakerChosen(Reading, frozen=True, tag="speaker.chosen"):
    """A moderator gave `speaker` the floor, with a question and for a reason."""

    speaker: str
    question: str = ""
    reason: str = ""


class BidMade(Reading, frozen=True, tag="bid.made"):
    """How much she wants the floor, 0 (not at all) to 10, and what for."""

    urgency: int
    about: str = ""


class VoteCast(Reading, frozen=True, tag="vote.cast"):
    """For which side or option she is. `stage` is `before` or `after` a debate, or empty."""

    choice: str
    reason: str = ""
    stage: str = ""


class BallotCast(Reading, frozen=True, tag="ballot.cast"):
    """Panelists by how good she finds their answers, best first. `shown` is the order in which she was shown them."""

    ranking: list[str]
    shown: list[str] = msgspec.field(default_factory=list)


class Pair(msgspec.Struct, frozen=True):
    """How many ballots have `winner` before `loser`, of those that rank both; ours are the ones where it is more."""

    winner: str
    loser: str
    ballots: int
    of: int


class TallyCounted(Finding, frozen=True, tag="tally.counted"):
    """All ballots or votes of a round together. `scores` are Borda points per ballot (how many of the others it puts
    below) or votes by choice; `winner` has most of them, and `condorcet` beats every other in pairs; each is empty when
    there is none. Of `twice` pairs that a panelist was shown in both orders, `flipped` came out the other way round.
    `swing` is what a debate moved: votes after less votes before, by choice."""

    kind: str
    scores: dict[str, float]
    winner: str = ""
    condorcet: str = ""
    pairs: list[Pair] = msgspec.field(default_factory=list)
    swing: dict[str, int] = msgspec.field(default_factory=dict)
    ballots: int = 0
    twice: int = 0
    flipped: int = 0


class JudgementGiven(Reading, frozen=True, tag="judgement.given"):
    """How a judge ranks the answers of a discussion, best first, when she is shown them under a `variation`."""

    variation: str
    ranking: list[str]
    shown: list[str] = msgspec.field(default_factory=list)


class Variation(msgspec.Struct, frozen=True):
    """Who wins when something is done another way: a judgement under that variation, or the ballots by that rule.
    `winner` is empty where nobody does, and `detail` says why; `read` is false where the judge could not be read."""

    name: str
    winner: str = ""
    judge: str = ""
    detail: str = ""
    read: bool = True


class StressTested(Finding, frozen=True, tag="stress.tested"):
    """Whether `winner`, of the ballots or else of the judge, wins under every variation. `survives` is absent where
    that is not known: nobody won, or a judgement could not be read while no other speaks against her."""

    winner: str
    survives: bool | None
    variations: list[Variation] = msgspec.field(default_factory=list)


class ClaimMade(Finding, frozen=True, tag="claim.made"):
    """Something that can be agreed to or not, as the panel discusses it. `claim` is `c1`, `c2`, ..."""

    claim: str
    text: str
    by: str = ""
    turn: str = ""


class StanceTaken(Reading, frozen=True, tag="stance.taken"):
    """Where `panelist` stands on a claim in that round, as turn `turn` reads it. If that moved since an earlier round,
    `moved_by` is whose argument moved her, and `new_argument` is false when there was none that she had not heard.
    `quote` is what she said of it, and stands in her words of that round exactly so."""

    claim: str
    stance: Position
    reason: str = ""
    quote: str = ""
    moved: bool = False
    moved_by: str = ""
    new_argument: bool = True


class Entropy(Finding, frozen=True, tag="entropy"):
    """How far apart the round's positions are, from 0 (the same words, or the same place) to 1. `method` says by what
    it was measured, `model` by whose embeddings, which read so many `tokens`; it is dispersion, and no measure of
    agreement. `cost` absent is unknown, where a model was asked."""

    value: float
    method: Method
    model: str = ""
    voices: int = 0
    tokens: int = 0
    cost: Cost | None = None


class Converge(Finding, frozen=True, tag="converge"):
    """The dispersion fell below the table's threshold."""

    value: float
    threshold: float
    method: Method


class SummaryMade(Reading, frozen=True, tag="summary.made"):
    """What was said up to and with the turn or message `through`, for prompts that have no room for all of it."""

    through: str
    text: str


class Claim(msgspec.Struct, frozen=True):
    """A claim of a verdict and who stands where; who is named in none of the lists took no stance."""

    text: str
    supports: list[str] = msgspec.field(default_factory=list)
    opposes: list[str] = msgspec.field(default_factory=list)
    unsure: list[str] = msgspec.field(default_factory=list)


class Dissent(msgspec.Struct, frozen=True):
    """What one panelist holds against the answer, or against most of the others: in her own words, said in turn `turn`,
    or where that is empty in the chair's."""

    panelist: str
    text: str
    turn: str = ""


class Correction(msgspec.Struct, frozen=True):
    """The chair has `panelist` in favour of a claim (its text) that she opposes, or the other way round: `holds` is
    what her stance says, and what the verdict's claims go by."""

    panelist: str
    claim: str
    holds: Position


class VerdictGiven(Finding, frozen=True, tag="verdict.given"):
    """What the panel came to. `header` says in one line who answered and who did not, and is derived from the log.

    `answer` is the chair's synthesis in turn `turn`, and empty where there is none: then `missing` says why, and
    nothing stands in for it. `source` says where claims come from: `stances` were read each round, `chair` is the
    chair's word, and with neither there are none. `silent` are those who did not answer, and why; `cut` are those whom
    a deadline kept from ending what they said, though they may have answered before.
    """

    header: str
    answer: str = ""
    claims: list[Claim] = msgspec.field(default_factory=list)
    dissent: list[Dissent] = msgspec.field(default_factory=list)
    confidence: Literal["", "low", "medium", "high"] = ""
    why: str = ""
    chair: str = ""
    turn: str = ""
    missing: str = ""
    source: Literal["", "stances", "chair"] = ""
    answered: list[str] = msgspec.field(default_factory=list)
    silent: dict[str, str] = msgspec.field(default_factory=dict)
    cut: list[str] = msgspec.field(default_factory=list)
    corrections: list[Correction] = msgspec.field(default_factory=list)
    tally: TallyCounted | None = None


class BudgetWarned(Finding, frozen=True, tag="budget.warned"):
    """Four fifths of a limit are used. `used` and `limit` are in the limit's unit."""

    name: str
    used: float
    limit: float


class BudgetDegraded(Finding, frozen=True, tag="budget.degraded"):
    """What the table does without from here on so that it can end well: `fewer_rounds`, `cheaper_chair`, `no_ballots`,
    `no_votes`, `no_stances`, `no_synthesis`. `panelist` is who does it instead, where somebody does."""

    measure: str
    detail: str
    panelist: str = ""


class RoundForecast(Finding, frozen=True, tag="round.forecast"):
    """What the round that begins is likely to use: tokens read and written, US dollars if all prices are known."""

    tokens_in: int
    tokens_out: int
    dollars: float | None = None


ANY = (
    TurnUnread | SpeakerChosen | BidMade | VoteCast | BallotCast | TallyCounted | JudgementGiven
    | StressTested | ClaimMade | StanceTaken | Entropy
    | Converge | SummaryMade | VerdictGiven | BudgetWarned | BudgetDegraded | RoundForecast
)  # fmt: skip
"""The tagged union that the codec decodes."""
