"""Councils at a real server: of real llama.cpp models, whose weights are random, and of models that mean what they say.

The first proves the plumbing: such models cannot rank, and the table says so. What ballots come to is in the second.
"""

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from protocol import kinds
from protocol.events import Entry, TableRested
from protocol.findings import BudgetDegraded, StressTested, TallyCounted, TurnUnread, VerdictGiven
from protocol.transcript import fold
from tests import tiny_gguf
from tests.rankers import SHOWN, ballot
from tests.server_process import Server, plain, serving, whole

NAMES = ["Ada", "Ben", "Cleo"]
SEED = 5
ANSWERS = {"ada": "No.", "ben": "Yes, at night.", "cleo": "Yes."}
BEST_FIRST = ["Yes, at night.", "Yes.", "No."]


async def test_a_council_of_three_real_models_is_honest_about_what_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt is some 2,000 bytes, each a token to this model."""
    monkeypatch.setattr(tiny_gguf, "CONTEXT", 8192)
    tiny_gguf.write(tmp_path / "tiny.gguf")
    config = tmp_path / "roundtable.toml"
    config.write_text('model_folders = ["."]\n')
    short = {"max_tokens": 16, "temperature": 0, "context": 8192}
    panel = [{"name": name, "model": "llama:tiny", "options": short} for name in NAMES]
    async with serving(tmp_path, "--config", str(config)) as server:
        table = await server.convene(panel=panel, policy="council", limits={"max_rounds": 1}, seed=SEED)
        log = await whole(server, table)
    council = fold(log)
    assert (council.status, council.ended_reason) == ("closed", "answered")
    assert [turn.kind for turn in council.turns] == [
        *[kinds.ANSWER] * 3, *[kinds.BALLOT] * 6, *[kinds.STANCES] * 2, kinds.VERDICT,
    ]  # fmt: skip
    assert all(turn.status == "completed" and len(turn.text) == 16 for turn in council.turns)
    assert [each.panelist for each in council.found(TurnUnread)] == [*NAMES * 2, NAMES[0], NAMES[0]]
    assert [each.detail for each in council.found(BudgetDegraded)] == ["No ballot could be read."]
    (verdict,) = council.found(VerdictGiven)
    assert verdict.header.startswith("3 of 3 answered")
    assert verdict.header.endswith("no synthesis."), "a chair who was cut off at 16 tokens has not summed up"
    assert (verdict.answer, verdict.turn, verdict.tally) == ("", council.turns[-1].turn, None)


async def mind(request: web.Request) -> web.StreamResponse:
    """A model behind the Chat Completions dialect: `ada` answers as Ada, and all rank Ben before Cleo before Ada."""
    asked = await request.json()
    last = asked["messages"][-1]["content"]
    if answers := SHOWN.findall(last) if "drawn by lot" in last else []:
        said = ballot([label for label, _ in sorted(answers, key=lambda pair: BEST_FIRST.index(pair[1]))])
    elif "The discussion is over." in last:
        said = "The night shift. Minority report: Ada wants none."
    else:
        said = ANSWERS[asked["model"]]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    chunk = {"choices": [{"index": 0, "delta": {"content": said}, "finish_reason": "stop"}]}
    await response.write(b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(chunk).encode())
    return response


async def rested(server: Server, table: str, times: int) -> list[Entry]:
    """Its entries until it has come to rest so many times."""
    entries = list[Entry]()
    async for entry in server.entries(table):
        entries.append(entry)
        times -= isinstance(entry.event, TableRested)
        if not times:
            return entries
    raise AssertionError("It did not rest.")


async def test_a_council_over_the_wire_finds_its_winner_who_survives(tmp_path: Path) -> None:
    minds = web.Application()
    minds.router.add_post("/v1/chat/completions", mind)
    panel = [{"name": name, "model": f"minds:{name.lower()}"} for name in NAMES]
    async with TestServer(minds) as wire:
        config = tmp_path / "roundtable.toml"
        config.write_text(f'[providers.minds]\ndialect = "openai"\nbase_url = "{wire.make_url("/v1")}"\n')
        async with serving(tmp_path, "--config", str(config)) as server:
            table = await server.convene(panel=panel, policy="council", then="rest", seed=SEED)
            await rested(server, table, 1)
            told = await server.command(table, "test-1", type="stress_test")
            again = await server.command(table, "test-1", type="stress_test")
            log = await rested(server, table, 2)
            snapshot = await server.transcript(table)
    council = fold(log)
    assert plain(council) == snapshot
    assert told["cursor"] == again["cursor"] == council.commands["test-1"]
    (tally,) = council.found(TallyCounted)
    assert (tally.winner, tally.condorcet, tally.ballots, tally.flipped) == ("Ben", "Ben", 6, 0)
    assert tally.scores == {"Ada": 0.0, "Ben": 2.0, "Cleo": 1.0}
    (verdict,) = council.found(VerdictGiven)
    assert verdict.tally == tally
    assert "Minority report" in verdict.answer
    (tested,) = council.found(StressTested)
    assert (tested.winner, tested.survives, len(tested.variations)) == ("Ben", True, 7)
    assert (council.status, council.ended_reason) == ("resting", "ranked")
