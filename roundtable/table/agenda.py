"""What is next at a table, whatever its method: what was asked for in a form is read, a person who wants the floor is
waited for, a round is looked back on before the next begins, and a discussion that is over comes to its verdict.

Pure, like the policies between whose steps it stands.
"""

from protocol import kinds
from protocol.findings import BudgetDegraded, VerdictGiven
from protocol.transcript import Transcript, Turn
from protocol.views.words import REASONS
from roundtable.deliberation import exits, reading, summaries, verdicts
from roundtable.deliberation.paperwork import BRIEFS
from roundtable.policies import Plan, Seat, TurnPolicy
from roundtable.policies.order import WAIT, first_of_all
from roundtable.table import budget
from roundtable.table.budget import Limit


def plan(policy: TurnPolicy, transcript: Transcript, limit: Limit | None = None) -> Plan:
    """The next step. With `limit`, which no further turn is within, only what needs no model; `end` is empty until
    nothing of that is left."""
    if notes := reading.unwritten(transcript):
        return Plan(note=tuple(notes))
    if warnings := budget.warnings(transcript):
        return Plan(note=warnings)
    if transcript.concluding:
        return _conclude(transcript, limit)
    if limit:
        return Plan(end=limit)
    if transcript.hands:
        return WAIT
    if own := _own(transcript):
        return own
    if reason := exits.reached(transcript):
        return Plan(end=reason)
    step = policy.plan(transcript)
    if step.round is not None and (summary := _summary(transcript)):
        return summary
    if step.round is not None or step.end:
        return _look_back(transcript) or step
    return step


def concludes(transcript: Transcript) -> bool:
    """Whether the table, which has nothing more to say, comes to a verdict first: it was asked for, and somebody said
    something that it can be about."""
    if transcript.concluding:
        return not transcript.found(VerdictGiven)
    return transcript.verdict and bool(verdicts.answered(transcript))


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
    turns = budget.turns_left(transcript)
    if not budget.may_begin_round(transcript) or (turns is not None and turns < 2):
        return None
    writer = summaries.due(transcript)
    if writer is None:
        return None
    return Plan(queue=(Seat(writer, kinds.SUMMARY, reason="prompts have no room for all that was said"),))


def _look_back(transcript: Transcript) -> Plan | None:
    """What is due when a round is over; None when nothing is."""
    return None


def _conclude(transcript: Transcript, limit: Limit | None) -> Plan:
    if transcript.found(VerdictGiven):
        return Plan(end=transcript.concluding)
    if any(saving.measure == "no_synthesis" for saving in transcript.found(BudgetDegraded)):
        limit = limit or "max_dollars"
    if not limit and (own := _own(transcript)):
        return own
    if transcript.of("started"):
        return WAIT
    asked = [turn for turn in transcript.sitting() if turn.kind == kinds.VERDICT]
    chair = verdicts.seat(transcript)
    if asked or limit or chair is None:
        missing = _missing(asked[-1] if asked else None, limit)
        return Plan(note=(verdicts.given(transcript, None, missing),))
    return Plan(
        queue=(Seat(chair, kinds.VERDICT, reason=f"the discussion is over: {transcript.concluding}"),)
    )


def _missing(turn: Turn | None, limit: Limit | None) -> str:
    if turn is not None and turn.status == "failed":
        return "the chair failed"
    if limit:
        return REASONS[limit]
    return "the chair was stopped" if turn is not None else "there is no chair"
