"""A motion, two sides, and a vote before and after: the swing is what the debate moved.

The topic is the motion. Sides are dealt by seat, every second one for it; the table's seed decides which side the first
seat takes, and nobody's opinion does. With an odd number one is left undecided: she puts a question to both sides
before each rebuttal, and takes the place of whoever leaves. All vote in secret, then come openings, rebuttals and
closings, one speech each, the sides in turn; then all vote again. Openings are round 1, closings round `max_rounds`
(three where nothing is set, ten at the most), and every round between them is a rebuttal; with fewer than three the
rest is held in the last one. A vote that cannot be read is asked for once more, then she abstains. Where `max_turns`
has no room for the votes there are none, and it is said.
"""

from itertools import zip_longest

from msgspec.structs import replace

from protocol.findings import BudgetDegraded, Finding, TallyCounted
from protocol.kinds import CLOSING, OPENING, REBUTTAL, SPEECH, VERDICT, VOTE
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import votes
from roundtable.deliberation.brief import Brief, subject
from roundtable.deliberation.paperwork import BRIEFS
from roundtable.deliberation.reading import complaint
from roundtable.deliberation.votes import AGAINST, FOR
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat

ROUNDS = 3
# Each side has then rebutted eight times; `max_rounds` may be a million.
MOST_ROUNDS = 10
SIDES = {f"{side} the motion": side for side in (FOR, AGAINST)}
"""By what is said of a speaker on the stage, her side."""
UNDECIDED = "undecided, asks both sides"
NO_VOTES = "no_votes"

_SPEAK = """\
This is a debate on a motion: {motion}. You speak {side} it, {name} (where it is a question, `for` says yes), whatever \
you think yourself. {company}{part} At most about 200 words."""

_PARTS = {
    OPENING: "This is your opening: make your side's case by its two or three strongest reasons.",
    REBUTTAL: "This is a rebuttal: take the other side's strongest reason, by who gave it, and answer it; then answer "
    "what was said against yours, and any question that was put. Nothing that was said already.",
    CLOSING: "This is your closing: what the debate has come down to, and why your side has the better of it. No new "
    "reasons.",
}

_ASK = """\
This is a debate on a motion: {motion}. You are on neither side, {name}. Put one question to each side, the one whose \
answer would decide you. At most about 60 words."""


class Debate:
    """Implements `TurnPolicy`."""

    name = "debate"
    title = "Debate"
    summary = (
        "Two sides for and against a motion: openings, rebuttals, closings, and a vote before and after."
    )
    blind = False
    verdict = True
    stances = False  # who speaks for a side need not hold it: the votes tell who stands where
    least = 2

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        plan = order.together(transcript, frozenset({VOTE}))
        if plan is not None:
            return plan
        opened = _held(transcript, OPENING, 0)
        if not opened and (plan := _vote_first(transcript)):
            return plan
        step = _phase(transcript)
        seats = _seats(transcript, step[0]) if step else ()
        if why := _why_over(transcript, step, seats):
            return (_vote_again(transcript) if opened else None) or Plan(end=why)
        begins = step is not None and step[1] > transcript.round
        return Plan(round=transcript.round + 1 if begins else None, queue=seats)

    def brief(self, transcript: Transcript, turn: Turn) -> Brief | None:
        """A speech for her side, a question, a vote, and how the vote came out for the chair."""
        motion, name = subject(transcript), turn.panelist
        if turn.kind == VERDICT:
            chair = BRIEFS[VERDICT](transcript, turn)
            return replace(chair, task=f"{chair.task}\n\n{_outcome(transcript)}")
        if turn.kind == VOTE:
            return Brief(task=_ballot(transcript, turn, motion), most=votes.MOST)
        if turn.reason == UNDECIDED:
            return Brief(task=_ASK.format(motion=motion, name=name))
        side = SIDES.get(turn.reason)
        if side is None or turn.kind not in votes.SPEECHES:
            return None
        own, other = _speakers(transcript)[:: 1 if side == FOR else -1]
        company = _company([each for each in own if each != name], other)
        part = _PARTS[turn.kind]
        return Brief(task=_SPEAK.format(motion=motion, side=side, name=name, company=company, part=part))

    def settle(self, transcript: Transcript) -> tuple[Finding, ...]:
        """The tally, if somebody voted after the debate and it was not counted."""
        uncounted = votes.cast(transcript, "after") and _tally(transcript) is None
        return (votes.count(transcript),) if uncounted else ()


def sides(transcript: Transcript) -> dict[str, str]:
    """By name the side of each who is here; who is in neither is undecided. Whoever spoke for a side stays there; the
    others go by seat, but where one side is smaller to that."""
    spoke = {turn.panelist: SIDES[turn.reason] for turn in transcript.sitting() if turn.reason in SIDES}
    here = [panelist.name for panelist in transcript.present()]
    dealt = {name: spoke[name] for name in here if name in spoke}
    seats = [panelist.name for panelist in transcript.panel if not panelist.role]
    last = ""
    for name in (name for name in here if name not in spoke):
        lead = _lead(dealt)
        by_seat = (seats.index(name) + transcript.seed) % 2 == 0
        dealt[name] = FOR if lead < 0 or (lead == 0 and by_seat) else AGAINST
        last = name
    if last and len(dealt) > 1 and _lead(dealt) == (1 if dealt[last] == FOR else -1):
        del dealt[last]  # nobody is left to speak against her
    return dealt


def _lead(dealt: dict[str, str]) -> int:
    """How many more are for it than against."""
    return sum(1 if side == FOR else -1 for side in dealt.values())


def _speakers(transcript: Transcript) -> tuple[list[str], list[str]]:
    dealt = sides(transcript)
    for_it, against = ([name for name, side in dealt.items() if side == one] for one in (FOR, AGAINST))
    return for_it, against


