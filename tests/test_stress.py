"""A stress test: the outcome of a discussion judged again, in another order, at equal lengths, without the judge's
own."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import commands, kinds
from protocol import events as e
from protocol.errors import ProviderError
from protocol.findings import JudgementGiven, StressTested, TallyCounted, VerdictGiven
from roundtable import policies
from tests import fake_time
from tests.rankers import first, liking, longest, prompt, shown, voice
from tests.scene import Scene, Script
from tests.test_council import MINDS
from tests.test_guarantees import SEATS, next_owner

REFUSED = ProviderError("The key was refused.", code="auth")
GOOD, FAIR, POOR = "Good: " + "with reasons. " * 20, "Fair. " * 40, "Poor. " * 90
TASTE = liking("Good", "Fair", "Poor")
PANEL = {"Ada": voice(POOR, TASTE), "Ben": voice(GOOD, TASTE), "Cleo": voice(FAIR, TASTE)}
JUDGED = ["as_shown", "order_swapped", "lengths_equalised", "self_excluded"]
RULES = ["borda", "condorcet", "plurality"]


async def rested(voices: dict[str, Script], policy: str = "council", **options: Any) -> Scene:
    scene = Scene(policy, voices, then="rest", **options)
    await scene.play()
    return scene


async def ask(scene: Scene, *asked: commands.ANY) -> StressTested | None:
    """The commands to the table at rest, and what the test came to."""
    before = len(scene.table.found(StressTested, sitting=False))
    await scene.owner.take_over(scene.table)
    for command in asked or (commands.StressTest(),):
        scene.tell(command)
    async with scene.held():
        pass
    return next(iter(scene.table.found(StressTested, sitting=False)[before:]), None)


def outcome(voices: dict[str, Script], policy: str = "council", **options: Any) -> tuple[Scene, StressTested]:
    async def run() -> tuple[Scene, StressTested]:
        scene = await rested(voices, policy, **options)
        found = await ask(scene)
        assert found is not None
        return scene, found

    return fake_time.run(run())


def winners(found: StressTested) -> dict[str, str]:
    return {each.name: each.winner for each in found.variations}


def test_a_winner_on_merit_survives() -> None:
    scene, found = outcome(PANEL)
    assert (found.winner, found.survives) == ("Ben", True)
    assert winners(found) == dict.fromkeys([*JUDGED, *RULES], "Ben")
    assert {each.judge for each in found.variations} == {"Ada", ""}
    table = scene.table
    assert (table.status, table.ended_reason, table.testing) == ("resting", "ranked", 0)
    assert len(table.found(VerdictGiven)) == len(table.found(TallyCounted)) == 1, "the same sitting"


def test_what_each_variation_shows() -> None:
    scene, _ = outcome(PANEL)
    asked = [shown(request) for request in scene.voices.asked if shown(request)][-4:]
    given = scene.table.found(JudgementGiven)
    assert [each.variation for each in given] == JUDGED
    as_shown, swapped, equal, _ = asked
    assert [text for _, text in swapped] == [text for _, text in as_shown][::-1]
    shortest = min(len(text.strip()) for text in (GOOD, FAIR, POOR))
    assert [len(text) > shortest - 20 for _, text in equal] == [True] * 3
    assert all(len(text) <= shortest and text.endswith(".") for _, text in equal)
    assert sorted(given[3].shown) == ["Ben", "Cleo"]
    assert not any(name in prompt(request) for request in scene.voices.asked[-4:] for name in PANEL)


def test_a_winner_by_length_does_not_survive_without_it() -> None:
    """No ballots at this table: the judge's own first judgement is what is tested."""
    texts = {"Ada": FAIR, "Ben": POOR, "Cleo": GOOD}
    _, found = outcome(
        {name: voice(text, longest) for name, text in texts.items()},
        "round_robin",
        max_rounds=1,
        verdict=True,
    )
    assert (found.winner, found.survives) == ("Ben", False)
    assert winners(found)["as_shown"] == winners(found)["order_swapped"] == "Ben"
    assert list(winners(found)) == JUDGED


