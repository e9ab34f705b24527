"""When a long discussion is summed up, by whom, and what prompts hold then; in fake time."""

import asyncio
from typing import Any

import pytest

from protocol import events as e
from protocol.cursor import Cursor
from protocol.errors import ProviderError
from protocol.findings import SummaryMade
from protocol.kinds import SUMMARY
from protocol.messages import Cost, Usage
from protocol.transcript import Transcript, Turn, apply, fold
from providers import prices
from roundtable.deliberation import summaries
from roundtable.deliberation.record import ROOM, placed
from roundtable.hosting.past import past
from roundtable.table.projection import project
from tests import fake_time
from tests.scene import Scene, Step
from tests.tables import ADA, BEN, opened, transcript, turn

LONG: tuple[Step, ...] = tuple(f"word{place} " for place in range(500))  # some 4,000 characters
THREE = {"Ada": LONG, "Ben": LONG, "Cleo": LONG}


def played(policy: str = "round_robin", **settings: Any) -> tuple[Scene, Transcript]:
    async def play() -> tuple[Scene, Transcript]:
        scene = Scene(policy, settings.pop("voices", THREE), **settings)
        return scene, await scene.play()

    return fake_time.run(play())


def summed(table: Transcript) -> list[Turn]:
    return [turn for turn in table.turns if turn.kind == SUMMARY]


def test_a_short_discussion_has_none() -> None:
    scene, table = played(max_rounds=3, voices=dict.fromkeys("ABCDEFGHIJKL", LONG[:110]))
    assert summed(table) == []
    assert max(len(str(request)) for request in scene.voices.asked) > ROOM * 0.8, "a full one just fits"


@pytest.mark.parametrize("policy", ["round_robin", "parallel", "floor_time"])
def test_prompts_of_a_long_one_hold_the_summary_and_what_came_after(policy: str) -> None:
    scene, table = played(policy, max_rounds=10)
    made = table.found(SummaryMade)
    assert len(made) >= 2
    assert [each.turn for each in made] == [turn.turn for turn in summed(table)]
    places = [placed(table, each.through) for each in made]
    assert places == sorted(set(places))
    assert all(places)
    assert all(turn.round < 10 for turn in summed(table)), "nobody would read the last one"
    spoken = [request for request in scene.voices.asked if "You serve" not in request.system]
    assert all(sum(len(each.text) for each in request.messages) < ROOM * 1.1 for request in spoken)
    last = spoken[-1].messages[0].text
    assert last.count("<summary by=") == 1
    assert "left out here" not in last


def test_the_record_is_what_the_summary_is_asked_of_and_no_more() -> None:
    scene, table = played(max_rounds=5, roles={"Cleo": "chair"}, voices={**THREE, "Dag": LONG})
    first = table.found(SummaryMade)[0]
    assert first.panelist == "Cleo", "the chair writes it"
    asked = next(
        request for request in scene.voices.asked if "Sum up what was said" in request.messages[-1].text
    )
    heard = [
        turn
        for turn in table.turns
        if turn.kind == "speech" and turn.started_seq <= placed(table, first.through)
    ]
    assert asked.messages[0].text.count("<said by=") == len(heard) > 0
    assert asked.max_tokens == summaries.MOST
    later = [
        turn
        for turn in table.turns
        if turn.kind == "speech" and turn.started_seq > placed(table, first.through)
    ]
    assert 0 < sum(len(turn.text) for turn in later if turn.seq < table.turn(first.turn).seq) <= ROOM / 3


def test_one_that_fails_leaves_words_out_and_is_asked_of_somebody_else_a_round_later() -> None:
    down = ProviderError("Down.", code="auth")

    async def play() -> tuple[Scene, Transcript]:
        scene = Scene("round_robin", THREE, max_rounds=6)
        await scene.owner.begin(scene.opening)
        voices, asked = scene.voices, scene.voices.stream

        async def stream(request: Any) -> Any:
            if "Sum up" in request.messages[-1].text and request.speaker == "Ada":
                raise down
            async for chunk in asked(request):
                yield chunk

        voices.stream = stream  # type: ignore[method-assign]
        async with scene.held():
            pass
        return scene, scene.table

    scene, table = fake_time.run(play())
    first, second = summed(table)[:2]
    assert (first.panelist, first.status) == ("Ada", "failed")
    assert (second.panelist, second.status, second.round) == ("Ben", "completed", first.round + 1)
    between = [turn for turn in table.turns if first.seq < turn.seq < second.seq]
    sent = [
        request for request in scene.voices.asked if request.speaker in {turn.panelist for turn in between}
    ]
    assert any("left out here for length" in request.messages[0].text for request in sent)