def _seats(transcript: Transcript, kind: str) -> tuple[Seat, ...]:
    """The speeches of a phase, the sides in turn; the one left over asks before a rebuttal."""
    reasons = list(SIDES)
    seats = [
        Seat(name, kind, reason=reason)
        for pair in zip_longest(*_speakers(transcript))
        for name, reason in zip(pair, reasons, strict=True)
        if name is not None
    ]
    if kind == REBUTTAL:
        dealt = sides(transcript)
        left = [panelist.name for panelist in transcript.present() if panelist.name not in dealt]
        seats = [Seat(name, SPEECH, reason=UNDECIDED) for name in left] + seats
    return tuple(seats)


def _phase(transcript: Transcript) -> tuple[str, int] | None:
    """The next kind of speeches and the round they are for; None when all were held."""
    if _held(transcript, CLOSING, 0):
        return None
    last = min(transcript.limits.max_rounds or ROUNDS, MOST_ROUNDS)
    phases = [OPENING, *[REBUTTAL] * max(1, last - 2), CLOSING]
    for place, kind in enumerate(phases, 1):
        round = transcript.base_round + min(place, last)
        if not _held(transcript, kind, round):
            return kind, round
    return None


def _why_over(transcript: Transcript, step: tuple[str, int] | None, seats: tuple[Seat, ...]) -> str:
    """Why there are no further speeches; empty while there are. Where people voted, turns are kept to vote again."""
    if step is None:
        return "max_rounds"
    if not all(_speakers(transcript)):
        return order.ONE_SIDE
    votes_kept = len(transcript.present()) if _voted(transcript) else 0
    return "" if not votes_kept or order.affords(transcript, len(seats) + votes_kept) else "max_turns"


def _held(transcript: Transcript, kind: str, round: int) -> bool:
    """Whether such speeches were given, or were to be, in that round or a later one."""
    return any(
        turn.kind == kind and turn.round >= round and turn.reason != order.ASKED
        for turn in transcript.sitting()
    )


# -- votes -------------------------------------------------------------------------------------------------------


def _voted(transcript: Transcript) -> bool:
    return any(turn.kind == VOTE for turn in transcript.sitting())


def _tally(transcript: Transcript) -> TallyCounted | None:
    return next((each for each in transcript.found(TallyCounted) if each.kind == VOTE), None)


def _vote_first(transcript: Transcript) -> Plan | None:
    """The votes before the debate, or why there are none."""
    here = len(transcript.present())
    if any(each.measure == NO_VOTES for each in transcript.found(BudgetDegraded)):
        return None
    if not _voted(transcript) and not order.affords(transcript, 3 * here):
        detail = "The turns that are left are for speeches; nobody votes."
        return Plan(note=(BudgetDegraded(measure=NO_VOTES, detail=detail),))
    begins = transcript.round == transcript.base_round
    seats = _voters(transcript, "before")
    return Plan(round=transcript.round + 1 if begins else None, queue=seats) if seats else None


def _vote_again(transcript: Transcript) -> Plan | None:
    """The votes after the debate, then their count; None when that is done, or nobody voted before."""
    if not _voted(transcript) or _tally(transcript):
        return None
    seats = _voters(transcript, "after")
    return Plan(queue=seats) if seats else Plan(note=(votes.count(transcript),))


def _voters(transcript: Transcript, when: votes.Stage) -> tuple[Seat, ...]:
    question = next(question for question, stage in votes.QUESTIONS.items() if stage == when)
    reason = f"votes {when} the debate"
    return tuple(Seat(name, VOTE, reason, question) for name in votes.owed(transcript, when))


def _ballot(transcript: Transcript, turn: Turn, motion: str) -> str:
    when = votes.stage(transcript, turn)
    told = "The debate has not begun." if when == "before" else "The debate is over: say where you stand now."
    again = complaint(transcript, turn) if len(votes.asked(transcript, turn.panelist, when)) > 1 else ""
    return "\n".join(filter(None, [again, votes.TASK.format(name=turn.panelist, motion=motion, when=told)]))


def _company(own: list[str], other: list[str]) -> str:
    beside = f"Beside you speaks {' and '.join(own)}. " if own else ""
    return f"{beside}On the other side: {' and '.join(other)}. " if other else beside


def _outcome(transcript: Transcript) -> str:
    """Who spoke for what and how the vote came out, for the chair."""
    spoke = {turn.panelist: turn.reason for turn in transcript.sitting() if turn.reason in SIDES}
    told = f"Sides were dealt, not chosen: {', '.join(f'{name} {side}' for name, side in spoke.items())}. "
    tally = _tally(transcript)
    if tally is None:
        return f"{told}There was no vote after the debate. Name no winner, and say that there was none."
    who = f"The motion has the majority {tally.winner} it." if tally.winner else "The vote is a tie."
    return (
        f"{told}Say first under Answer how the vote came out, and how far the debate moved it. "
        f"After the debate: {_told(tally.scores)}. {who} "
        f"Swing, of those who voted both times: {_told(tally.swing, '+g')}.{_missing(transcript)}"
    )


def _told(votes_by_choice: dict[str, float] | dict[str, int], form: str = "g") -> str:
    return ", ".join(f"{choice} {count:{form}}" for choice, count in votes_by_choice.items())


def _missing(transcript: Transcript) -> str:
    """Whose vote is not counted, and when."""
    told = []
    for when in ("before", "after"):
        absent = [
            each.name
            for each in transcript.panel
            if not each.role and each.name not in votes.cast(transcript, when)
        ]
        if absent:
            told.append(f" Votes that are missing {when} the debate, say so: {', '.join(absent)}.")
    return "".join(told)