def test_a_winner_by_place_does_not_survive_the_other_order() -> None:
    _, found = outcome({name: voice(f"{name}. " * 99, first) for name in PANEL}, "parallel", max_rounds=1)
    assert found.survives is False
    assert winners(found)["as_shown"] == found.winner != winners(found)["order_swapped"]


def test_a_judge_who_wrote_the_winner_leaves_the_last_word_to_another() -> None:
    mine = liking("Poor")
    voices: dict[str, Script] = {
        "Ada": voice(POOR, mine),
        "Ben": voice(GOOD, TASTE),
        "Cleo": voice(FAIR, TASTE),
    }
    scene, found = outcome(voices, "parallel", max_rounds=1)
    assert (found.winner, found.survives) == ("Ada", False)
    last = found.variations[-1]
    assert (last.name, last.judge, last.winner) == ("self_excluded", "Ben", "Cleo")
    assert sorted(scene.table.found(JudgementGiven)[-1].shown) == ["Ada", "Cleo"]


def test_a_chair_beside_the_panel_has_nothing_to_leave_out() -> None:
    _, found = outcome({**PANEL, "Dag": voice("", TASTE)}, roles={"Dag": "chair"})
    assert list(winners(found)) == [*JUDGED[:3], *RULES]
    assert {each.judge for each in found.variations} == {"Dag", ""}


def test_what_a_judge_says_and_nobody_can_read_is_told_as_that() -> None:
    scene, found = outcome({name: [f"I am {name}."] for name in PANEL})
    assert (found.winner, found.survives) == ("", None)
    assert [each.read for each in found.variations] == [False] * 4
    assert [each.detail.partition(" ")[2] for each in found.variations] == [
        "was asked and could not be read.", *["could not be asked."] * 3,
    ]  # fmt: skip
    assert [turn.kind for turn in scene.table.turns].count(kinds.JUDGEMENT) == 2, (
        "asked for once more, and no more"
    )


def test_a_judgement_that_is_missing_leaves_the_answer_open() -> None:
    def once(request: Any) -> Any:
        said: Any = voice(POOR, TASTE)
        unread = shown(request) and len(asked) >= 3
        asked.extend([1] * bool(shown(request)))
        return ["Hm."] if unread else said(request)

    asked = list[int]()
    _, found = outcome({**PANEL, "Ada": once})
    assert (found.winner, found.survives) == ("Ben", None)
    assert [each.read for each in found.variations] == [True, False, False, False, True, True, True]


def test_limits_that_are_used_up_count_anew() -> None:
    _, found = outcome(PANEL, max_turns=10)
    assert found.survives


def test_with_few_turns_the_rest_is_said_to_be_missing() -> None:
    voices = {"Ada": voice(POOR, TASTE), "Ben": voice(GOOD, TASTE)}
    _, found = outcome(voices, "round_robin", max_turns=2, verdict=False)
    assert [each.read for each in found.variations] == [True, True, False]
    assert found.survives is None
    assert "could not be asked" in found.variations[2].detail


def test_a_judge_who_fails_is_followed_by_another() -> None:
    def leaves(request: Any) -> Any:
        return [REFUSED] if shown(request) else [POOR]

    _, found = outcome({**PANEL, "Ada": leaves}, "parallel", max_rounds=1)
    assert (found.winner, found.survives) == ("Ben", True)
    assert {each.judge for each in found.variations} == {"Ben", "Cleo"}


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3.5])
def test_a_test_goes_on_where_its_owner_died(seconds: float) -> None:
    def slow(said: Any) -> Script:
        return lambda request: [1.0, *said(request)]

    async def run() -> Scene:
        scene = await rested({name: slow(said) for name, said in PANEL.items()})
        await scene.owner.take_over(scene.table)
        scene.tell(commands.StressTest())
        owner = asyncio.create_task(scene.owner.run())
        await asyncio.sleep(seconds)
        owner.cancel()
        await asyncio.wait([owner])
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        async with scene.held():
            pass
        return scene

    scene = fake_time.run(run())
    (found,) = scene.table.found(StressTested)
    assert (found.winner, found.survives) == ("Ben", True)
    assert (scene.table.status, scene.table.ended_reason) == ("resting", "ranked")