def test_the_cheapest_writes_it_where_nobody_chairs(monkeypatch: pytest.MonkeyPatch) -> None:
    price = {"voice:Ada": 3e-6, "voice:Ben": 1e-6, "voice:Cleo": 2e-6}
    monkeypatch.setattr(prices, "cost", lambda model, used: Cost((used.input + used.output) * price[model]))
    _, table = played(max_rounds=5)
    assert {turn.panelist for turn in summed(table)} == {"Ben"}


def test_a_node_that_dies_over_a_summary_loses_nothing() -> None:
    async def play() -> Transcript:
        scene = Scene("round_robin", dict.fromkeys(THREE, (*LONG, 1.0)), max_rounds=5)
        await scene.owner.begin(scene.opening)
        owner = asyncio.create_task(scene.owner.run())
        await asyncio.wait([owner], timeout=9.5)  # a second each, and three rounds fill the room
        assert [turn.status for turn in summed(scene.table)] == ["started"]
        owner.cancel()
        await asyncio.wait([owner])
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        await scene.owner.run()
        return scene.table

    table = fake_time.run(play())
    assert summed(table)[0].status == "failed"
    assert table.found(SummaryMade)[0].turn == summed(table)[1].turn
    assert table.status == "closed"


def test_how_far_it_goes_is_the_same_whenever_it_is_asked() -> None:
    said = [event for number in range(1, 9) for event in turn(number, "Ben", "x" * 5_000)]
    who: dict[str, Any] = {"turn": "t9", "panelist": "Ada"}
    table = transcript(*opened(ADA, BEN), *said, e.TurnQueued(**who, kind=SUMMARY, round=1))
    told = summaries.through(table, table.turn("t9"))
    assert told == "t6", "of 40,000 characters 10,000 stay"
    events: list[e.Event] = [
        e.MessagePosted(message="m1", author="Kim", text="y" * 20_000),
        e.TurnStarted(**who),
        *turn(10, "Ben", "z" * 20_000),
        e.TurnCompleted(**who, text="Short.", usage=Usage()),
    ]
    for seq, event in enumerate(events, int(table.cursor.partition("-")[2]) + 1):
        apply(table, e.Entry(Cursor(1_763_675_000_000, seq), table.at, event))
        assert summaries.through(table, table.turn("t9")) == told
    [made] = summaries.read(table, table.turn("t9"))
    assert isinstance(made, SummaryMade)
    assert (made.through, made.text) == (told, "Short.")


def test_where_prompts_have_hardly_any_room_there_is_none() -> None:
    who: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
    small = [
        e.TurnQueued(**who, round=1),
        e.TurnStarted(**who, room=2_000),
        e.TurnCompleted(**who, text="x" * 9_000),
    ]
    assert summaries.due(transcript(*opened(ADA, BEN), *small)) is None
    large = [
        e.TurnQueued(**who, round=1),
        e.TurnStarted(**who, room=8_000),
        e.TurnCompleted(**who, text="x" * 9_000),
    ]
    assert summaries.due(transcript(*opened(ADA, BEN), e.RoundStarted(round=1), *large)) == "Ada"


def test_a_fork_has_the_summary_of_what_was_said_before_it() -> None:
    """Its entries have other numbers, and its prompts are the same."""
    scene, table = played(max_rounds=5)
    told = [
        (scene.entries[0].at, e.TermBegan(owner="x")),
        (scene.entries[0].at, scene.opening),
        *((each.at, each.event) for each in past(scene.entries)),
    ]
    entries = [e.Entry(Cursor(9, seq), at, event) for seq, (at, event) in enumerate(told, 1)]
    forked = fold(entries)
    ada = table.panel[0]
    assert len(entries) < len(scene.entries)
    assert "<summary" in str(project(table, ada))
    assert project(forked, ada).digest() == project(table, ada).digest()
