"""`raise_hand`: who wants the floor most has it, and nobody waits for ever."""

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol import commands
from protocol import events as e
from protocol.cursor import Cursor
from protocol.errors import ProviderError
from protocol.findings import BidMade, TurnUnread
from protocol.kinds import BID, SPEECH
from protocol.messages import Panelist, Until, Usage
from protocol.transcript import Turn, apply
from providers.base import Request
from roundtable.deliberation import bids
from roundtable.policies import Plan, Seat
from roundtable.policies.raise_hand import RaiseHand
from tests import fake_time
from tests.following import follow
from tests.golden_scenarios import raise_hand
from tests.scene import Scene, Script, Step, played
from tests.tables import entries, opened, transcript

BUSY = ProviderError("Busy.", code="unavailable", retryable=True)
BLANK = ProviderError("Nothing was said.", code="empty")


def bid(urgency: object, about: str = "") -> str:
    return json.dumps({"urgency": urgency, "about": about})


def voice(*made: Step, words: Step = "Hm.") -> Script:
    """Makes these bids, one each time, and then always the last; speaks `words`."""
    left = list(made)

    def script(request: Request) -> list[Step]:
        if '"urgency"' not in request.messages[-1].text:
            return [words]
        return [left.pop(0) if len(left) > 1 else left[0]]

    return script


def play(voices: dict[str, Script], *said: commands.ANY, **options: object) -> Scene:
    return played("raise_hand", voices, *said, **({"until": Until(), "max_rounds": 1} | options))


def floor(scene: Scene) -> list[tuple[str, str]]:
    """Who spoke, and why."""
    return [(turn.panelist, turn.reason) for turn in scene.table.turns if turn.kind == SPEECH]


def made(scene: Scene) -> list[Turn]:
    return [turn for turn in scene.table.turns if turn.kind == BID]


def test_the_golden_table_is_what_the_policy_plans() -> None:
    follow(raise_hand())


def test_the_highest_bid_has_the_floor_and_says_what_for() -> None:
    scene = play({"Ada": voice(bid(4)), "Ben": voice(bid(2)), "Cleo": voice(bid(8, "the tail"))})
    assert floor(scene) == [
        ("Ada", ""),
        ("Cleo", "bid 8 of 10: the tail"),
        ("Ben", "bid 2 of 10; waited 2 speeches; spoke least so far"),
    ]


def test_all_bid_at_the_same_time_but_for_the_last_speaker() -> None:
    slow: Script = voice(bid(1), words="Hm.")
    scene = play({"Ada": slow, "Ben": slow, "Cleo": slow, "Dag": slow}, max_turns=5)
    assert [turn.panelist for turn in made(scene)] == ["Ben", "Cleo", "Dag"]
    started = [
        entry.event for entry in scene.entries if isinstance(entry.event, e.TurnStarted | e.TurnCompleted)
    ]
    assert [type(event) for event in started[2:8]] == [e.TurnStarted] * 3 + [e.TurnCompleted] * 3


def test_bids_are_in_nobodys_prompt_and_short() -> None:
    scene = play({"Ada": voice(bid(1, "SECRET")), "Ben": voice(bid(1, "SECRET"))}, max_rounds=3)
    prompts = [message.text for each in scene.voices.asked for message in each.messages]
    assert scene.table.found(BidMade)
    assert not any("SECRET" in text for text in prompts)
    asked = [each for each in scene.voices.asked if '"urgency"' in each.messages[-1].text]
    assert {each.max_tokens for each in asked} == {bids.MOST}


def test_the_prompt_for_a_bid_begins_as_the_one_for_the_speech_does() -> None:
    scene = play({"Ada": voice(bid(1)), "Ben": voice(bid(1))}, max_turns=3)
    asked, speech = scene.voices.asked[1:3]
    assert (asked.speaker, asked.system, asked.messages[:-1]) == (
        speech.speaker,
        speech.system,
        speech.messages[:-1],
    )
    told = speech.messages[-1].text.removesuffix("You have the floor, Ben.")
    assert asked.messages[-1].text.startswith(told)