def test_it_can_be_asked_for_again_and_what_is_said_meanwhile_is_heard_after_it() -> None:
    async def run() -> None:
        scene = await rested(PANEL)
        one, two = await ask(scene), await ask(scene)
        assert one == two
        await ask(scene, commands.StressTest(), commands.Say("And at night?"))
        table = scene.table
        assert len(table.found(StressTested, sitting=False)) == 3
        assert (table.status, table.round) == ("resting", 2)
        assert [turn.kind for turn in table.sitting()].count(kinds.ANSWER) == 3

    fake_time.run(run())


def test_it_can_be_closed_and_paused() -> None:
    async def run() -> None:
        scene = await rested(PANEL)
        found = await ask(scene, commands.StressTest(), commands.Pause(), commands.Resume())
        assert found is not None
        assert found.survives
        assert await ask(scene, commands.StressTest(), commands.Close()) is None
        assert (scene.table.status, scene.table.testing) == ("closed", 0)

    fake_time.run(run())


def test_a_form_for_what_is_decided_is_not_tried_again() -> None:
    def broken(request: Any) -> Any:
        return [REFUSED] if shown(request) else [FAIR]

    async def run() -> None:
        scene = await rested({**PANEL, "Cleo": broken})
        await ask(scene, commands.Retry("t6"))
        assert refusal(scene) == "t6 belongs to a discussion that is over."
        assert scene.table.status == "resting"

    fake_time.run(run())


def refusal(scene: Scene) -> str:
    return next(
        entry.event.detail for entry in scene.entries[::-1] if isinstance(entry.event, e.CommandRefused)
    )


def test_it_is_refused_where_there_is_nothing_to_test() -> None:
    async def run() -> None:
        alone = await rested({"Ada": voice(GOOD, TASTE), "Ben": [REFUSED]})
        assert await ask(alone) is None
        assert refusal(alone) == "A stress test compares answers; this discussion has 1."
        scene = Scene("council", PANEL)
        async with scene.playing():
            scene.tell(commands.StressTest())
        assert refusal(scene) == "The table is open; a stress test is for one that rests."

    fake_time.run(run())


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(policies.OURS),
    st.lists(st.sampled_from(MINDS), min_size=2, max_size=4),
    st.lists(
        st.tuples(
            st.sampled_from([commands.StressTest(), commands.StressTest(), commands.Say("Hm?"), commands.Pause(),
                             commands.Resume(), *(commands.Cancel(f"t{number}") for number in (5, 9, 11))]),
            st.sampled_from([0.0, 1.0, 40.0]),
        ),
        max_size=6,
    ),
    st.fixed_dictionaries({"max_rounds": st.integers(1, 2)}, optional={"max_turns": st.integers(2, 12)}),
    st.none() | st.integers(0, 6),
)  # fmt: skip
def test_whatever_happens_a_test_comes_to_one_result_and_the_table_rests(
    policy: str,
    minds: list[Script],
    asked: list[tuple[commands.ANY, float]],
    limits: dict[str, Any],
    dies_after: int | None,
) -> None:
    async def play() -> Scene:
        scene = await rested(dict(zip(SEATS, minds, strict=False)), policy, **limits)
        owner = asyncio.create_task(scene.owner.run())
        for number, (command, after) in enumerate(
            [*asked, (commands.Resume(), 0.0), (commands.StressTest(), 1e3)]
        ):
            await asyncio.sleep(after)
            scene.tell(command)
            if number == dies_after or owner.done():  # at rest nobody owns it
                owner = await next_owner(scene, owner)
        await owner
        return scene

    scene = fake_time.run(play())
    table = scene.table
    assert (table.status, table.testing, table.of("queued", "started")) == ("resting", 0, [])
    requests = [entry for entry in scene.entries if isinstance(entry.event, e.StressRequested)]
    assert len(requests) == len(table.found(StressTested, sitting=False))
    for found in table.found(StressTested, sitting=False):
        assert found.survives is None or found.winner
        assert not found.survives or all(each.winner == found.winner for each in found.variations)
