"""What a turn's model was sent, asked for at any time afterwards."""

from pathlib import Path
from typing import Any

import pytest

from protocol import codec
from protocol import events as e
from protocol.messages import Failure, Panelist
from roundtable.hosting.lens import REDACTED, look, redacted
from roundtable.log.base import Record
from tests import fake_time
from tests.scene import STREAM, MemoryLog, Scene
from tests.serving import QUICK, SLOW, TABLES, Connect, convene, frames, problem, serve
from tests.tables import entries, opened
from tests.test_summaries import THREE

SAYS: dict[str, Any] = {"text": "Hello there.", "rate": 0, "ttft": 0}


def held(*events: e.Event) -> MemoryLog:
    log = MemoryLog()
    log.records = [Record(each.cursor, codec.encode_body(each.event, each.at)) for each in entries(events)]
    return log


async def test_it_shows_what_was_sent_and_that_it_is_the_same(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    other = {
        **QUICK,
        "name": "Ben",
        "persona": "A sceptic.",
        "options": SAYS | {"max_tokens": 90},
    }
    table = await convene(client, panel=[QUICK, other], limits={"max_turns": 3})
    await frames(client, table)
    found = await (await client.get(f"{TABLES}/{table}/turns/t2/prompt")).json()
    assert found["matches"]
    assert found["digest"] == found["computed"]
    assert (found["turn"], found["panelist"], found["kind"], found["model"]) == (
        "t2",
        "Ben",
        "speech",
        "scripted:ada",
    )
    assert "A sceptic." in found["system"]
    assert [message["role"] for message in found["messages"]] == ["user"]
    assert '<said by="Ada">Hello there.</said>' in found["messages"][0]["text"]
    assert found["length"] == len(found["system"]) + len(found["messages"][0]["text"])
    assert (found["most"], found["options"]) == (90, SAYS)
    assert found["attempts"] == [{"attempt": 1, "model": "scripted:ada", "error": None}]


async def test_while_she_speaks_it_is_there_and_before_it_is_not(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    table = await convene(client, panel=[SLOW, {**SLOW, "name": "Cleo"}])
    assert (await (await client.get(f"{TABLES}/{table}/turns/t1/prompt")).json())["matches"]
    for turn in ("t2", "t9", "x", "%C3%A4"):
        assert (await problem(await client.get(f"{TABLES}/{table}/turns/{turn}/prompt")))[:2] == (
            404,
            "not_found",
        )
    assert (await problem(await client.get(f"{TABLES}/none/turns/t1/prompt")))[0] == 404


def test_every_turn_of_a_long_table_with_summaries_matches_on_any_node() -> None:
    async def play() -> None:
        scene = Scene("parallel", THREE, max_rounds=5, verdict=True)
        table = await scene.play()
        shown = [await look(scene.log, STREAM, turn.turn) for turn in table.turns]
        assert {each.kind for each in shown} == {"speech", "stances", "summary", "verdict"}
        assert all(each.matches for each in shown)
        assert [each.length for each in shown] == [turn.length for turn in table.turns]

    fake_time.run(play())


async def test_attempts_are_told_with_the_model_of_each() -> None:
    who: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
    busy = Failure("rate_limited", "Busy.", retryable=True)
    log = held(
        *opened(), e.TurnQueued(**who), e.TurnStarted(**who, model="one:a"),
        e.TurnRetried(**who, attempt=2, error=busy),
        e.TurnRetried(**who, attempt=3, error=busy, model="two:b"),
        e.TurnDelta(**who, attempt=3, text="So."),
    )  # fmt: skip
    found = await look(log, STREAM, "t1")  # type: ignore[arg-type]
    assert [(each.attempt, each.model, each.error) for each in found.attempts] == [
        (1, "one:a", None), (2, "one:a", busy), (3, "two:b", busy),
    ]  # fmt: skip


async def test_a_prompt_that_would_be_another_today_is_shown_as_that() -> None:
    who: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
    log = held(*opened(), e.TurnQueued(**who), e.TurnStarted(**who, digest="0" * 32))
    found = await look(log, STREAM, "t1")  # type: ignore[arg-type]
    assert not found.matches
    assert (found.digest, len(found.computed)) == ("0" * 32, 32)
    assert found.messages[-1].text


@pytest.mark.parametrize(
    "name", ["api_key", "Authorization", "x-api-key", "client_secret", "PASSWORD", "access_token"]
)
async def test_nothing_under_a_secrets_name_is_shown(name: str) -> None:
    options = {"temperature": 0.5, "max_tokens": 9, "extra_body": {"headers": [{name: "s3cret"}], "top_k": 3}}
    assert redacted(options) == {
        "temperature": 0.5,
        "extra_body": {"headers": [{name: REDACTED}], "top_k": 3},
    }
    who: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
    log = held(*opened(Panelist("Ada", "x:y", options=options)), e.TurnQueued(**who), e.TurnStarted(**who))
    assert b"s3cret" not in codec.encode(await look(log, STREAM, "t1"))  # type: ignore[arg-type]
