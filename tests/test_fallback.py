"""Another model speaks where a panelist's own cannot: when, under which name, at whose price, with which options."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol import commands
from protocol import events as e
from protocol.asked import AskedSeat
from protocol.errors import Invalid, ProviderError
from protocol.messages import Office, Panelist, Usage
from protocol.transcript import Transcript, fold
from providers.base import Chunk, Provider, Request, Stop, Text, Thinking
from providers.catalog import Catalog
from roundtable import policies
from roundtable.hosting import convening
from roundtable.hosting.convening import Convene
from roundtable.table.asking import ATTEMPTS
from tests import fake_time
from tests.scene import MemoryLog, Scene, Step, Voices
from tests.tables import ADA

AUTH = ProviderError("No key.", code="auth")
BUSY = ProviderError("Busy.", code="rate_limited", retryable=True, retry_after=2.0)
FILTERED = ProviderError("No.", code="content_filter")
GONE = Invalid("Ours has no key.", field="model", code="not_configured")


class Models(Voices):
    """Voices by the model's name where it has a script, and those that are `gone` are not to be had."""

    def __init__(
        self, scripts: Mapping[str, Sequence[Step]], log: MemoryLog, gone: Sequence[str] = ()
    ) -> None:
        super().__init__(scripts, log)
        self.gone = gone

    def resolve(self, model: str) -> tuple[Provider, str]:
        if model in self.gone:
            raise GONE
        return super().resolve(model)

    def suited(self, panelist: Panelist, provider: Provider) -> dict[str, Any]:
        return {}

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        self.asked.append(request)
        script = self.scripts[request.model]
        for step in script(request) if callable(script) else script:
            if isinstance(step, Exception):
                raise step.with_traceback(None)
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            assert isinstance(step, str)
            yield Thinking(step) if step == "hm " else Text(step)
        yield Stop("end", Usage(input=100, output=10))


def play(
    scripts: Mapping[str, Sequence[Step]],
    *,
    gone: Sequence[str] = (),
    policy: str = "round_robin",
    seats: int = 1,
) -> tuple[Scene, list[Any]]:
    """A round in which each speaks through her own model, and `second` and `third` speak for it."""

    async def scenario() -> Scene:
        names = ("Ada", "Ben", "Cleo")[:seats]
        scene = Scene(policy, dict.fromkeys(names, ()), max_rounds=1, max_turns=9)
        scene.voices = Models(scripts, scene.log, gone)
        panel = [Panelist(name, name, fallback=["second", "third"]) for name in names]
        scene.opening = replace(scene.opening, panel=panel)
        scene.owner = scene.new_owner()
        await scene.play()
        return scene

    scene = fake_time.run(scenario())
    return scene, [entry.event for entry in scene.entries]


def of(events: list[Any], *kinds: type[e.Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (AUTH, 1),
        (BUSY, ATTEMPTS),
        (1e6, 1),
        (RuntimeError("bug"), 1),
        (ProviderError("?", code="bad_request"), 1),
    ],
)
def test_what_no_retry_helps_is_asked_of_the_next_within_the_turn(error: Step, asked: int) -> None:
    scene, events = play({"Ada": [error], "second": ["Hello."]})
    turn = scene.table.turns[0]
    assert (turn.status, turn.text, turn.model, turn.panelist) == ("completed", "Hello.", "second", "Ada")
    assert [request.model for request in scene.voices.asked] == ["Ada"] * asked + ["second"]
    last = of(events, e.TurnRetried)[-1]
    assert (last.model, last.attempt, last.wait) == ("second", asked + 1, 0.0)
    assert {delta.attempt for delta in of(events, e.TurnDelta)} == {turn.attempt} == {asked + 1}
    assert turn.usage == Usage(input=100, output=10), "what failed used nothing"
    assert not scene.table.absent


def test_the_next_is_asked_the_same() -> None:
    scene, _ = play({"Ada": [AUTH], "second": ["Hello."]})
    first, second = scene.voices.asked
    assert (first.system, first.messages, first.speaker) == (second.system, second.messages, second.speaker)


@pytest.mark.parametrize("heard", ["Well ", "hm "])
def test_after_a_first_word_or_thought_nobody_else_is_asked(heard: str) -> None:
    scene, _ = play({"Ada": [heard, AUTH], "second": ["Hello."]})
    turn = scene.table.turns[0]
    assert turn.status == "failed"
    assert [request.model for request in scene.voices.asked] == ["Ada"]


def test_a_refusal_is_not_asked_of_others_until_one_answers() -> None:
    scene, _ = play({"Ada": [FILTERED], "second": ["Hello."]})
    assert scene.table.turns[0].error is not None
    assert [request.model for request in scene.voices.asked] == ["Ada"]


def test_when_all_fail_the_turn_has_failed_by_the_last() -> None:
    scene, events = play({"Ada": [AUTH], "second": [BUSY], "third": [ProviderError("?", code="quota")]})
    turn = scene.table.turns[0]
    assert turn.error is not None
    assert (turn.status, turn.error.code, turn.model) == ("failed", "quota", "third")
    assert [retry.model for retry in of(events, e.TurnRetried)] == ["second", "", "", "third"]
    assert "Ada" in scene.table.absent


