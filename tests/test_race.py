"""Whoever runs, and however: one winner or an error that names all, everybody closed, every step its contestant's."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Invalid, ProviderError, RoundtableError
from roundtable.tools.base import Context, Entropy, Final, Step, Steps, Told
from roundtable.tools.race import KEPT, MOST, Race
from tests.fake_time import run as in_fake_time
from tests.tools import heard, run, steps

End = Literal["converge", "fail", "break", "nothing"]


class Lap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many steps, so many seconds apart, in blocks of that size, and then its end."""

    steps: int
    pause: float = 0.0
    block: int = 0
    end: End = "converge"


class Runner:
    """A contestant; `open` counts those that run."""

    name, title, summary, args = "lap", "A lap", "Runs.", Lap

    def __init__(self) -> None:
        self.open = 0

    async def run(self, args: Lap, context: Context) -> AsyncGenerator[Told]:
        self.open += 1
        try:
            for number in range(1, args.steps + 1):
                await asyncio.sleep(args.pause)
                members = {"number": number, "text": f"{number} "}
                yield Steps([msgspec.json.encode(members)] * args.block) if args.block else Step(members)
            yield Entropy(0.5)
            if args.end == "fail":
                raise ProviderError("Gone.", code="unavailable", retryable=True)
            if args.end == "break":
                raise KeyError("sk-secret")
            if args.end == "converge":
                yield Final(args.steps, "done")
        finally:
            self.open -= 1


def race(*laps: dict[str, Any], runner: Runner | None = None) -> AsyncGenerator[Told]:
    contestants = [{"address": "tool/lap", "args": lap, "name": f"{at}"} for at, lap in enumerate(laps)]
    return run("tool/race", {"contestants": contestants}, Race(), runner or Runner())


LAPS = st.fixed_dictionaries(
    {
        "steps": st.integers(0, 30),
        "pause": st.sampled_from([0.0, 0.1, 0.25]),
        "block": st.sampled_from([0, 3]),
        "end": st.sampled_from(["converge", "fail", "break", "nothing"]),
    }
)


@given(laps=st.lists(LAPS, min_size=1, max_size=MOST))
def test_one_winner_or_an_error_and_everybody_closed(laps: list[dict[str, Any]]) -> None:
    runner, told, failed = Runner(), list[Told](), ""

    async def scenario() -> None:
        nonlocal failed
        try:
            told.extend(await heard(race(*laps, runner=runner)))
        except RoundtableError as error:
            failed = error.detail
        assert len(asyncio.all_tasks()) == 1

    in_fake_time(scenario())
    assert runner.open == 0
    able = [str(at) for at, lap in enumerate(laps) if lap["end"] == "converge"]
    finals = [each for each in told if isinstance(each, Final)]
    if not able:
        assert not finals
        assert all(f"{at}: " in failed for at in range(len(laps)))
        assert "sk-secret" not in failed
        return
    assert finals == told[-1:]
    result = finals[0].value
    assert result["winner"] in able
    assert len(result["losers"]) == len(laps) - 1
    last = dict.fromkeys(map(str, range(len(laps))), 0)
    for step in steps(told):
        if "step" in step:
            last[step["of"]] += 1
            assert step["step"]["t"] == last[step["of"]]
    assert last == {result["winner"]: result["t"], **{each["name"]: each["t"] for each in result["losers"]}}


def test_the_first_wins_and_what_the_others_had_said_is_kept() -> None:
    *told, final = in_fake_time(heard(race({"steps": 9, "pause": 0.3}, {"steps": 4, "pause": 0.5})))
    assert isinstance(final, Final)
    assert (final.reason, final.value["winner"], final.value["final"]) == ("first", "1", 4)
    (loser,) = final.value["losers"]
    assert (loser["name"], loser["t"], loser["text"]) == ("0", 6, "1 2 3 4 5 6 ")
    assert msgspec.json.decode(loser["last"]) == {"number": 6, "text": "6 "}
    assert any(isinstance(each, Entropy) and each.of == "1" for each in told)


def test_who_has_much_to_tell_does_not_drown_the_others() -> None:
    told = steps(in_fake_time(heard(race({"steps": 500, "block": 1}, {"steps": 50}))))
    order = [step["of"] for step in told]
    assert order[:100].count("1") >= 45


def test_who_fails_is_out_and_told_and_the_others_run_on() -> None:
    told = in_fake_time(heard(race({"steps": 1, "end": "fail"}, {"steps": 2, "pause": 5.0})))
    assert {"of": "0", "error": {"code": "unavailable", "detail": "Gone.", "retryable": True}} in steps(told)
    final = told[-1]
    assert isinstance(final, Final)
    assert final.value["losers"][0]["error"].code == "unavailable"


def test_of_a_loser_who_talks_much_the_beginning_is_kept() -> None:
    talks = {"steps": 9_000, "pause": 0.1}
    final = in_fake_time(heard(race({"steps": 3, "pause": 250.0}, talks)))[-1]
    assert isinstance(final, Final)
    (loser,) = final.value["losers"]
    assert (loser["text"][:6], len(loser["text"])) == ("1 2 3 ", KEPT)


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_race_that_is_stopped_leaves_nobody_running(after: int) -> None:
    runner = Runner()

    async def scenario() -> None:
        running = race(*[{"steps": 100, "pause": 1.0}] * 4, runner=runner)
        for _ in range(after):
            await anext(running)
        await running.aclose()
        assert len(asyncio.all_tasks()) == 1

    in_fake_time(scenario())
    assert runner.open == 0


def test_a_race_of_races_runs_and_one_deeper_is_refused() -> None:
    def around(contestant: dict[str, Any]) -> dict[str, Any]:
        return {"address": "tool/race", "args": {"contestants": [contestant]}}

    tools, inner = (Race(), Runner()), around({"address": "tool/lap", "args": {"steps": 2}})
    told = in_fake_time(heard(run("tool/race", {"contestants": [inner]}, *tools)))
    final = told[-1]
    assert isinstance(final, Final)
    assert final.value["final"]["winner"] == "tool/lap"
    with pytest.raises(Invalid, match="deep"):
        run("tool/race", {"contestants": [around(inner)]}, *tools)


@pytest.mark.parametrize(
    ("contestants", "field"),
    [
        ([], "args.contestants"),
        ([{"address": "tool/lap", "args": {"steps": 1}}] * (MOST + 1), "args.contestants"),
        ([{"address": "tool/lop"}], "args.contestants[0].address"),
        ([{"address": "tool/lap", "args": {"step": 1}}], "args.contestants[0].args.step"),
        ([{"address": "tool/lap", "args": {"steps": 1}, "name": "A"}] * 2, "args.contestants[1].name"),
    ],
)
def test_what_cannot_run_is_refused_before_anybody_does(contestants: list[Any], field: str) -> None:
    runner = Runner()
    with pytest.raises(Invalid) as refused:
        run("tool/race", {"contestants": contestants}, Race(), runner)
    assert refused.value.field == field
    assert runner.open == 0


def test_without_names_they_are_called_by_address_and_number() -> None:
    contestants = [{"address": "tool/lap", "args": {"steps": 1}}] * 2
    told = in_fake_time(heard(run("tool/race", {"contestants": contestants}, Race(), Runner())))
    assert {step["of"] for step in steps(told)} <= {"tool/lap 1", "tool/lap 2"}
