"""Methods over a real server whose panelists are scripted: voices of our own, and models at the wire."""

import json
import signal
from itertools import count
from pathlib import Path
from typing import Any

from protocol import events as e
from protocol.findings import BidMade, SpeakerChosen, TurnUnread
from protocol.transcript import Transcript, fold
from tests.model_server import models
from tests.server_process import plain, serving, whole

CONFIG = '[providers.wire]\ndialect = "openai"\nbase_url = "{url}"\n'


def scripted(name: str, *lines: str, **seat: Any) -> dict[str, Any]:
    return {"name": name, "model": "scripted:x", "options": {"lines": lines, "rate": 0}, **seat}


def wire(name: str, **seat: Any) -> dict[str, Any]:
    return {"name": name, "model": f"wire:{name}", **seat}


def floor(transcript: Transcript) -> list[tuple[str, str, str]]:
    return [(turn.panelist, turn.reason, turn.question) for turn in transcript.turns if turn.kind == "speech"]


async def test_scripted_voices_take_the_floor_that_they_are_given(tmp_path: Path) -> None:
    """A line of a script is said as a bid and as a speech: each holds what the other needs."""
    eve = scripted(
        "Eve", '{"speaker": "Ben", "question": "How many?", "reason": "figures"}', role="moderator"
    )
    moderated = [
        scripted("Ada", "One thing.", "Another thing."),
        scripted("Ben", "Two of ten.", "In May."),
        eve,
    ]
    raise_hand = [
        scripted("Ada", 'First. {"urgency": 1}', 'Last. {"urgency": 0}'),
        scripted("Ben", 'It fails. {"urgency": 2, "about": "failures"}', "PASS"),
        scripted("Cleo", 'Who pays? {"urgency": 9, "about": "money"}', "PASS"),
    ]
    async with serving(tmp_path) as server:
        one = await server.convene(panel=moderated, policy="moderated", limits={"max_rounds": 2})
        two = await server.convene(panel=raise_hand, policy="raise_hand", limits={"max_rounds": 5})
        tables = [fold(await whole(server, table)) for table in (one, two)]
        assert [await server.transcript(table) for table in (one, two)] == [plain(table) for table in tables]
    _moderated(tables[0])
    _raise_hand(tables[1])


def _moderated(table: Transcript) -> None:
    why = "the moderator named nobody; spoke least so far"
    named = ("Ben", "Eve: figures", "How many?")
    assert floor(table) == [named, ("Ada", why, ""), named, ("Ada", why, "")]
    assert [turn.detail for turn in table.found(TurnUnread)] == ["Ben spoke last. Choose one of Ada."] * 4
    assert (table.ended_reason, table.until.loop, table.until.passes) == ("max_rounds", True, True)


def _raise_hand(table: Transcript) -> None:
    assert [(name, reason) for name, reason, _ in floor(table)][:3] == [
        ("Ada", ""),
        ("Cleo", "bid 9 of 10: money"),
        ("Ben", "bid 2 of 10: failures; spoke least so far"),
    ]
    assert table.ended_reason == "passes"


async def test_a_moderated_table_over_the_wire_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    """The server is killed while the moderator decides; the next one asks her again, and everything is said once."""
    choices = count()

    def answer(model: str, prompt: str) -> str:
        if '"speaker"' not in prompt:
            return f"I am {model}, and I say something of my own about {prompt[-20:]}"
        number = next(choices)
        speaker = None if number == 5 else ("Cleo", "Ada", "Ben")[number % 3]
        return json.dumps({"speaker": speaker, "question": f"Question {number}?", "reason": "it is time"})

    panel = [wire("Ada"), wire("Ben"), wire("Cleo"), wire("Eve", role="moderator")]
    async with models(answer) as server_of_models:
        config = tmp_path / "roundtable.toml"
        config.write_text(CONFIG.format(url=server_of_models.url))
        async with serving(tmp_path / "data", "--config", str(config)) as server:
            table = await server.convene(panel=panel, policy="moderated", limits={"max_rounds": 9})
            seen = 0
            async for entry in server.entries(table):
                seen += isinstance(entry.event, SpeakerChosen)
                if seen == 2:
                    break
            server.signal(signal.SIGKILL)
            await server.ended()
        async with serving(tmp_path / "data", "--config", str(config)) as server:
            transcript = fold(await whole(server, table))
    assert transcript.ended_reason == "moderator"
    chosen = [each.speaker for each in transcript.found(SpeakerChosen)]
    spoke = [
        turn.panelist for turn in transcript.turns if turn.kind == "speech" and turn.status == "completed"
    ]
    assert chosen[-1] == ""
    assert set(spoke) == {"Ada", "Ben", "Cleo"}
    assert all(turn.status in ("completed", "failed") for turn in transcript.turns)
    questions = [asked.messages[-1].content for asked in server_of_models.asked if asked.model != "Eve"]
    assert any('<said by="Eve">Question 1?</said>' in text for text in questions)


async def test_raised_hands_over_the_wire(tmp_path: Path) -> None:
    wishes = {"Ada": 1, "Ben": 9, "Cleo": 5}

    def answer(model: str, prompt: str) -> str:
        if '"urgency"' in prompt:
            return json.dumps({"urgency": wishes[model], "about": f"{model}'s point"})
        return f"I am {model}: " + " ".join(f"{model}{number}" for number in range(wishes[model] * 5))

    async with models(answer) as server_of_models:
        config = tmp_path / "roundtable.toml"
        config.write_text(CONFIG.format(url=server_of_models.url))
        async with serving(tmp_path / "data", "--config", str(config)) as server:
            panel = [wire(name) for name in wishes]
            table = await server.convene(panel=panel, policy="raise_hand", limits={"max_rounds": 2})
            entries = await whole(server, table)
    transcript = fold(entries)
    assert [(name, reason) for name, reason, _ in floor(transcript)][:2] == [
        ("Ada", ""), ("Ben", "bid 9 of 10: Ben's point; spoke least so far"),
    ]  # fmt: skip
    assert {bid.urgency for bid in transcript.found(BidMade)} == set(wishes.values())
    bids = [asked for asked in server_of_models.asked if '"urgency"' in asked.messages[-1].content]
    assert not any(
        "'s point" in message.content for asked in server_of_models.asked for message in asked.messages
    )
    assert {asked.max_tokens for asked in bids} == {512}
    assert not [entry for entry in entries if isinstance(entry.event, e.TurnFailed)]
