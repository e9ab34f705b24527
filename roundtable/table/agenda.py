"""What is next at a table, whatever its method: what was asked for in a form is read, a person who wants the floor is
waited for, a round is looked back on before the next begins, and a discussion that is over comes to its verdict.

Pure, like the policies between whose steps it stands.
"""

from protocol import kinds
from protocol.findings import BudgetDegraded, Finding, StressTested
from protocol.transcript import Posted, Transcript, Turn
from protocol.views.words import REASONS
from roundtable.deliberation import (
    convergence,
    exits,
    judging,
    officers,
    reading,
    record,
    stances,
    summaries,
    verdicts,
)
from roundtable.deliberation.paperwork import BRIEFS
from roundtable.policies import Plan, Seat, TurnPolicy
from roundtable.policies.order import (
    ASKED,
    WAIT,
    asked,
    first_of_all,
    gone,
    next_in_line,
    one_at_a_time,
    turns_left,
)
from roundtable.policies.reply import Reply
from roundtable.table import budget
from roundtable.table.budget import Limit

NO_STANCES = "no_stances"
"""The measure (`budget.degraded`) by which a table does without its map of stances."""


def plan(policy: TurnPolicy, transcript: Transcript, limit: Limit | None = None) -> Plan:
    """The next step. With `limit`, which no further turn is within, only what needs no model; `end` is empty until
    nothing of that is left."""
    if notes := reading.unwritten(transcript):
        return Plan(note=tuple(notes))
    if warnings := budget.warnings(transcript):
        return Plan(note=warnings)
    if transcript.testing:
        return _test(transcript, limit)
    if transcript.hands and not limit:
        return WAIT
    if limit or transcript.concluding:
        return _wind_up(policy, transcript, limit)
    own = _own(transcript)
    return _go_on(policy, transcript) if own is None else own


def _go_on(policy: TurnPolicy, transcript: Transcript) -> Plan:
    """As the method has it, between the rounds of which each is looked back on."""
    if is_errand(policy, transcript):
        answer = one_at_a_time(transcript)
        return Plan(end="answered") if answer is None else answer
    if reason := exits.reached(transcript):
        return Plan(end=reason)
    step = policy.plan(transcript)
    if step.round is None and not step.end:
        return step
    return (
        _look_back(policy, transcript) or (_summary(transcript) if step.round is not None else None) or step
    )


def _wind_up(policy: TurnPolicy, transcript: Transcript, limit: Limit | None) -> Plan:
    if settled := _settled(policy, transcript):
        return Plan(note=settled)
    if transcript.concluding:
        return _conclude(policy, transcript, limit)
    return _measured_at_last(transcript) or Plan(end=limit or "")


def concludes(policy: TurnPolicy, transcript: Transcript) -> bool:
    """Whether the table, which has nothing more to say, comes to a verdict first: it was asked for, and somebody said
    something that it can be about."""
    if transcript.testing:
        return False
    if transcript.concluding:
        return not verdicts.is_given(transcript)
    if is_errand(policy, transcript):
        return False
    return transcript.verdict and bool(verdicts.answered(transcript))


def is_errand(policy: TurnPolicy, transcript: Transcript) -> bool:
    """Whether the table was woken only for somebody: by a message to her, or to try a turn again. She answers, and
    that is all; a message to everybody makes a discussion of it."""
    before = [turn.started_seq for turn in transcript.turns if turn.seq < transcript.base_seq]
    if not before or policy.name == Reply.name:
        return False
    turns = transcript.sitting()
    messages = [
        message
        for message in transcript.messages
        if message.seq > max(before) and not _was_seen_to(transcript, message)
    ]
    return (
        all(turn.reason == ASKED for turn in turns)
        and all(message.to for message in messages)
        and bool(turns or messages)
    )


def _was_seen_to(transcript: Transcript, message: Posted) -> bool:
    """Whether whom it is to was given a turn for it before this sitting, though it may have been taken from her."""
    return any(
        turn.panelist == message.to and message.seq < turn.seq < transcript.base_seq
        for turn in transcript.turns
    )


def is_waited_for(policy: TurnPolicy, transcript: Transcript) -> bool:
    """Whether somebody spoke to a table in its last sitting too late to be heard in it: as if it came now, that wakes
    the table."""
    if policy.name == Reply.name:
        return bool(policy.plan(transcript).queue)
    heard = max((turn.started_seq for turn in transcript.turns if kinds.is_heard(turn.kind)), default=0)
    late = [message for message in transcript.messages if message.seq > transcript.base_seq]
    return any(not message.to and message.seq > heard for message in late) or any(
        asked(transcript, message) for message in late
    )


def _own(transcript: Transcript) -> Plan | None:
    """Turns that are the agenda's, one at a time; None when there are none."""
    turns = [turn for turn in transcript.of("queued", "started") if turn.kind in BRIEFS]
    if not turns:
        return None
    if first := first_of_all(transcript):
        return first
    return WAIT if transcript.of("started") else Plan(run=(turns[0].turn,))


