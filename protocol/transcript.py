"""The Transcript is the fold of a table's entries; there is no other state.

`moves.MOVES` is the table of legal transitions, `apply` the one function that applies an entry, by a step per event.
An illegal entry raises `IllegalMove` and changes nothing. `web/src/reduce.ts` does the same for the
browser, and both run the golden transcripts in `tests/golden/`.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from protocol import events as e
from protocol import findings
from protocol.errors import IllegalMove
from protocol.kinds import is_heard
from protocol.messages import Cost, Failure, Usage
from protocol.moves import MOVES, check
from protocol.table import (
    MOST_USED,
    MOST_USES,
    Found,
    Material,
    Posted,
    Spent,
    TableStatus,
    Transcript,
    Turn,
    TurnStatus,
    Use,
)

__all__ = [
    "FAILURES_BEFORE_ABSENT", "MOVES", "Found", "Material", "Posted", "Spent", "TableStatus", "Transcript", "Turn",
    "TurnStatus", "apply", "fold",
]  # fmt: skip

# After so many retryable failures in a row a panelist has left the table; one that no retry can help leaves at once.
FAILURES_BEFORE_ABSENT = 3
# Failures that are told of what was asked and not of who was asked: with so few tokens, in that form. In paperwork they
# let nobody leave, who may speak well all the same.
OF_THE_REQUEST = frozenset({"empty", "bad_request", "context_overflow", "content_filter"})


def apply(transcript: Transcript, entry: e.Entry) -> None:
    """Apply one entry in place. Raises `IllegalMove`, and changes nothing, when it does not follow."""
    event = entry.event
    expected = int(transcript.cursor.partition("-")[2]) + 1
    if entry.cursor.seq != expected:
        raise IllegalMove(f"Entry {entry.cursor} cannot follow {transcript.cursor}.")
    check(transcript, event)
    transcript.cursor = str(entry.cursor)
    transcript.at = max(transcript.at, entry.at)
    if isinstance(event, e.Asked) and event.command:
        transcript.commands.setdefault(event.command, transcript.cursor)
        transcript.inbox = max(transcript.inbox, event.inbox or 0)
    step = _STEPS.get(type(event))
    if step is not None:
        step(transcript, entry, event)


def fold(entries: Iterable[e.Entry], transcript: Transcript | None = None) -> Transcript:
    """The Transcript after these entries, starting from nothing or from a transcript (which is changed)."""
    result = Transcript() if transcript is None else transcript
    for entry in entries:
        apply(result, entry)
    return result


# -- One step per event. All checks were made; nothing below raises. ---------------------------------------------


def _opened(t: Transcript, entry: e.Entry, event: e.TableOpened) -> None:
    t.status, t.table, t.topic, t.policy = "open", event.table, event.topic, event.policy
    t.panel, t.limits, t.then, t.seed = event.panel, event.limits, event.then, event.seed
    t.record, t.title, t.verdict, t.until = event.record, event.title, event.verdict, event.until
    t.origin, t.base_seq = event.origin, entry.cursor.seq
    t.opened_at = t.running_since = entry.at


def _stop_clock(t: Transcript, at: float) -> None:
    if t.running_since:
        t.spent.seconds += max(0.0, at - t.running_since)
        t.running_since = 0.0


def _paused(t: Transcript, entry: e.Entry, event: e.TablePaused) -> None:
    t.status = "paused"
    _stop_clock(t, entry.at)


def _resumed(t: Transcript, entry: e.Entry, event: e.TableResumed) -> None:
    if t.status == "resting":
        t.base, t.base_round = msgspec.structs.replace(t.spent), t.round
        if event.reason != "verdict":  # which is about what was said before the rest
            t.base_seq = entry.cursor.seq
        t.ended_reason = t.concluding = t.concluding_detail = ""
    t.status, t.running_since = "open", entry.at


def _stress(t: Transcript, entry: e.Entry, event: e.StressRequested) -> None:
    t.base, t.base_round = msgspec.structs.replace(t.spent), t.round
    t.status, t.running_since, t.testing = "open", entry.at, entry.cursor.seq


def _rested(t: Transcript, entry: e.Entry, event: e.TableRested) -> None:
    t.status, t.ended_reason, t.testing = "resting", event.reason, 0
    _stop_clock(t, entry.at)


def _closed(t: Transcript, entry: e.Entry, event: e.TableClosed) -> None:
    t.status, t.ended_reason, t.ended_detail, t.testing = "closed", event.reason, event.detail, 0
    _stop_clock(t, entry.at)


def _concluding(t: Transcript, entry: e.Entry, event: e.TableConcluding) -> None:
    t.concluding, t.concluding_detail, t.concluding_seq = event.reason, event.detail, entry.cursor.seq


def _titled(t: Transcript, entry: e.Entry, event: e.TableTitled) -> None:
    t.title = event.title


def _limits(t: Transcript, entry: e.Entry, event: e.LimitsChanged) -> None:
    t.limits = event.limits


def _panel(t: Transcript, entry: e.Entry, event: e.PanelChanged) -> None:
    """Whoever sits anew, or speaks through another model, begins without failures."""
    name = event.panelist
    if event.change == "muted":
        t.muted = [*(each for each in t.muted if each != name), name]
        return
    t.muted = [each for each in t.muted if each != name]
    if event.change == "removed" or (event.seat and event.seat.name != name):
        t.removed = [*t.removed, name]
    if event.seat:
        seat = event.seat
        known = any(panelist.name == seat.name for panelist in t.panel)
        t.panel = [seat if panelist.name == seat.name else panelist for panelist in t.panel] + [seat] * (
            not known
        )
        t.removed = [each for each in t.removed if each != seat.name]
        t.absent.pop(seat.name, None)
        t.failures.pop(seat.name, None)


def _hand_raised(t: Transcript, entry: e.Entry, event: e.HandRaised) -> None:
    if not t.hands:
        t.hand_at = entry.at
    t.hands = [*(each for each in t.hands if each != event.author), event.author]
    t.hand_within = event.within


def _hand_lowered(t: Transcript, entry: e.Entry, event: e.HandLowered) -> None:
    if t.hands[:1] == [event.author]:
        t.hand_at = entry.at  # the next one's time begins
    t.hands = [each for each in t.hands if each != event.author]


def _yielding(t: Transcript, entry: e.Entry, event: e.TurnYielding) -> None:
    t.turn(event.turn).yielding = True


def _finding(t: Transcript, entry: e.Entry, event: findings.ANY) -> None:
    t.findings.append(Found(entry.cursor.seq, entry.at, event))


def _entropy(t: Transcript, entry: e.Entry, event: findings.Entropy) -> None:
    """Embeddings cost money, and are none of the turns and tokens that are limited."""
    _finding(t, entry, event)
    if event.cost:
        t.spent.dollars += event.cost.dollars
    elif event.model:
        t.spent.unpriced += 1


def _round(t: Transcript, entry: e.Entry, event: e.RoundStarted) -> None:
    t.round = event.round


def _queued(t: Transcript, entry: e.Entry, event: e.TurnQueued) -> None:
    """Whoever a person asks to try again is back."""
    if event.command:
        t.absent.pop(event.panelist, None)
        t.failures.pop(event.panelist, None)
    t.turns.append(
        Turn(event.turn, event.panelist, entry.cursor.seq, kind=event.kind, round=event.round,
             reason=event.reason, question=event.question, queued_at=entry.at)
    )  # fmt: skip


def _started(t: Transcript, entry: e.Entry, event: e.TurnStarted) -> None:
    turn = t.turn(event.turn)
    turn.status, turn.started_at, turn.started_seq = "started", entry.at, entry.cursor.seq
    turn.attempt, turn.model, turn.digest = event.attempt, event.model, event.digest
    turn.room, turn.length, turn.most = event.room, event.length, event.most
    turn.pictures = event.pictures
    turn.first_within, turn.idle_within = event.first_within, event.idle_within
    turn.total_within = event.total_within
    t.spent.turns += 1


def _retried(t: Transcript, entry: e.Entry, event: e.TurnRetried) -> None:
    turn = t.turn(event.turn)
    turn.attempt, turn.model = event.attempt, event.model or turn.model


def _delta(t: Transcript, entry: e.Entry, event: e.TurnDelta) -> None:
    turn = t.turn(event.turn)
    turn.text += event.text
    turn.first_at = turn.first_at or entry.at


def _thinking(t: Transcript, entry: e.Entry, event: e.TurnThinking) -> None:
    turn = t.turn(event.turn)
    turn.thinking += event.text
    turn.first_at = turn.first_at or entry.at


def _tool(t: Transcript, entry: e.Entry, event: e.TurnTool) -> None:
    turn = t.turn(event.turn)
    turn.tools += event.arguments
    turn.first_at = turn.first_at or entry.at
    used = _used(turn, event)
    _use(turn, replace(used, arguments=(used.arguments + event.arguments)[:MOST_USED]))


def _tool_result(t: Transcript, entry: e.Entry, event: e.TurnToolResult) -> None:
    turn = t.turn(event.turn)
    text, cut = event.text[:MOST_USED], event.truncated or len(event.text) > MOST_USED
    outcome = replace(_used(turn, event), done=True, text=text, error=event.error, truncated=cut)
    _use(turn, replace(outcome, seconds=event.seconds))


def _used(turn: Turn, event: e.TurnTool | e.TurnToolResult) -> Use:
    return next((use for use in turn.uses if use.call == event.call), Use(event.call, event.name))


def _use(turn: Turn, used: Use) -> None:
    if any(use.call == used.call for use in turn.uses):
        turn.uses = [used if use.call == used.call else use for use in turn.uses]
    elif len(turn.uses) < MOST_USES:
        turn.uses = [*turn.uses, used]


_Ended = e.TurnCompleted | e.TurnFailed | e.TurnCancelled


def _ended(t: Transcript, entry: e.Entry, event: _Ended) -> None:
    turn = t.turn(event.turn)
    was_started = turn.status == "started"
    turn.ended_at, turn.text = entry.at, event.text
    if was_started:
        turn.attempt, turn.usage, turn.cost = event.attempt, event.usage, event.cost
        _spend(t.spent, event.usage, event.cost)
    match event:
        case e.TurnCompleted():
            turn.status, turn.stop_reason = "completed", event.stop_reason
            t.failures.pop(turn.panelist, None)
            t.absent.pop(turn.panelist, None)
        case e.TurnFailed(error=Failure(code="interrupted")):  # our own stopping, not the panelist's doing
            turn.status, turn.error = "failed", event.error
        case e.TurnFailed(error=Failure(code=code)) if not is_heard(turn.kind) and code in OF_THE_REQUEST:
            turn.status, turn.error = "failed", event.error
        case e.TurnFailed():
            turn.status, turn.error = "failed", event.error
            count = t.failures[turn.panelist] = t.failures.get(turn.panelist, 0) + 1
            if not event.error.retryable or count >= FAILURES_BEFORE_ABSENT:
                t.absent[turn.panelist] = event.error
        case e.TurnCancelled():
            turn.status, turn.reason = "cancelled", event.reason


def _spend(spent: Spent, usage: Usage, cost: Cost | None) -> None:
    spent.tokens_in += usage.input
    spent.tokens_out += usage.output
    if cost is None:
        spent.unpriced += 1
    else:
        spent.dollars += cost.dollars


def _posted(t: Transcript, entry: e.Entry, event: e.MessagePosted) -> None:
    t.messages.append(Posted(event.message, event.author, event.text, entry.cursor.seq, entry.at, event.to))


def _material(t: Transcript, entry: e.Entry, event: e.MaterialAdded) -> None:
    t.materials.append(
        Material(event.material, event.name, event.media_type, event.form, event.size, event.sha256,
                 entry.cursor.seq, entry.at, event.text, event.pages, event.cut, event.author)
    )  # fmt: skip


_Step = Callable[[Transcript, e.Entry, Any], None]
_STEPS: dict[type[e.Event], _Step] = cast(
    "dict[type[e.Event], _Step]",
    {
        e.TableOpened: _opened,
        e.TablePaused: _paused,
        e.TableResumed: _resumed,
        e.TableConcluding: _concluding,
        e.StressRequested: _stress,
        e.TableTitled: _titled,
        e.LimitsChanged: _limits,
        e.PanelChanged: _panel,
        e.HandRaised: _hand_raised,
        e.HandLowered: _hand_lowered,
        e.TableRested: _rested,
        e.TableClosed: _closed,
        e.RoundStarted: _round,
        e.TurnQueued: _queued,
        e.TurnStarted: _started,
        e.TurnRetried: _retried,
        e.TurnYielding: _yielding,
        e.TurnDelta: _delta,
        e.TurnThinking: _thinking,
        e.TurnTool: _tool,
        e.TurnToolResult: _tool_result,
        e.TurnCompleted: _ended,
        e.TurnFailed: _ended,
        e.TurnCancelled: _ended,
        e.MessagePosted: _posted,
        e.MaterialAdded: _material,
        **dict.fromkeys(findings.ANY.__args__, _finding),
        findings.Entropy: _entropy,
    },
)
