"""What is known to go wrong when models share a conversation, one test each, over the real orchestrator."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from protocol import events as e
from protocol.findings import VerdictGiven
from protocol.messages import Until
from protocol.transcript import Turn
from providers.base import Thinking
from tests import fake_time
from tests.scene import FOREVER, Scene, Script
from tests.test_exits import CIRCLES

IN_TURN = ("round_robin", "floor_time", "moderated", "raise_hand")
one_at_a_time = pytest.mark.parametrize("policy", IN_TURN)
every_policy = pytest.mark.parametrize("policy", [*IN_TURN, "parallel"])
QUIET = Until(loop=True, passes=True)


def play(policy: str, voices: Mapping[str, Script], **options: Any) -> Scene:
    async def run() -> Scene:
        scene = Scene(policy, voices, **({"until": Until()} | options))
        await scene.play()
        return scene

    return fake_time.run(run())


def speeches(scene: Scene) -> list[Turn]:
    return [turn for turn in scene.table.turns if turn.kind == "speech" and turn.started_seq]


def prompts(scene: Scene) -> list[str]:
    """Everything that each was sent, as one text each time."""
    return ["\n".join([each.system, *(m.text for m in each.messages)]) for each in scene.voices.asked]


@every_policy
def test_a_model_that_writes_the_others_lines_is_cut_there(policy: str) -> None:
    script = ["I doubt it.\n", "Ben: I do not.\n", "Ada: Really?"]
    scene = play(policy, {"Ada": script, "Ben": ["Mine."]}, max_rounds=1)
    assert {turn.panelist: turn.text for turn in speeches(scene)} == {"Ada": "I doubt it.\n", "Ben": "Mine."}
    assert scene.voices.taken["Ada"] < 3 * sum(turn.panelist == "Ada" for turn in scene.table.turns)
    assert not any("I do not" in prompt for prompt in prompts(scene))


@one_at_a_time
def test_nobody_answers_herself(policy: str) -> None:
    """Her own words are hers to her (`assistant`), what she is to answer comes last, and another speaks in between."""
    scene = play(policy, {"Ada": ["Mine, Ada's."], "Ben": ["Ben's."], "Cleo": ["Cleo's."]}, max_rounds=3)
    order = [turn.panelist for turn in speeches(scene)]
    assert all(one != other for one, other in pairwise(order))
    for asked in scene.voices.asked:
        assert asked.messages[-1].role == "user"
        if "You serve" not in asked.system:
            own = [message.text for message in asked.messages if message.role == "assistant"]
            assert all(asked.speaker in text for text in own)
            assert not any(f'by="{asked.speaker}"' in message.text for message in asked.messages)


@every_policy
@pytest.mark.parametrize("label", [["Ada: "], ["[Ad", "a]:", " "], ["**Ada:**", " "], ["\n", "**[Ada]**: "]])
def test_her_own_name_before_her_words_is_taken_off(policy: str, label: list[str]) -> None:
    scene = play(policy, {"Ada": [*label, "Yes."], "Ben": ["No."]}, max_rounds=1)
    assert [turn.text for turn in speeches(scene) if turn.panelist == "Ada"] == ["Yes."]


@every_policy
@pytest.mark.parametrize("language", sorted(CIRCLES.thanks))
def test_a_circle_of_thanks_is_left(policy: str, language: str) -> None:
    first, second, *_ = CIRCLES.thanks[language]
    scene = play(policy, {"Ada": [first], "Ben": [second]}, until=QUIET, max_turns=60)
    assert scene.table.ended_reason == "loop"
    assert len(speeches(scene)) <= 4


@every_policy
def test_blank_replies_end_a_discussion(policy: str) -> None:
    scene = play(policy, {"Ada": [" "], "Ben": ["\n\n"], "Cleo": ["PASS"]}, until=QUIET, max_turns=60)
    assert scene.table.ended_reason == "passes"
    assert len(speeches(scene)) <= 6
    scene = play(policy, {"Ada": [" "], "Ben": ["\n\n"]}, max_turns=60)
    assert scene.table.ended_reason == "no_panelists", "who says nothing three times has left"


@every_policy
def test_two_who_call_each_other_for_ever_have_the_floor_no_oftener(policy: str) -> None:
    voices: dict[str, Script] = {
        "Ada": ["What do you say, @Ben?"],
        "Ben": ["@Ada? Ada, you?"],
        "Cleo": ["I wait."],
    }
    scene = play(policy, voices, max_rounds=3)
    order = [turn.panelist for turn in speeches(scene)]
    assert {name: order.count(name) for name in voices} == {"Ada": 3, "Ben": 3, "Cleo": 3}
    assert not any(turn.reason == "asked" for turn in scene.table.turns)
    assert play(policy, voices, max_turns=7).table.spent.turns <= 7


@every_policy
def test_what_one_thinks_is_in_nobodys_prompt(policy: str) -> None:
    script: Script = [Thinking("SECRET plan"), "Words."]
    scene = play(policy, {"Ada": script, "Ben": script}, max_rounds=3)
    assert any(isinstance(entry.event, e.TurnThinking) for entry in scene.entries)
    assert not any("SECRET" in prompt for prompt in prompts(scene))


@one_at_a_time
def test_a_prompt_holds_what_was_said_once_and_grows_no_faster(policy: str) -> None:
    said = {
        name: f"{name} says a thing of some length, and says it in full." for name in ("Ada", "Ben", "Cleo")
    }
    scene = play(policy, {name: [text] for name, text in said.items()}, max_rounds=6)
    sent = prompts(scene)
    told = [sum(prompt.count(text) for text in said.values()) for prompt in sent]
    assert max(told) == len(speeches(scene)) - 1
    frame = len(sent[0]) + 3_000  # what a method asks for
    assert all(
        len(prompt) <= frame + count * 2 * max(map(len, said.values()))
        for prompt, count in zip(sent, told, strict=True)
    )


@every_policy
def test_one_who_still_thinks_is_not_taken_for_dead(policy: str) -> None:
    thinking = [step for _ in range(14) for step in (50.0, Thinking("Hm. "))]
    scene = play(policy, {"Ada": [*thinking, "At last."], "Ben": ["No."]}, max_rounds=1)
    assert [turn.text for turn in speeches(scene) if turn.panelist == "Ada"] == ["At last."]
    scene = play(policy, {"Ada": [Thinking("Hm. "), 100.0, "Too late."], "Ben": ["No."]}, max_rounds=1)
    assert [turn.error.code for turn in speeches(scene) if turn.error] == ["timeout"]


def test_the_slowest_is_waited_for_and_missed_by_name() -> None:
    voices: dict[str, Script] = {"Ada": ["Yes."], "Ben": ["No."], "Cleo": [119.0, "The best answer."]}
    scene = play("parallel", voices, max_rounds=1, verdict=True)
    (given,) = scene.table.found(VerdictGiven, sitting=False)
    assert (given.answered, given.silent) == (["Ada", "Ben", "Cleo"], {})
    scene = play("parallel", voices | {"Cleo": [FOREVER]}, max_rounds=1, verdict=True)
    (given,) = scene.table.found(VerdictGiven, sitting=False)
    assert given.header.startswith("2 of 3 answered")
    assert list(given.silent) == ["Cleo"]
    assert given.silent["Cleo"]
