"""Whether a table that was written down is what its policy makes of it: for golden tables, told by hand."""

from collections.abc import Iterator

from protocol import events as e
from protocol.findings import Finding
from protocol.transcript import Transcript, apply
from roundtable import policies
from roundtable.deliberation import convergence
from roundtable.table import agenda
from tests.golden_scenarios import Table

Step = object
_DECIDED = e.RoundStarted | e.TurnQueued | e.TurnStarted | e.TableClosed | Finding


def follow(table: Table) -> None:
    """Every round, turn, reading and end is the next step of the plan as the table stood then."""
    transcript = Transcript()
    planned = list[Step]()
    for entry in table.entries:
        if isinstance(entry.event, _DECIDED):
            planned = planned or list(_steps(transcript))
            assert [_step(entry.event)] == planned[:1], entry.cursor
            planned.pop(0)
        apply(transcript, entry)
        if isinstance(entry.event, e.TableOpened):
            transcript.until = policies.until(entry.event.policy)


def _steps(transcript: Transcript) -> Iterator[Step]:
    plan = agenda.plan(policies.find(transcript.policy), transcript)
    yield from plan.note
    if plan.measure:
        yield convergence.lexical(transcript)
    if plan.round is not None:
        yield "round", plan.round
    yield from (("queued", *seat) for seat in plan.queue)
    yield from (("started", turn) for turn in plan.run)
    if plan.end:
        yield "end", plan.end


def _step(event: e.Event) -> object:
    match event:
        case e.RoundStarted():
            return "round", event.round
        case e.TurnQueued():
            return "queued", event.panelist, event.kind, event.reason, event.question
        case e.TurnStarted():
            return "started", event.turn
        case e.TableClosed():
            return "end", event.reason
        case _:
            return event
