"""A red team: one proposes, the others attack, the proposer revises."""

import json
from collections.abc import Sequence
from typing import Any

from protocol import commands
from protocol.errors import ProviderError
from protocol.kinds import ATTACK, PROPOSAL, REVISION, VERDICT
from providers.base import Request
from roundtable import policies
from tests import fake_time
from tests.scene import FOREVER, Scene, Step, played
from tests.serving import TABLES, Client, frames, serve

REFUSED = ProviderError("The key was refused.", code="auth")
GONE = ProviderError("Gone.", code="connection", retryable=True)


def play(voices: dict[str, Any], **options: Any) -> Scene:
    return played("red_team", voices, **options)


def held(scene: Scene) -> list[tuple[str, str, int]]:
    return [(turn.kind, turn.panelist, turn.round) for turn in scene.table.turns if turn.kind != VERDICT]


def task(request: Request) -> str:
    return request.messages[-1].text


def passing(after: int) -> Any:
    """Attacks so often, and then has nothing more."""
    said = iter(["It fails in winter."] * after)
    return lambda _: [next(said, "**PASS**.")]


def test_two_rounds_of_attack_and_revision_where_nothing_is_set() -> None:
    scene = play({name: ["Words."] for name in ("Ada", "Ben", "Cleo")})
    attacks = [(ATTACK, "Ben"), (ATTACK, "Cleo"), (REVISION, "Ada")]
    assert held(scene) == [
        (PROPOSAL, "Ada", 1),
        *((kind, name, round) for round in (1, 2) for kind, name in attacks),
    ]
    assert scene.table.ended_reason == "max_rounds"
    assert policies.rounds("red_team") == 2
    assert play({"Ada": ["Words."], "Ben": ["But."]}, max_rounds=4).table.round == 4


def test_attacks_are_made_at_once_and_unheard_and_answered_by_name() -> None:
    def attack(request: Request) -> Sequence[Step]:
        return [f"{request.speaker} says it fails.", 1.0]

    scene = play({"Ada": ["Flag letters."], "Ben": attack, "Cleo": attack, "Dag": attack}, max_rounds=2)
    sent = [
        (request.speaker, "".join(each.text for each in request.messages)) for request in scene.voices.asked
    ]
    attacks = [(name, text) for name, text in sent if "Attack what Ada proposed" in text]
    assert len(attacks) == 6
    for name, text in attacks[:3]:
        assert "says it fails" not in text.replace(f"{name} says", "")
    assert all(text.count("says it fails") >= 2 for _, text in attacks[3:]), "earlier rounds are heard"
    revision = next(request for request in scene.voices.asked if "Answer the attacks" in task(request))
    assert revision.speaker == "Ada"
    assert "by name (Ben, Cleo, Dag)" in task(revision)
    starts = [turn.started_seq for turn in scene.table.turns if turn.kind == ATTACK][:3]
    assert max(starts) - min(starts) == 2


def test_it_ends_when_every_attacker_passes() -> None:
    scene = play({"Ada": ["Words."], "Ben": passing(1), "Cleo": passing(2)}, max_rounds=9)
    assert scene.table.ended_reason == "passes"
    assert scene.table.round == 3
    assert [turn.round for turn in scene.table.turns if turn.kind == REVISION] == [1, 2]
    asked = [task(request) for request in scene.voices.asked if "Answer the attacks" in task(request)]
    assert ["by name (Ben, Cleo)" in asked[0], "by name (Cleo)" in asked[1]] == [True, True]


def test_a_proposer_who_fails_is_followed_by_the_next() -> None:
    scene = play({"Ada": [REFUSED], "Ben": ["Hm", GONE], "Cleo": ["Words."]}, max_rounds=1)
    assert held(scene)[:3] == [(PROPOSAL, "Ada", 1), (PROPOSAL, "Ben", 1), (PROPOSAL, "Cleo", 1)]
    assert scene.table.ended_reason == "max_rounds"


def test_a_proposer_who_leaves_is_followed_by_one_who_proposes_anew() -> None:
    said = iter(["Words."])
    ada: Any = lambda _: [next(said, REFUSED)]  # noqa: E731
    scene = play({"Ada": ada, "Ben": ["But."], "Cleo": ["And."]}, max_rounds=1)
    assert held(scene) == [
        (PROPOSAL, "Ada", 1),
        (ATTACK, "Ben", 1),
        (ATTACK, "Cleo", 1),
        (REVISION, "Ada", 1),
        (PROPOSAL, "Ben", 1),
        (ATTACK, "Cleo", 1),
        (REVISION, "Ben", 1),
    ]


def test_a_proposer_who_was_skipped_is_followed_likewise() -> None:
    async def run() -> Scene:
        scene = Scene("red_team", {"Ada": [FOREVER], "Ben": ["Words."], "Cleo": ["But."]}, max_rounds=1)
        async with scene.playing():
            scene.tell(commands.Cancel("t1"))
        return scene

    assert held(fake_time.run(run()))[1] == (PROPOSAL, "Ben", 1)


def test_attackers_who_all_fail_leave_nothing_to_revise() -> None:
    scene = play({"Ada": ["Words."], "Ben": ["Hm", GONE], "Cleo": ["Hm", GONE]}, max_rounds=2)
    assert [kind for kind, _, _ in held(scene)] == [PROPOSAL, *[ATTACK] * 4]
    assert play({"Ada": ["Words."], "Ben": [REFUSED]}).table.ended_reason == "one_side"


def test_where_nobody_comes_to_a_proposal_it_is_said() -> None:
    scene = play({"Ada": ["Hm", GONE], "Ben": ["Hm", GONE]})
    assert scene.table.ended_reason == "no_proposal"
    assert len(scene.table.turns) == 2


async def test_a_red_team_through_a_server(aiohttp_client: Any) -> None:
    client: Client = await serve(aiohttp_client)

    def seat(name: str, *lines: str) -> dict[str, Any]:
        return {"name": name, "model": "scripted:x", "options": {"lines": list(lines), "rate": 0}}

    panel = [
        seat("Ada", "Flag.", "Ben: accepted.", "So."),
        seat("Ben", "It fails.", "PASS"),
        seat("Cleo", "PASS"),
    ]
    body = {"topic": "Letters?", "panel": panel, "policy": "red_team"}
    response = await client.post(TABLES, json=body)
    assert response.status == 201, await response.text()
    table = (await response.json())["id"]
    said = [json.loads(frame.data) for frame in await frames(client, table) if frame.data]
    kinds = [one["kind"] for one in said if one["type"] == "turn.queued"]
    assert kinds == [PROPOSAL, ATTACK, ATTACK, REVISION, ATTACK, ATTACK, VERDICT]
    assert [one["reason"] for one in said if one["type"] == "table.closed"] == ["passes"]
    alone = await client.post(TABLES, json={**body, "panel": panel[:1]})
    assert alone.status == 400
    assert "red_team takes 2 panelists or more" in await alone.text()