@pytest.mark.parametrize(
    ("said", "urgency"),
    [
        (bid(7), 7),
        (bid(7.4), 7),
        (bid("8/10"), 8),
        (bid(99), 10),
        (bid(-3), 0),
        ("PASS", 0),
        (f"Well: {bid(4)}", 4),
    ],
)
def test_a_bid_is_read_leniently(said: str, urgency: int) -> None:
    scene = play({"Ada": ["A."], "Ben": voice(said)}, max_turns=3)
    (found,) = scene.table.found(BidMade)
    assert found.urgency == urgency


@pytest.mark.parametrize(
    "said", ["Me, please!", bid("very"), bid(None), '{"about": "x"}', "{" * 500, BUSY, BLANK]
)
def test_what_is_no_bid_counts_nothing_and_is_not_asked_for_again(said: Step) -> None:
    scene = play({"Ada": voice(bid(0)), "Ben": voice(said, words="B."), "Cleo": voice(bid(1))})
    assert [name for name, _ in floor(scene)] == ["Ada", "Cleo", "Ben"]
    assert [turn.panelist for turn in made(scene)] == ["Ben", "Cleo", "Ada", "Ben"]
    assert floor(scene)[2][1] == "no bid; spoke least so far"
    assert bool(scene.table.found(TurnUnread)) == isinstance(said, str)


def test_who_cannot_bid_may_still_speak() -> None:
    scene = play({"Ada": voice(BLANK, words="A."), "Ben": voice(BLANK, words="B.")}, max_rounds=4)
    assert [name for name, _ in floor(scene)] == ["Ada", "Ben"] * 4
    assert scene.table.absent == {}


def test_when_all_bid_nothing_twice_in_a_row_it_is_over() -> None:
    scene = play({"Ada": voice(bid(0)), "Ben": voice(bid(5), bid(0)), "Cleo": voice(bid(0))}, max_rounds=9)
    assert [name for name, _ in floor(scene)] == ["Ada", "Ben", "Cleo"]
    assert scene.table.ended_reason == "passes"


def test_who_could_not_be_read_has_not_said_that_it_is_over() -> None:
    scene = play({"Ada": voice("Hm?"), "Ben": voice("Hm?")}, max_rounds=3)
    assert scene.table.ended_reason == "max_rounds"


def test_what_a_person_says_makes_it_go_on() -> None:
    async def run() -> Scene:
        speaking = asyncio.Event()

        def ben(request: Request) -> Iterator[Step]:
            if '"urgency"' in request.messages[-1].text:
                yield bid(0)
                return
            speaking.set()
            yield 1.0
            yield "B."

        voices: dict[str, Any] = {"Ada": voice(bid(0)), "Ben": ben}
        scene = Scene("raise_hand", voices, until=Until())
        async with scene.playing():
            await speaking.wait()
            scene.tell(commands.Say("And the cost?"))
        return scene

    scene = fake_time.run(run())
    assert len(floor(scene)) == 3, "the bid before it was said counts no more"
    assert scene.table.ended_reason == "passes"


def test_who_is_asked_speaks_before_bids_are_made() -> None:
    ask = commands.Say("Cleo?", to="Cleo")
    scene = play({"Ada": voice(bid(1)), "Ben": voice(bid(2)), "Cleo": voice(bid(9))}, ask)
    assert [(turn.panelist, turn.kind) for turn in scene.table.turns] == [
        ("Ada", SPEECH), ("Cleo", SPEECH), ("Ada", BID), ("Ben", BID), ("Ben", SPEECH), ("Ada", BID), ("Cleo", BID),
        ("Cleo", SPEECH),
    ]  # fmt: skip


def test_a_limit_on_turns_leaves_room_for_speeches() -> None:
    voices = {name: voice(bid(1)) for name in ("Ada", "Ben", "Cleo", "Dag")}
    scene = play(voices, max_rounds=9, max_turns=7)
    assert len(made(scene)) == 3
    assert [turn.kind for turn in scene.table.turns][-3:] == [SPEECH] * 3
    assert floor(scene)[-1][1].startswith("no room for bids")


# -- fairness ----------------------------------------------------------------------------------------------------


