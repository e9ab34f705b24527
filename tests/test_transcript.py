"""The legal moves of a table, and the fold that follows them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import codec
from protocol import events as e
from protocol.cursor import Cursor
from protocol.errors import IllegalMove
from protocol.messages import Cost, Failure, Usage
from protocol.transcript import MOVES, Transcript, apply, fold
from tests.tables import ADA, AT, BEN, TERM, entries, opened, transcript, turn

WHO: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
BUSY = Failure("rate_limited", "Busy.", retryable=True)
OVER = [e.TurnCompleted(**WHO), e.TurnFailed(**WHO, error=BUSY), e.TurnCancelled(**WHO)]


def started(*more: e.Event) -> Transcript:
    return transcript(*opened(), e.TurnQueued(**WHO), e.TurnStarted(**WHO), *more)


def attempt(table: Transcript, event: e.Event) -> None:
    seq = int(table.cursor.split("-")[1]) + 1
    apply(table, e.Entry(Cursor(TERM, seq), AT + seq, event))


def test_every_event_of_a_table_has_its_moves() -> None:
    assert set(MOVES) == set(e.KNOWN.__args__) - {e.CommandSubmitted}


@pytest.mark.parametrize("ending", OVER, ids=codec.event_type)
@pytest.mark.parametrize(
    "after", [*OVER, e.TurnDelta(**WHO, attempt=1, text="x"), e.TurnStarted(**WHO)], ids=codec.event_type
)
def test_a_turn_ends_once_and_says_nothing_after(ending: e.Event, after: e.Event) -> None:
    table = started(ending)
    before = codec.encode(table)
    with pytest.raises(IllegalMove):
        attempt(table, after)
    assert codec.encode(table) == before


def test_no_word_stands_under_anothers_name() -> None:
    with pytest.raises(IllegalMove, match="Ada's"):
        attempt(started(), e.TurnDelta(turn="t1", panelist="Ben", attempt=1, text="x"))


@pytest.mark.parametrize("seq", [0, 4, 6, 7])
def test_entries_are_dense(seq: int) -> None:
    with pytest.raises(IllegalMove):
        apply(started(), e.Entry(Cursor(TERM, seq), AT, e.TurnDelta(**WHO, attempt=1, text="x")))


def test_a_table_does_not_close_over_an_open_turn() -> None:
    with pytest.raises(IllegalMove, match="turns are open"):
        attempt(started(), e.TableClosed(reason="max_turns"))


def test_closed_is_final() -> None:
    table = transcript(*opened(), e.TableClosed(reason="command"))
    for event in (
        e.TableResumed(reason="command"),
        e.TermBegan(owner="x"),
        e.CommandRefused(code="c", detail="d"),
    ):
        with pytest.raises(IllegalMove):
            attempt(table, event)


def test_who_cannot_be_helped_leaves_at_once_and_who_is_busy_after_three_times() -> None:
    events = list(opened())
    for number in (1, 2, 3):
        who: dict[str, Any] = {"turn": f"t{number}", "panelist": "Ada"}
        events += [e.TurnQueued(**who), e.TurnStarted(**who), e.TurnFailed(**who, error=BUSY)]
    assert not transcript(*events[:-3]).absent
    assert [panelist.name for panelist in transcript(*events).present()] == ["Ben"]
    assert "Ada" in started(e.TurnFailed(**WHO, error=Failure("auth", "No."))).absent


def test_our_own_stopping_is_not_held_against_a_panelist() -> None:
    table = started(
        e.TurnFailed(**WHO, text="Half", error=Failure("interrupted", "Stopped.", retryable=True))
    )
    assert not table.failures
    assert table.turns[0].text == "Half"


def test_money_of_unknown_price_is_counted_as_unknown() -> None:
    table = transcript(
        *opened(),
        *turn(1, "Ada")[:-1],
        e.TurnCompleted(**WHO, usage=Usage(10, 5), cost=Cost(0.25)),
        *turn(2, "Ben"),
    )
    assert (table.spent.dollars, table.spent.unpriced, table.spent.tokens_in) == (0.25, 1, 10)


def test_the_clock_stands_while_paused() -> None:
    table = transcript(
        *opened(),
        e.TablePaused(reason="command"),
        e.TableResumed(reason="command"),
        e.TableClosed(reason="command"),
    )
    assert table.spent.seconds == 2.0  # entries are a second apart: 2 to 3, and 4 to 5


def test_waking_counts_the_limits_anew() -> None:
    table = transcript(
        *opened(),
        e.RoundStarted(round=1),
        *turn(1, "Ada"),
        e.TableRested(reason="max_rounds"),
        e.TableResumed(reason="message"),
    )
    assert (table.base.turns, table.base_round, table.status) == (1, 1, "open")


def test_a_command_is_remembered_by_its_first_effect() -> None:
    table = transcript(
        *opened(),
        e.MessagePosted(message="m1", author="Host", text="Hi", command="k", inbox=4),
        e.TablePaused(reason="command"),
    )
    assert (table.commands, table.inbox) == ({"k": f"{TERM}-3"}, 4)


def test_an_unknown_event_only_moves_the_cursor() -> None:
    table = started()
    attempt(table, e.Unknown(type="mood.sensed", body=b'{"type":"mood.sensed","at":1}'))
    assert table.cursor == f"{TERM}-5"


some_event = st.sampled_from(
    [
        *turn(1, "Ada"), *turn(2, "Ben"), *OVER, e.RoundStarted(round=1), e.TablePaused(reason="command"),
        e.TableResumed(reason="command"), e.TableRested(reason="max_turns"), e.TableClosed(reason="command"),
        e.MessagePosted(message="m1", author="Host", text="Hi"), e.TermBegan(owner="other"),
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(some_event, max_size=40))
def test_whatever_comes_the_guarantees_hold(events: list[e.Event]) -> None:
    table = transcript(*opened(ADA, BEN))
    accepted: list[e.Event] = []
    for event in events:
        before = codec.encode(table)
        try:
            attempt(table, event)
            accepted.append(event)
        except IllegalMove:
            assert codec.encode(table) == before
    ends = [
        event.turn
        for event in accepted
        if isinstance(event, e.TurnCompleted | e.TurnFailed | e.TurnCancelled)
    ]
    assert len(ends) == len(set(ends))
    assert codec.encode(table) == codec.encode(fold(entries([*opened(ADA, BEN), *accepted])))
    assert codec.encode(msgspec.json.decode(codec.encode(table), type=Transcript)) == codec.encode(table)
