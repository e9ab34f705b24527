"""What a round is said to cost before it begins, and what a table does without."""

from typing import Any

import pytest

from protocol import events as e
from protocol.findings import BudgetDegraded, BudgetWarned, RoundForecast, VerdictGiven
from protocol.kinds import VERDICT
from protocol.messages import Cost, Usage
from protocol.transcript import Transcript
from providers import prices
from roundtable.table import forecast
from tests import fake_time
from tests.scene import Scene, Step
from tests.tables import ADA, BEN, opened, transcript

WORDS: tuple[Step, ...] = tuple(f"{place:03} " for place in range(200))  # 200 tokens, by any count
THREE = {"Ada": WORDS, "Ben": WORDS, "Cleo": WORDS}


def played(**settings: Any) -> tuple[list[e.Entry], Transcript]:
    async def play() -> tuple[list[e.Entry], Transcript]:
        scene = Scene(settings.pop("policy", "round_robin"), settings.pop("voices", THREE), **settings)
        table = await scene.play()
        return scene.entries, table

    return fake_time.run(play())


def priced(monkeypatch: pytest.MonkeyPatch, **by_name: float) -> None:
    """Dollars for a thousand tokens of output, by panelist; input is a tenth."""

    def cost(model: str, used: Usage) -> Cost | None:
        price = by_name.get(model.removeprefix("voice:"), by_name.get("all"))
        return None if price is None else Cost((used.output + used.input / 10) * price / 1_000)

    monkeypatch.setattr(prices, "cost", cost)


@pytest.mark.parametrize("policy", ["round_robin", "parallel"])
def test_it_is_near_to_what_the_round_takes(policy: str) -> None:
    entries, _ = played(policy=policy, max_rounds=4, max_tokens=10**6)
    told = [entry.event for entry in entries if isinstance(entry.event, RoundForecast)]
    used: dict[int, list[Usage]] = {}
    turns = {
        entry.event.turn: entry.event.round for entry in entries if isinstance(entry.event, e.TurnQueued)
    }
    for entry in entries:
        if isinstance(entry.event, e.TurnCompleted):
            used.setdefault(turns[entry.event.turn], []).append(entry.event.usage)
    assert [each.round for each in told] == [1, 2, 3, 4]
    for each in told[1:]:
        assert each.tokens_in == pytest.approx(sum(usage.input for usage in used[each.round]), rel=0.25)
        assert each.tokens_out == sum(usage.output for usage in used[each.round])


def test_it_stands_before_the_round_it_is_of_and_only_where_it_decides_or_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries, table = played(max_rounds=2)
    assert not table.found(RoundForecast)
    priced(monkeypatch, all=0.01)
    entries, table = played(max_rounds=2)
    assert [each.dollars is not None for each in table.found(RoundForecast)] == [True, True]
    kinds = [type(entry.event) for entry in entries]
    place = kinds.index(RoundForecast)
    assert kinds[place - 1 : place + 2] == [e.RoundStarted, RoundForecast, e.TurnQueued]
    priced(monkeypatch, Ada=0.01)
    _, table = played(max_rounds=1, max_dollars=1.0)
    assert [each.dollars for each in table.found(RoundForecast)] == [None], "not all prices are known"


def test_a_round_that_cannot_be_paid_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the verdict still can."""
    priced(monkeypatch, all=0.1)
    _, table = played(max_rounds=9, max_dollars=0.30, verdict=True)
    [saving] = table.found(BudgetDegraded)
    assert saving.measure == "fewer_rounds"
    assert "Another round and the verdict would cost some $0." in saving.detail
    assert (table.concluding, table.ended_reason) == ("max_dollars", "max_dollars")
    assert table.round < 9
    [verdict] = table.found(VerdictGiven)
    assert verdict.answer
    assert table.spent.dollars <= 0.30
    assert all(turn.stop_reason == "end" for turn in table.turns), "nobody was cut"


def test_the_same_of_tokens() -> None:
    _, table = played(max_rounds=9, max_tokens=8_000, verdict=True)
    [saving] = table.found(BudgetDegraded)
    assert (saving.measure, table.ended_reason) == ("fewer_rounds", "max_tokens")
    assert table.found(VerdictGiven)[0].answer
    assert table.spent.tokens_in + table.spent.tokens_out <= 8_000


def test_one_round_is_held_in_any_case() -> None:
    _, table = played(max_rounds=3, max_tokens=900)
    assert table.turns[0].status == "completed"
    assert table.ended_reason == "max_tokens"


def test_a_chair_that_is_too_dear_gives_way_to_a_cheaper_model(monkeypatch: pytest.MonkeyPatch) -> None:
    priced(monkeypatch, Ada=0.01, Ben=0.02, Dear=10.0)
    voices = {"Ada": WORDS, "Ben": WORDS, "Dear": WORDS}
    _, table = played(voices=voices, roles={"Dear": "chair"}, max_rounds=1, max_dollars=1.0, verdict=True)
    [saving] = table.found(BudgetDegraded)
    assert (saving.measure, saving.panelist) == ("cheaper_chair", "Ada")
    [verdict] = table.found(VerdictGiven)
    assert (verdict.chair, bool(verdict.answer)) == ("Ada", True)
    assert table.spent.dollars < 0.02


def test_where_nobody_can_write_it_there_is_no_synthesis_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    priced(monkeypatch, Ada=0.01, Ben=0.01, Dear=10.0)
    voices = {"Ada": WORDS, "Ben": WORDS, "Dear": WORDS}
    _, table = played(voices=voices, roles={"Dear": "chair"}, max_rounds=1, max_dollars=0.006, verdict=True)
    measures = [each.measure for each in table.found(BudgetDegraded)]
    [verdict] = table.found(VerdictGiven)
    assert measures == ["no_synthesis"]
    assert (verdict.answer, verdict.missing) == ("", "the money is spent")
    assert not [turn for turn in table.turns if turn.kind == VERDICT]


def test_four_fifths_of_a_limit_are_warned_of_once_in_a_sitting() -> None:
    entries, table = played(
        max_rounds=9, max_tokens=20_000, max_seconds=900.0, voices={"Ada": WORDS, "Ben": WORDS}
    )
    warned = [entry for entry in entries if isinstance(entry.event, BudgetWarned)]
    assert [entry.event.name for entry in warned if isinstance(entry.event, BudgetWarned)] == ["max_tokens"]
    assert isinstance(warned[0].event, BudgetWarned)
    assert 0.8 * 20_000 <= warned[0].event.used < 20_000
    _, table = played(max_seconds=10.0, voices={"Ada": (*WORDS, 3.0), "Ben": (*WORDS, 3.0)})
    assert [each.name for each in table.found(BudgetWarned)] == ["max_seconds"]


def test_what_a_vendor_knows_already_is_forecast_at_that_price(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Usage] = []

    def cost(_model: str, used: Usage) -> Cost:
        seen.append(used)
        return Cost(0.0)

    monkeypatch.setattr(prices, "cost", cost)
    who: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
    used = Usage(input=1_000, output=40, cached=800)
    said = [e.TurnQueued(**who), e.TurnStarted(**who), e.TurnCompleted(**who, text="So.", usage=used)]
    forecast.of_round(transcript(*opened(ADA, BEN), *said), 2)
    assert seen[0].cached == pytest.approx(0.8 * seen[0].input, abs=1)
    assert (seen[0].output, seen[1].output, seen[1].cached) == (40, 40, 0)
