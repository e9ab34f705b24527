"""Who speaks next, decided from transcripts alone."""

from typing import Any

import pytest

from protocol import events as e
from protocol.codec import encode
from protocol.errors import Invalid
from protocol.messages import Failure, Usage
from roundtable import policies
from roundtable.policies import Plan, Seat, TurnPolicy
from roundtable.policies.debate import Debate
from roundtable.policies.delphi import Delphi
from roundtable.policies.floor_time import FloorTime
from roundtable.policies.parallel import Parallel
from roundtable.policies.red_team import RedTeam
from roundtable.policies.round_robin import RoundRobin
from tests.tables import ADA, BEN, CLEO, opened, transcript, turn

PANEL = (ADA, BEN, CLEO)
GONE = Failure("auth", "The key was refused.")


POLICIES: list[TurnPolicy] = [RoundRobin(), Parallel(), FloorTime(), Debate(), Delphi(), RedTeam()]
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)


def plan(*events: e.Event, policy: TurnPolicy = POLICIES[0]) -> Plan:
    return policy.plan(transcript(*opened(*PANEL), *events))


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


# -- every policy ------------------------------------------------------------------------------------------------


def gone(number: int, name: str) -> list[e.Event]:
    who: dict[str, Any] = {"turn": f"t{number}", "panelist": name}
    return [e.TurnQueued(**who), e.TurnStarted(**who), e.TurnFailed(**who, error=GONE)]


@every_policy
def test_who_left_is_passed_over(policy: TurnPolicy) -> None:
    assert Seat("Ada") not in plan(*gone(1, "Ada"), policy=policy).queue
    assert plan(*gone(1, "Ada"), *queued("Ada", first=2), policy=policy) == Plan(drop=("t2",))
    asked = e.MessagePosted(message="m1", author="Host", text="Ada?", to="Ada")
    assert plan(*gone(1, "Ada"), asked, policy=policy) == plan(*gone(1, "Ada"), policy=policy)


@every_policy
def test_who_is_asked_is_queued_whatever_is_under_way(policy: TurnPolicy) -> None:
    asked = e.MessagePosted(message="m1", author="Host", text="Ada?", to="Ada")
    start = [*queued("Ada", "Ben"), e.TurnStarted(turn="t1", panelist="Ada"), asked]
    assert plan(*start, policy=policy) == Plan(queue=(Seat("Ada", reason="asked"),))
    end = e.TurnCompleted(turn="t1", panelist="Ada", text="x")
    answer = [*start, e.TurnQueued(turn="t3", panelist="Ada", reason="asked"), end]
    assert plan(*answer, policy=policy).run[0] == "t3"


@every_policy
def test_with_nobody_left_the_table_says_so(policy: TurnPolicy) -> None:
    events = [event for number, each in enumerate(PANEL, 1) for event in gone(number, each.name)]
    assert plan(*events, policy=policy) == Plan(end="no_panelists")


@every_policy
def test_planning_changes_nothing(policy: TurnPolicy) -> None:
    table = transcript(*opened(*PANEL), *turn(1, "Ada"))
    before = encode(table)
    policy.plan(table)
    assert encode(table) == before


# -- parallel ----------------------------------------------------------------------------------------------------


def test_all_have_the_floor_at_once_and_the_round_lasts_until_all_have_ended() -> None:
    policy = Parallel()
    start = queued("Ada", "Ben", "Cleo")
    assert plan(policy=policy) == Plan(round=1, queue=(Seat("Ada"), Seat("Ben"), Seat("Cleo")))
    assert plan(*start, policy=policy) == Plan(run=("t1", "t2", "t3"))
    for number, panelist in enumerate(PANEL, 1):
        start.append(e.TurnStarted(turn=f"t{number}", panelist=panelist.name))
    for number, panelist in enumerate(PANEL, 1):
        assert plan(*start, policy=policy) == Plan()
        start.append(e.TurnCompleted(turn=f"t{number}", panelist=panelist.name, text="x"))
    assert plan(*start, policy=policy).round == 1  # no round.started in these events: the next is the first