class Fair:
    """A table that is decided on as it grows."""

    def __init__(self, count: int) -> None:
        self.names = [f"P{number}" for number in range(count)]
        panel = [Panelist(name, "scripted:x") for name in self.names]
        self.table = transcript(*opened(*panel), e.RoundStarted(round=1))

    def happens(self, event: e.Event) -> None:
        apply(self.table, *entries([event], after=Cursor.parse(self.table.cursor).seq))

    def takes(self, name: str, kind: str, tokens: int) -> dict[str, Any]:
        who: dict[str, Any] = {"turn": f"t{len(self.table.turns) + 1}", "panelist": name}
        self.happens(e.TurnQueued(**who, kind=kind))
        self.happens(e.TurnStarted(**who))
        self.happens(e.TurnCompleted(**who, text="x", usage=Usage(output=tokens)))
        return who

    def next(self, urgency: Callable[[int], int]) -> str:
        """Everyone who is asked bids so much, by seat; who speaks then. Empty: nobody wants to any more."""
        plan = RaiseHand().plan(self.table)
        if plan.queue and plan.queue[0].kind == BID:
            for seat in plan.queue:
                who = self.takes(seat.panelist, BID, 0)
                self.happens(BidMade(**who, urgency=urgency(self.names.index(seat.panelist))))
            plan = RaiseHand().plan(self.table)
        return plan.queue[0].panelist if plan.queue else ""


def _unfair(_: int, place: int) -> int:
    return 1 + 9 * (place > 0)


def _long(place: int) -> int:
    return 5_000 * (place == 0)


@example(3, _unfair, _long)
@example(12, _unfair, _long)
@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 12),
    st.functions(like=_unfair, returns=st.integers(0, 10), pure=True),
    st.functions(like=_long, returns=st.sampled_from([0, 1, 50, 5_000]), pure=True),
)
def test_nobody_waits_for_more_than_n_plus_six_speeches_whatever_is_bid(
    count: int, urgency: Callable[[int, int], int], tokens: Callable[[int], int]
) -> None:
    fair, spoke = Fair(count), list[str]()
    for step in range(2 * count + 12):
        name = fair.next(partial(urgency, step))
        if not name:
            break
        assert spoke[-1:] != [name]
        spoke.append(name)
        fair.takes(name, SPEECH, tokens(fair.names.index(name)))
        waits = (spoke[::-1].index(each) if each in spoke else len(spoke) for each in fair.names)
        assert max(waits) <= count + 6, spoke


def test_it_would_be_unfair_without_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bids, "WAITING", 0.0)
    monkeypatch.setattr(bids, "BALANCE", 0.0)
    fair = Fair(3)
    spoke = list[str]()
    for _ in range(20):
        spoke.append(fair.next(partial(_unfair, 0)))
        fair.takes(spoke[-1], SPEECH, 10)
    assert spoke.count("P0") == 1


# -- a sitting ---------------------------------------------------------------------------------------------------


def test_a_new_question_begins_a_round_without_bids_and_with_whoever_spoke_least() -> None:
    fair = Fair(3)
    fair.takes("P0", SPEECH, 5)
    for name in ("P1", "P2"):
        fair.takes(name, BID, 1)
    fair.takes("P1", SPEECH, 9)
    fair.happens(e.TableRested(reason="passes"))
    fair.happens(e.MessagePosted(message="m1", author="Rosa", text="And the cost?"))
    fair.happens(e.TableResumed(reason="message"))
    assert RaiseHand().plan(fair.table) == Plan(round=2, queue=(Seat("P2", reason="spoke least so far"),))


def test_who_is_skipped_has_had_her_turn_but_was_not_heard() -> None:
    fair = Fair(3)
    fair.takes("P0", SPEECH, 5)
    assert fair.next(lambda _: 5) == "P1"
    who: dict[str, Any] = {"turn": f"t{len(fair.table.turns) + 1}", "panelist": "P1"}
    fair.happens(e.TurnQueued(**who))
    fair.happens(e.TurnCancelled(**who))
    (first, second) = RaiseHand().plan(fair.table).queue
    assert (first.panelist, second.panelist, first.kind) == ("P1", "P2", BID), "P0 was heard last"
    assert fair.next(lambda _: 5) == "P2"
