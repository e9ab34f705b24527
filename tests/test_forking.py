"""Another future of a table: the past it keeps, what may change, and how both know of each other."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import events as e
from protocol.codec import decode_body
from protocol.cursor import Cursor
from protocol.transcript import Transcript, fold
from roundtable.hosting.past import going_on, past
from tests import golden_scenarios
from tests.serving import QUICK, SLOW, TABLES, Client, Connect, convene, frames, problem, serve, tell

SCENARIOS = [scenario for scenario in golden_scenarios.SCENARIOS if scenario.__name__ != "unknown"]
# Quick words in two rounds; the second voice is asked for what the first leaves open.
PANEL = [
    {
        "name": name,
        "model": f"scripted:{name}",
        "options": {"lines": [f"{name} {n}." for n in range(9)], "rate": 0},
    }
    for name in ("Ada", "Ben")
]


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


# -- the past, told again ----------------------------------------------------------------------------------------


def opening(entries: list[e.Entry]) -> e.Entry:
    return next(entry for entry in entries if isinstance(entry.event, e.TableOpened))


def told(entries: list[e.Entry], *more: tuple[float, e.Event]) -> Transcript:
    first = opening(entries)
    events = [(first.at, e.TermBegan(owner="x")), (first.at, first.event), *past(entries), *more]
    return fold(e.Entry(Cursor(9, seq), at, event) for seq, (at, event) in enumerate(events, 1))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SCENARIOS), st.integers(2, 200))
def test_whatever_was_said_up_to_any_entry_is_said_at_the_fork(scenario: Any, count: int) -> None:
    entries = scenario().entries[:count]
    was, now = fold(entries), told(entries)
    assert [(turn.turn, turn.panelist, turn.text, turn.thinking, turn.kind) for turn in now.turns] == [
        (turn.turn, turn.panelist, turn.text, turn.thinking, turn.kind) for turn in was.turns
    ]
    assert [message.text for message in now.messages] == [message.text for message in was.messages]
    assert (now.panel, now.round, now.limits, now.muted, now.removed) == (
        was.panel, was.round, was.limits, was.muted, was.removed,
    )  # fmt: skip
    assert [each.finding for each in now.findings] == [each.finding for each in was.findings]
    assert now.spent.dollars == was.spent.dollars
    assert not now.commands, "what was asked of the one was not asked of the other"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SCENARIOS), st.integers(2, 200), st.booleans())
def test_it_goes_on_from_any_entry(scenario: Any, count: int, anew: bool) -> None:
    entries = scenario().entries[:count]
    was = fold(entries)
    anew = anew or was.status in ("resting", "closed") or bool(was.concluding)
    later = entries[-1].at + 1_000.0
    table = told(entries, *going_on(told(entries), anew=anew, now=later))
    assert table.status == "open"
    assert not table.of("started")
    assert table.running_since == later, "the time between the two counts at neither"
    if anew:
        assert not table.of("queued")
        assert table.sitting() == []
        assert table.base.turns == table.spent.turns


# -- over a server -----------------------------------------------------------------------------------------------


async def fork(client: Client, table: str, **body: Any) -> dict[str, Any]:
    response = await client.post(f"{TABLES}/{table}/forks", json=body)
    assert response.status == 201, await response.text()
    found: dict[str, Any] = await response.json()
    return found


async def transcript(client: Client, table: str) -> dict[str, Any]:
    async with client.get(f"{TABLES}/{table}") as response:
        found: dict[str, Any] = (await response.json())["transcript"]
        return found


def ends(told: list[Any]) -> list[tuple[str, str]]:
    completed = [frame for frame in told if frame.event == "turn.completed"]
    bodies = [decode_body(Cursor(1, 1), frame.data.encode()).event for frame in completed]
    return [(event.turn, event.text) for event in bodies if isinstance(event, e.TurnCompleted)]


async def test_from_the_middle_of_a_round_another_model_goes_on(client: Client) -> None:
    table = await convene(client, panel=PANEL, limits={"max_rounds": 2})
    story = await frames(client, table)
    (after,) = [
        frame.id for frame in story if '"turn.completed"' in frame.data and '"turn":"t1"' in frame.data
    ]
    other = {**PANEL[1], "model": "scripted:other", "options": {"text": "Another view.", "rate": 0}}
    made = await fork(client, table, after=after, panel=[PANEL[0], other])
    future = await frames(client, made["id"])
    assert ends(future) == [
        ("t1", "Ada 0."),
        ("t2", "Another view."),
        ("t3", "Ada 1."),
        ("t4", "Another view."),
    ]
    shown = await transcript(client, made["id"])
    assert shown["origin"] == {"table": table, "cursor": after}
    assert shown["ended_reason"] == "max_rounds"
    assert [seat["model"] for seat in shown["panel"]] == ["scripted:Ada", "scripted:other"]
    async with client.get(f"{TABLES}/{table}/forks") as response:
        assert await response.json() == {"forks": [{"table": made["id"], "cursor": after}]}


async def test_a_closed_table_is_asked_on(client: Client) -> None:
    table = await convene(client, panel=PANEL, limits={"max_rounds": 1})
    await frames(client, table)
    made = await fork(client, table, message={"text": "And then?", "author": "Rosa"}, limits={"max_turns": 1})
    assert ends(await frames(client, made["id"])) == [("t1", "Ada 0."), ("t2", "Ben 0."), ("t3", "Ada 1.")]
    shown = await transcript(client, made["id"])
    assert [message["text"] for message in shown["messages"]] == ["And then?"]
    assert shown["ended_reason"] == "max_turns"


async def test_another_order_and_another_method(client: Client) -> None:
    table = await convene(client, panel=PANEL, limits={"max_rounds": 1})
    opened = (await frames(client, table))[1]
    made = await fork(client, table, after=opened.id, panel=PANEL[::-1], policy="parallel", topic="Why not?")
    await frames(client, made["id"])
    shown = await transcript(client, made["id"])
    assert [turn["panelist"] for turn in shown["turns"]] == ["Ben", "Ada"]
    assert (shown["topic"], shown["policy"]) == ("Why not?", "parallel")


async def test_what_is_being_said_is_cut_at_the_fork_and_goes_on_at_its_origin(client: Client) -> None:
    table = await convene(client, panel=[QUICK, SLOW])
    async with client.get(f"{TABLES}/{table}/events") as response:
        seen = b""
        while b'"turn.started"' not in seen.partition(b"turn.completed")[2]:
            seen += await response.content.readany()
    made = await fork(client, table, panel=[QUICK], limits={"max_turns": 3})
    await frames(client, made["id"])
    shown = await transcript(client, made["id"])
    assert [(turn["panelist"], turn["status"]) for turn in shown["turns"]][:2] == [
        ("Ada", "completed"), ("Ben", "cancelled"),
    ]  # fmt: skip
    assert shown["removed"] == ["Ben"]
    assert (await transcript(client, table))["status"] == "open"
    await tell(client, table, "k1", type="close")


async def test_what_cannot_be_forked_is_refused_and_nothing_is_made(client: Client) -> None:
    table = await convene(client, panel=[QUICK], limits={"max_turns": 1})
    await frames(client, table)
    cases = {
        "after": {"after": "1-7"},
        "panel": {"panel": []},
        "policy": {"policy": "shouting"},
        "message.to": {"message": {"text": "Well?", "to": "Nobody"}},
        "limits.max_turns": {"limits": {"max_turns": -1}},
        "titel": {"titel": "x"},
    }
    for field, body in cases.items():
        response = await client.post(f"{TABLES}/{table}/forks", json=body)
        assert (await problem(response))[::2] == (422 if response.status == 422 else 400, field), body
    response = await client.post(f"{TABLES}/{table}/forks", json={"after": "0-0"})
    assert (await problem(response))[2] == "after"
    async with client.get(f"{TABLES}/{table}/forks") as response:
        assert (await response.json())["forks"] == []
    response = await client.post(f"{TABLES}/0000000000000000/forks", json={})
    assert response.status == 404


async def test_what_was_sent_before_the_fork_is_shown_as_it_was_sent(client: Client) -> None:
    """Another topic, another method and a fork of the fork: the first answers were still to the first question."""
    origin = await convene(client, topic="Why tea?", panel=PANEL, limits={"max_rounds": 1})
    await frames(client, origin)
    made = await fork(client, origin, topic="Why coffee?", policy="debate", limits={"max_rounds": 1})
    middle = made["id"]
    await frames(client, middle)
    last = (await fork(client, middle, topic="Why water?", limits={"max_rounds": 1}))["id"]
    await frames(client, last)
    for table in (origin, middle, last):
        lens = await (await client.get(f"{TABLES}/{table}/turns/t2/prompt")).json()
        assert lens["matches"]
        assert "Why tea?" in lens["messages"][0]["text"]
    own = await (await client.get(f"{TABLES}/{last}/turns/t3/prompt")).json()
    assert own["matches"]
    assert "Why coffee?" in own["messages"][0]["text"]
    assert (await client.delete(f"{TABLES}/{origin}")).status == 204
    lens = await (await client.get(f"{TABLES}/{last}/turns/t2/prompt")).json()
    assert not lens["matches"], "its origin is gone, and what was sent with it"


async def test_a_fork_outlives_its_origin(client: Client) -> None:
    table = await convene(client, panel=[QUICK], limits={"max_turns": 1})
    await frames(client, table)
    made = await fork(client, table, limits={"max_turns": 1})
    await frames(client, made["id"])
    assert (await client.delete(f"{TABLES}/{table}")).status == 204
    shown = await transcript(client, made["id"])
    assert len(shown["turns"]) == 2
    again = await fork(client, made["id"], limits={"max_turns": 1})
    assert (await client.delete(f"{TABLES}/{again['id']}")).status == 204
    async with client.get(f"{TABLES}/{made['id']}/forks") as response:
        assert (await response.json())["forks"] == []