def _summary(transcript: Transcript) -> Plan | None:
    """A summary, if one is due and a round comes after it that has a turn to spare."""
    turns = turns_left(transcript)
    if not budget.may_begin_round(transcript) or (turns is not None and turns < 2):
        return None
    writer = summaries.due(transcript)
    if writer is None:
        return None
    return Plan(queue=(Seat(writer, kinds.SUMMARY, reason="prompts have no room for all that was said"),))


def _look_back(policy: TurnPolicy, transcript: Transcript) -> Plan | None:
    """What is due when a round is over; None when nothing is."""
    if notes := convergence.unwritten(transcript):
        return Plan(note=tuple(notes))
    if convergence.due(transcript):
        return Plan(measure=True)
    return _stances(policy, transcript)


def _measured_at_last(transcript: Transcript) -> Plan | None:
    """The dispersion of the round in which a limit was reached, as far as it went, and without asking a model."""
    if transcript.of("started") or not convergence.due(transcript):
        return None
    return Plan(note=(convergence.lexical(transcript),))


def _settled(policy: TurnPolicy, transcript: Transcript) -> tuple[Finding, ...]:
    """What the method counts or measures however its discussion ended, once nobody speaks any more."""
    settle = getattr(policy, "settle", None)
    return () if settle is None or transcript.of("started") else tuple(settle(transcript))


def _test(transcript: Transcript, limit: Limit | None) -> Plan:
    """A stress test: judgements one after the other, what they came to, and rest as before."""
    queued = transcript.of("queued")
    if left := tuple(turn.turn for turn in queued if turn.panelist in transcript.absent):
        return Plan(drop=left)
    if transcript.of("started"):
        return WAIT
    if queued and not limit:
        return Plan(run=(queued[0].turn,))
    if any(
        each.seq > transcript.testing and isinstance(each.finding, StressTested)
        for each in transcript.findings
    ):
        return Plan(end=transcript.ended_reason)
    asked = None if limit else judging.following(transcript)
    if asked is None:
        return Plan(note=(judging.result(transcript),))
    return Plan(queue=(Seat(asked.judge, kinds.JUDGEMENT, reason=asked.reason),))


def _stances(policy: TurnPolicy, transcript: Transcript) -> Plan | None:
    """The record of who stands where after this round, kept by the chair, if it is wanted and can be afforded."""
    wanted = transcript.verdict or transcript.until.consensus
    if not wanted or not getattr(policy, "stances", True) or not stances.due(transcript):
        return None
    if any(each.measure == NO_STANCES for each in transcript.found(BudgetDegraded)):
        return None
    if not budget.has_to_spare(transcript):
        detail = f"Who stands where in round {transcript.round} and later is not put on record: too little is left."
        return Plan(note=(BudgetDegraded(round=transcript.round, measure=NO_STANCES, detail=detail),))
    chair = officers.chair(transcript)
    if chair is None:
        return None
    return Plan(queue=(Seat(chair.name, kinds.STANCES, reason="puts on record who stands where"),))


def _conclude(policy: TurnPolicy, transcript: Transcript, limit: Limit | None) -> Plan:
    """To the verdict, one turn at a time: who was asked by name answers before it."""
    if verdicts.is_given(transcript):
        return Plan(end=transcript.concluding)
    if transcript.of("started"):
        return WAIT
    if any(saving.measure == "no_synthesis" for saving in transcript.found(BudgetDegraded)):
        limit = limit or "max_dollars"
    tried = [
        turn
        for turn in transcript.sitting()
        if turn.kind == kinds.VERDICT and turn.seq > transcript.concluding_seq and _was_her_own(turn)
    ]
    chair = verdicts.seat(transcript)
    if tried or limit or chair is None:
        turn = tried[-1] if tried else None
        lost = "the chair failed" if officers.is_chair_lost(transcript) else ""
        return Plan(note=(verdicts.given(transcript, turn, lost or _missing(turn, limit)),))
    if left := gone(transcript):
        return Plan(drop=left)
    if queued := transcript.of("queued"):
        return Plan(run=(next_in_line(queued).turn,))
    return _before_the_verdict(policy, transcript) or Plan(
        queue=(Seat(chair, kinds.VERDICT, reason=f"the discussion is over: {transcript.concluding}"),)
    )


def _before_the_verdict(policy: TurnPolicy, transcript: Transcript) -> Plan | None:
    """Who was asked by name, as far as a turn is left for the verdict; then the last round goes on record, unless
    somebody wants the verdict now."""
    left = turns_left(transcript)
    if left is None or left > 1:
        for message in transcript.messages:
            if message.seq > transcript.base_seq and asked(transcript, message):
                return Plan(queue=(Seat(message.to, reason=ASKED),))
    return None if transcript.concluding == "command" else _stances(policy, transcript)


def _was_her_own(turn: Turn) -> bool:
    """Whether it ended, and not because we stopped."""
    return turn.status in ("failed", "cancelled") and not record.stopped_by_us(turn)


def _missing(turn: Turn | None, limit: Limit | None) -> str:
    if turn is not None and turn.status == "failed":
        return "the chair failed"
    if limit:
        return REASONS[limit]
    return "there is no chair" if turn is None else REASONS.get(_limit(turn), "the chair was stopped")


def _limit(turn: Turn) -> str:
    """By which limit she was stopped; empty when it was a person's doing."""
    return turn.reason if turn.reason.startswith("max_") else ""
