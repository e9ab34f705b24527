"""Who speaks next, decided from transcripts alone."""

from typing import Any

import pytest

from protocol import events as e
from protocol.errors import Invalid
from protocol.messages import Failure
from roundtable import policies
from roundtable.policies import Plan, Seat
from roundtable.policies.round_robin import RoundRobin
from tests.tables import ADA, BEN, CLEO, opened, transcript, turn

PANEL = (ADA, BEN, CLEO)
GONE = Failure("auth", "The key was refused.")


def plan(*events: e.Event) -> Plan:
    return RoundRobin().plan(transcript(*opened(*PANEL), *events))


def queued(*names: str, first: int = 1) -> list[e.Event]:
    return [e.TurnQueued(turn=f"t{number}", panelist=name) for number, name in enumerate(names, start=first)]


def test_a_round_seats_everyone_in_order() -> None:
    assert plan() == Plan(round=1, queue=(Seat("Ada"), Seat("Ben"), Seat("Cleo")))


def test_the_first_in_line_has_the_floor_and_the_others_wait() -> None:
    assert plan(*queued("Ada", "Ben")) == Plan(run=("t1",))
    assert not plan(*queued("Ada", "Ben"), e.TurnStarted(turn="t1", panelist="Ada"))


def test_whoever_is_asked_by_name_is_next() -> None:
    asked = e.MessagePosted(message="m1", author="Host", text="Cleo?", to="Cleo")
    start = [*queued("Ada", "Ben", "Cleo"), e.TurnStarted(turn="t1", panelist="Ada"), asked]
    assert plan(*start) == Plan(queue=(Seat("Cleo", reason="asked"),))
    answer = [*start, e.TurnQueued(turn="t4", panelist="Cleo", reason="asked")]
    assert not plan(*answer)
    assert plan(*answer, e.TurnCompleted(turn="t1", panelist="Ada", text="x")) == Plan(run=("t4",))


def test_a_word_to_all_changes_no_order() -> None:
    assert plan(*queued("Ada"), e.MessagePosted(message="m1", author="Host", text="All?")) == Plan(
        run=("t1",)
    )


def test_who_left_is_passed_over() -> None:
    who: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
    gone = [e.TurnQueued(**who), e.TurnStarted(**who), e.TurnFailed(**who, error=GONE)]
    assert plan(*gone).queue == (Seat("Ben"), Seat("Cleo"))
    assert plan(*gone, *queued("Ada", first=2)) == Plan(drop=("t2",))
    asked = e.MessagePosted(message="m1", author="Host", text="Ada?", to="Ada")
    assert plan(*gone, asked).queue == (Seat("Ben"), Seat("Cleo"))


def test_with_nobody_left_the_table_says_so() -> None:
    events: list[e.Event] = []
    for number, panelist in enumerate(PANEL, start=1):
        who: dict[str, Any] = {"turn": f"t{number}", "panelist": panelist.name}
        events += [e.TurnQueued(**who), e.TurnStarted(**who), e.TurnFailed(**who, error=GONE)]
    assert plan(*events) == Plan(end="no_panelists")


def test_planning_changes_nothing() -> None:
    table = transcript(*opened(*PANEL), *turn(1, "Ada"))
    cursor, turns = table.cursor, len(table.turns)
    RoundRobin().plan(table)
    assert (table.cursor, len(table.turns)) == (cursor, turns)


def test_an_unknown_policy_is_answered_with_those_there_are() -> None:
    with pytest.raises(Invalid, match="round_robin") as caught:
        policies.find("anarchy")
    assert caught.value.field == "policy"