def test_nobody_speaks_twice_at_once() -> None:
    asked = e.MessagePosted(message="m1", author="Host", text="Ada?", to="Ada")
    start = [*queued("Ada", "Ben"), e.TurnStarted(turn="t1", panelist="Ada"), asked]
    both = [*start, e.TurnQueued(turn="t3", panelist="Ada", reason="asked")]
    assert plan(*both, policy=Parallel()) == Plan(run=("t2",))
    both.append(e.TurnCompleted(turn="t1", panelist="Ada", text="x"))
    assert plan(*both, policy=Parallel()) == Plan(run=("t3", "t2"))


# -- floor_time --------------------------------------------------------------------------------------------------


def spoke(number: int, name: str, tokens: int, reason: str = "") -> list[e.Event]:
    who: dict[str, Any] = {"turn": f"t{number}", "panelist": name}
    done = e.TurnCompleted(**who, text="x", usage=Usage(output=tokens))
    return [e.TurnQueued(**who, round=1, reason=reason), e.TurnStarted(**who), done]


@pytest.mark.parametrize(
    ("spoken", "chosen"),
    [
        ([], "Ada"),
        ([("Ada", 9)], "Ben"),
        ([("Ada", 9), ("Ben", 1)], "Cleo"),
        ([("Ada", 9), ("Cleo", 5), ("Ben", 5)], "Cleo"),  # Ben is as far behind, but he spoke last
        ([("Ben", 5), ("Ada", 9), ("Cleo", 5), ("Ada", 1)], "Ben"),  # a tie: by seat
        ([("Ada", 1), ("Cleo", 8), ("Ben", 9)], "Ada"),
    ],
)
def test_whoever_spoke_least_is_next_but_not_the_last_speaker(
    spoken: list[tuple[str, int]], chosen: str
) -> None:
    events = [event for number, each in enumerate(spoken, 1) for event in spoke(number, *each)]
    (seat,) = plan(e.RoundStarted(round=1), *events, policy=FloorTime()).queue
    said = sum(tokens for name, tokens in spoken if name == chosen)
    assert seat == Seat(chosen, reason=f"spoke least so far, {said} tokens" if spoken else "")


def test_what_was_cut_or_failed_counts_as_spoken() -> None:
    who: dict[str, Any] = {"turn": "t3", "panelist": "Cleo"}
    used = Usage(output=50)
    failed = e.TurnFailed(**who, error=Failure("timeout", "Slow.", retryable=True), usage=used)
    for end in (failed, e.TurnCancelled(**who, usage=used)):
        cut = [e.TurnQueued(**who, round=1), e.TurnStarted(**who), end]
        events = [*spoke(1, "Ada", 9), *spoke(2, "Ben", 8), *cut, *spoke(4, "Ada", 1)]
        assert plan(*events, policy=FloorTime()).queue[0].panelist == "Ben"


def test_a_round_is_as_many_turns_as_there_are_present_and_answers_come_on_top() -> None:
    start = [e.RoundStarted(round=1), *spoke(1, "Ada", 9), *spoke(2, "Ben", 8)]
    assert plan(*start, policy=FloorTime()).round is None
    assert plan(*start, *spoke(3, "Ada", 1, "asked"), policy=FloorTime()).round is None
    assert plan(*start, *spoke(3, "Cleo", 1), policy=FloorTime()).round == 2


def test_one_who_is_left_alone_goes_on_alone() -> None:
    events = [*gone(1, "Ada"), *gone(2, "Ben"), *spoke(3, "Cleo", 5)]
    assert plan(*events, policy=FloorTime()).queue[0].panelist == "Cleo"


# -- by name -----------------------------------------------------------------------------------------------------


def test_an_unknown_policy_is_answered_with_those_there_are() -> None:
    with pytest.raises(Invalid, match="round_robin") as caught:
        policies.find("anarchy")
    assert caught.value.field == "policy"