def test_a_model_that_is_not_to_be_had_is_replaced_too_and_one_that_replaces_it_passed_over() -> None:
    scene, events = play({"third": ["Hello."]}, gone=["Ada", "second"])
    turn = scene.table.turns[0]
    assert (turn.status, turn.model) == ("completed", "third")
    assert of(events, e.TurnRetried)[0].error.code == "not_configured"
    assert turn.digest


@pytest.mark.parametrize("policy", policies.OURS)
@settings(max_examples=25, deadline=None)
@given(
    st.fixed_dictionaries(
        dict.fromkeys(
            ("Ada", "Ben", "Cleo", "second", "third"),
            st.lists(
                st.sampled_from(["word ", "hm ", "\n", 1.0, AUTH, BUSY, RuntimeError("bug")]), max_size=4
            ),
        )
    ),
    st.lists(st.sampled_from(["Ada", "Ben", "second", "third"]), max_size=3),
)
def test_whatever_fails_each_turn_ends_once_and_its_words_are_of_one_model(
    policy: str, scripts: dict[str, list[Step]], gone: list[str]
) -> None:
    scene, events = play(scripts, gone=gone, policy=policy, seats=3)
    assert scene.table.status == "closed"
    for turn in scene.table.turns:
        mine = [event for event in events if isinstance(event, e.TurnEvent) and event.turn == turn.turn]
        ends = of(mine, e.TurnCompleted, e.TurnFailed, e.TurnCancelled)
        assert ends == mine[-1:]
        words = [place for place, each in enumerate(mine) if isinstance(each, e.TurnDelta | e.TurnThinking)]
        moves = [place for place, each in enumerate(mine) if isinstance(each, e.TurnRetried)]
        assert not words or not moves or max(moves) < min(words)
        assert [each.attempt for each in of(mine, e.TurnRetried)] == list(range(2, len(moves) + 2))
        assert turn.model in (turn.panelist, "second", "third")
    assert scene.table == fold(scene.entries)


@pytest.mark.parametrize("policy", policies.OURS)
def test_who_has_left_is_back_when_a_person_has_her_turn_tried_again(policy: str) -> None:
    async def scenario() -> Transcript:
        voices: dict[str, list[Step]] = {"Ada": [AUTH], "Ben": ["Yes."], "Cleo": ["No."], "Dag": ["Both."]}
        roles: dict[str, Office] = {"Dag": "moderator"} if policy == "moderated" else {}
        scene = Scene(policy, voices, then="rest", max_rounds=1, max_turns=12, roles=roles)
        await scene.play()
        assert "Ada" in scene.table.absent
        scene.voices.scripts = {**voices, "Ada": ["I am back."]}
        lost = next(turn for turn in scene.table.turns if turn.panelist == "Ada" and turn.status == "failed")
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        scene.tell(commands.Retry(lost.turn))
        await scene.owner.run()
        return scene.table

    table = fake_time.run(scenario())
    assert not table.absent
    assert any(turn.panelist == "Ada" and turn.status == "completed" for turn in table.turns)


# -- seats -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fallback", "field"),
    [
        (["scripted:x", "scripted"], "panel[0].fallback[1]"),
        (["nobody:x"], "panel[0].fallback[0]"),
        (["anthropic:claude"], "panel[0].fallback[0]"),
        (["scripted:x"] * 5, "panel[0].fallback"),
    ],
)
async def test_what_cannot_speak_for_her_is_refused_by_its_place(fallback: list[str], field: str) -> None:
    ask = Convene("Why?", [AskedSeat("Ada", "scripted:ada", fallback=fallback)])
    catalog = Catalog({})
    with pytest.raises(Invalid) as refused:
        await convening.opening("t", ask, catalog)
    assert refused.value.field == field
    await catalog.close()


async def test_it_gets_those_of_her_options_that_it_takes() -> None:
    catalog = Catalog({"ANTHROPIC_API_KEY": "sk", "OPENAI_API_KEY": "sk"})
    options = {"temperature": 0.5, "effort": "high", "thinking": "adaptive", "max_tokens": 4000}
    ada = Panelist("Ada", "scripted:x", options=options)
    claude, _ = catalog.resolve("anthropic:claude")
    gpt, _ = catalog.resolve("openai:gpt")
    assert set(catalog.suited(ada, claude)) == {"effort", "thinking", "max_tokens"}
    assert set(catalog.suited(ada, gpt)) == {"temperature", "effort", "max_tokens"}
    with_tools = replace(ada, tools=["files.*"])
    assert "thinking" not in catalog.suited(with_tools, claude)
    claude_first = replace(with_tools, model="anthropic:claude", options={"thinking": "adaptive"})
    with pytest.raises(Invalid) as refused:
        catalog.check(claude_first)
    assert refused.value.field == "options.thinking"
    catalog.check(replace(claude_first, options={"thinking": "disabled"}))
    catalog.check(replace(claude_first, tools=[]))
    assert catalog.suited(ADA, gpt) == {}
    await catalog.close()
