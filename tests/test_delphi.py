"""Delphi: blind rounds, feedback without names, and an end when positions are near each other."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import commands
from protocol import events as e
from protocol.errors import ProviderError
from protocol.findings import Converge, Entropy, VerdictGiven
from protocol.kinds import ANSWER
from protocol.messages import Limits, Panelist, Until
from providers.base import Request
from roundtable.policies.delphi import _numbers, labels
from tests import fake_time
from tests.scene import Scene, Script, Step, played
from tests.serving import TABLES, Client, frames, serve
from tests.tables import transcript

NAMES = ("Ada", "Ben", "Cleo")
# Every second one holds another's name, or is held in it.
ODD = ("Al", "Albert", "Panelist", "Panelist A", "A", "Mary Ann", "Ann")
SAME = "POSITION: Only to flag letters for a clinician.\nBecause "
WORLDS = (
    "Never at all.",
    "Yes, always and everywhere.",
    "Only after a trial on one ward.",
    "Ask the patients.",
)


def play(voices: dict[str, Any], **options: Any) -> Scene:
    return played("delphi", voices, **options)


def prompt(request: Request) -> str:
    return "\n".join([request.system, *(message.text for message in request.messages)])


def asked(scene: Scene, speaker: str) -> list[str]:
    return [prompt(request) for request in scene.voices.asked if request.speaker == speaker]


def apart(number: int) -> list[Step]:
    return [f"POSITION: {WORLDS[number]}\nMy reason {number}."]


def answers(scene: Scene) -> list[tuple[int, str]]:
    return [(turn.round, turn.panelist) for turn in scene.table.turns if turn.kind == ANSWER]


def test_three_rounds_where_nothing_is_set_and_five_at_the_most() -> None:
    voices = {name: apart(number) for number, name in enumerate(NAMES)}
    scene = play(voices, verdict=False)
    assert answers(scene) == [(round, name) for round in (1, 2, 3) for name in NAMES]
    assert scene.table.ended_reason == "max_rounds"
    assert play(voices, max_rounds=9).table.round == 5
    assert play(voices, max_rounds=2).table.round == 2


def test_it_ends_when_positions_are_near_each_other_whatever_the_reasons() -> None:
    def swayed(number: int) -> Callable[[Request], Sequence[Step]]:
        return lambda request: (
            [SAME, f"{number * 'very '} much."] if "last round" in prompt(request) else apart(number)
        )

    scene = play({name: swayed(number) for number, name in enumerate(NAMES)})
    values = [entropy.value for entropy in scene.table.found(Entropy)]
    assert values[0] > 0.8
    assert values[1:] == [0.0]
    (converge,) = scene.table.found(Converge)
    assert (converge.round, converge.method, converge.threshold) == (2, "lexical", 0.2)
    assert scene.table.ended_reason == "convergence"
    assert scene.table.found(VerdictGiven)[0].header == "3 of 3 answered; Ada, one of the panel, chaired."


def test_the_threshold_is_the_tables() -> None:
    scene = play({name: [SAME] for name in NAMES}, until=Until(), max_rounds=2)
    assert scene.table.ended_reason == "max_rounds"
    assert not scene.table.found(Converge)
    assert play({name: apart(0) for name in NAMES}, until=Until(convergence=0.0)).table.round == 3


def test_each_is_shown_the_last_round_alone_and_which_is_hers() -> None:
    rounds = {name: iter(range(1, 9)) for name in NAMES}

    def say(request: Request) -> Sequence[Step]:
        number = next(rounds[request.speaker])
        return [f"POSITION: {WORLDS[NAMES.index(request.speaker)]} In round {number}."]

    scene = play(dict.fromkeys(NAMES, say), verdict=False)
    first, second, third = asked(scene, "Ben")
    mine = labels(scene.table)["Ben"]
    assert "<said by" not in first
    assert second.count("In round 1.") == third.count("In round 2.") == 3
    assert "In round 1." not in third
    assert f'<said by="{mine}">POSITION: {WORLDS[1]}' in second


def test_the_order_is_another_for_each_reader_and_the_same_whenever_it_is_computed() -> None:
    voices = {name: apart(number) for number, name in enumerate((*NAMES, "Dag"))}

    def orders(scene: Scene) -> dict[tuple[str, int], tuple[str, ...]]:
        shown = [(request.speaker, prompt(request)) for request in scene.voices.asked]
        return {
            (name, at): tuple(re.findall(r'<said by="([^"]+)"', text))
            for at, (name, text) in enumerate(shown)
        }

    one, again = orders(play(voices, verdict=False)), orders(play(voices, verdict=False))
    assert one == again
    seen = {order for order in one.values() if order}
    assert len(seen) > 4
    assert len({frozenset(order) for order in seen}) == 1


@settings(max_examples=25, deadline=None)
@given(st.permutations(ODD), st.integers(2, 7))
def test_no_prompt_before_the_verdict_holds_anothers_name(names: list[str], count: int) -> None:
    seated = names[:count]
    speech = f"POSITION: I, like {', '.join(seated)}, think so.\n" + " ".join(
        f"[{name}]'s" for name in seated
    )

    async def run() -> Scene:
        scene = Scene("delphi", {name: [speech, 1.0, " Yes."] for name in seated}, until=Until())
        async with scene.playing():
            scene.tell(commands.Say(f"What of {seated[0]}, {seated[1]}?"))
            scene.tell(commands.Say("And you?", to=seated[1]))
        return scene

    scene = fake_time.run(run())
    assert any(turn.reason == "asked" and turn.status == "completed" for turn in scene.table.turns)
    for request in scene.voices.asked[:-1]:
        text = re.sub(r"\bPanelist [A-L]\b", "?", prompt(request))  # a label, or a name that looks like one
        for name in set(seated) - {request.speaker, "Panelist A", "A"}:
            assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text.replace(request.speaker, "")), name
    chair = prompt(scene.voices.asked[-1])
    assert all(f"{name} as {label}" in chair for name, label in labels(scene.table).items())


def test_labels_are_dealt_by_the_seed_and_stay_when_another_is_seated() -> None:
    seats = [Panelist(f"P{number}", "scripted:x") for number in range(14)]

    def dealt(count: int, seed: int) -> dict[str, str]:
        opening = e.TableOpened(
            table="t", topic="Why?", panel=seats[:count], policy="delphi", limits=Limits(), seed=seed
        )
        return labels(transcript(e.TermBegan(owner="test"), opening))

    assert len(set(dealt(14, 3).values())) == 14
    assert dealt(5, 3).items() <= dealt(14, 3).items()
    assert dealt(5, 3) != dealt(5, 4)


def test_who_fails_is_asked_again_and_missed() -> None:
    failing = iter([ProviderError("Gone.", code="connection", retryable=True)])
    ben: Script = lambda _: ["POSITION: Never.\n", *failing]  # noqa: E731
    scene = play({"Ada": apart(0), "Ben": ben, "Cleo": apart(1)}, max_rounds=2, verdict=False)
    assert [turn.status for turn in scene.table.turns if turn.panelist == "Ben"] == ["failed", "completed"]
    again = asked(scene, "Ben")[-1]
    assert "2 answered." in again


@pytest.mark.parametrize(
    ("positions", "told"),
    [
        (["40%", "About 45 % of them", "(60 %)."], "The median is 45; the middle half is from 42.5 to 52.5."),
        (["-1.5", "about 0", "2.5"], "The median is 0; the middle half is from -0.75 to 1.25."),
        (["40", "45 to 50", "60"], ""),
        (["40", "no number", "60"], ""),
        (["1,000", "2", "3"], ""),
        (["40%", "45 of them", "60%"], ""),
        (["Ban it by 2030", "Never before 2040", "With 2 reviewers"], ""),
        (["1", "2"], ""),
        (["9" * 400, "1", "2"], ""),
    ],
)
def test_numbers_are_told_as_median_and_middle_half(positions: list[str], told: str) -> None:
    assert _numbers(positions) == told


async def test_delphi_through_a_server(aiohttp_client: Any) -> None:
    client: Client = await serve(aiohttp_client)
    panel: list[dict[str, Any]] = [
        {"name": name, "model": "scripted:x", "options": {"text": f"{SAME}I say so.", "rate": 0}}
        for name in NAMES
    ]
    response = await client.post(TABLES, json={"topic": "Letters?", "panel": panel, "policy": "delphi"})
    assert response.status == 201, await response.text()
    said = [
        json.loads(frame.data) for frame in await frames(client, (await response.json())["id"]) if frame.data
    ]
    assert [one["value"] for one in said if one["type"] == "entropy"] == [0.0]
    assert [one["reason"] for one in said if one["type"] == "table.closed"] == ["convergence"]
