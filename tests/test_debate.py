"""A debate: who speaks for which side, when who votes, and what the vote came to."""

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import commands
from protocol import events as e
from protocol.asked import AskedSeat
from protocol.errors import ProviderError
from protocol.findings import BudgetDegraded, TallyCounted, TurnUnread, VerdictGiven, VoteCast
from protocol.kinds import CLOSING, OPENING, REBUTTAL, VERDICT, VOTE
from protocol.messages import Limits, Panelist
from protocol.transcript import Transcript, Turn
from providers.base import Request
from roundtable.deliberation.votes import AGAINST, FOR
from roundtable.policies.debate import SIDES, UNDECIDED, sides
from tests import fake_time
from tests.scene import Scene, Step, played
from tests.serving import TABLES, Client, frames, serve
from tests.tables import transcript

REFUSED = ProviderError("The key was refused.", code="auth")
SECRET = "because of the nightingale"


def ballot(choice: str) -> str:
    return json.dumps({"vote": choice, "reason": SECRET})


def votes(before: str, after: str, speech: str = "A reason.") -> Any:
    """A voice with a mind of its own."""

    def say(request: Request) -> Sequence[Step]:
        task = request.messages[-1].text
        if "Vote on the motion" not in task:
            return [f"{request.speaker}: {speech}"]
        return [ballot(before if "has not begun" in task else after)]

    return say


def play(voices: dict[str, Any], **options: Any) -> Scene:
    return played("debate", voices, **options)


def speeches(table: Transcript) -> list[Turn]:
    return [turn for turn in table.turns if turn.kind not in (VOTE, VERDICT)]


def tally(scene: Scene) -> TallyCounted:
    (counted,) = scene.table.found(TallyCounted)
    return counted


def panel(count: int, seed: int = 0) -> Transcript:
    seats = [Panelist(f"P{number}", "scripted:x") for number in range(count)]
    opening = e.TableOpened(table="t", topic="Why?", panel=seats, policy="debate", limits=Limits(), seed=seed)
    return transcript(e.TermBegan(owner="test"), opening)


# -- sides -------------------------------------------------------------------------------------------------------


@given(st.integers(2, 12), st.integers(0, 2**32), st.sets(st.integers(0, 11)))
def test_sides_are_equal_whoever_is_away_and_one_at_most_is_undecided(
    count: int, seed: int, away: set[int]
) -> None:
    table = panel(count, seed)
    table.muted = [f"P{number}" for number in away if number < count]
    here, dealt = table.present(), sides(table)
    counts = [list(dealt.values()).count(side) for side in (FOR, AGAINST)]
    if len(here) > 1:
        assert counts[0] == counts[1]
        assert len(here) - len(dealt) == len(here) % 2


def test_the_seed_decides_which_side_the_first_seat_takes() -> None:
    assert sides(panel(4, 0)) == {"P0": FOR, "P1": AGAINST, "P2": FOR, "P3": AGAINST}
    assert sides(panel(4, 7)) == {"P0": AGAINST, "P1": FOR, "P2": AGAINST, "P3": FOR}


def test_four_hold_a_debate() -> None:
    names = ("Ada", "Ben", "Cleo", "Dag")
    scene = play({name: votes("undecided", "for") for name in names})
    shown = [(turn.kind, turn.panelist, turn.round) for turn in speeches(scene.table)]
    assert shown == [
        (kind, name, round) for round, kind in enumerate((OPENING, REBUTTAL, CLOSING), 1) for name in names
    ]
    assert {turn.panelist: turn.reason for turn in speeches(scene.table)} == {
        "Ada": "for the motion",
        "Ben": "against the motion",
        "Cleo": "for the motion",
        "Dag": "against the motion",
    }
    kinds = [turn.kind for turn in scene.table.turns]
    assert kinds == [VOTE] * 4 + [OPENING] * 4 + [REBUTTAL] * 4 + [CLOSING] * 4 + [VOTE] * 4 + [VERDICT]


def test_speakers_are_told_their_side_and_who_is_on_the_other() -> None:
    scene = play({name: votes("for", "for") for name in ("Ada", "Ben", "Cleo", "Dag")})
    opening = next(request for request in scene.voices.asked if "your opening" in request.messages[-1].text)
    task = opening.messages[-1].text
    assert "You speak for it, Ada" in task
    assert "Beside you speaks Cleo. On the other side: Ben and Dag." in task


def test_with_an_odd_number_one_asks_both_sides_and_votes() -> None:
    scene = play({name: votes("undecided", "undecided") for name in ("Ada", "Ben", "Cleo")})
    cleo = [(turn.kind, turn.round, turn.reason) for turn in speeches(scene.table) if turn.panelist == "Cleo"]
    assert cleo == [("speech", 2, UNDECIDED)]
    assert tally(scene).ballots == 3
    (verdict,) = scene.table.found(VerdictGiven)
    assert verdict.header == "3 of 3 answered; Ada, one of the panel, chaired."


def test_who_is_undecided_takes_the_place_of_one_who_leaves() -> None:
    def ada(request: Request) -> Sequence[Step]:
        if "your opening" in request.messages[-1].text:
            return [REFUSED]
        return [ballot("for")]

    scene = play({"Ada": ada, "Ben": votes("for", "for"), "Cleo": votes("against", "for")})
    rebuttals = [(turn.panelist, turn.reason) for turn in speeches(scene.table) if turn.kind == REBUTTAL]
    assert rebuttals == [("Cleo", "for the motion"), ("Ben", "against the motion")]
    assert tally(scene).swing == {"for": 1, "against": -1, "undecided": 0}


def test_one_who_is_left_alone_has_nobody_to_debate_with() -> None:
    scene = play({"Ada": votes("for", "for"), "Ben": [REFUSED]})
    assert scene.table.ended_reason == "one_side"
    assert not speeches(scene.table)


@pytest.mark.parametrize(
    ("rounds", "held"),
    [
        (1, [(OPENING, 1), (REBUTTAL, 1), (CLOSING, 1)]),
        (2, [(OPENING, 1), (REBUTTAL, 2), (CLOSING, 2)]),
        (3, [(OPENING, 1), (REBUTTAL, 2), (CLOSING, 3)]),
        (5, [(OPENING, 1), (REBUTTAL, 2), (REBUTTAL, 3), (REBUTTAL, 4), (CLOSING, 5)]),
    ],
)
def test_rounds_decide_how_many_rebuttals_there_are(rounds: int, held: list[tuple[str, int]]) -> None:
    scene = play({name: votes("for", "against") for name in ("Ada", "Ben")}, max_rounds=rounds)
    phases = dict.fromkeys((turn.kind, turn.round) for turn in speeches(scene.table))
    assert list(phases) == held
    assert tally(scene).swing["against"] == 2
    assert scene.table.ended_reason == "max_rounds"


def test_a_million_rounds_are_ten() -> None:
    scene = play({name: votes("for", "for") for name in ("Ada", "Ben")}, max_rounds=10**6)
    assert scene.table.round == 10


# -- votes -------------------------------------------------------------------------------------------------------


def test_the_swing_is_what_the_debate_moved() -> None:
    scene = play(
        {
            "Ada": votes("for", "for"),
            "Ben": votes("against", "for"),
            "Cleo": votes("undecided", "for"),
            "Dag": votes("against", "against"),
        }
    )
    counted = tally(scene)
    assert counted.scores == {"for": 3.0, "against": 1.0, "undecided": 0.0}
    assert counted.swing == {"for": 2, "against": -1, "undecided": -1}
    assert (counted.winner, counted.ballots, counted.kind) == ("for", 4, VOTE)
    chair = scene.voices.asked[-1].messages[-1].text
    assert "Sides were dealt, not chosen: Ada for the motion, Ben against the motion" in chair
    assert "for 3, against 1, undecided 0. The motion has the majority for it." in chair
    assert "for +2, against -1, undecided -1." in chair
    assert "missing" not in chair


def test_a_tie_has_no_winner() -> None:
    scene = play({"Ada": votes("for", "for"), "Ben": votes("against", "against")})
    assert tally(scene).winner == ""
    assert "The vote is a tie." in scene.voices.asked[-1].messages[-1].text


def test_nobody_is_shown_a_vote() -> None:
    scene = play({name: votes("for", "against") for name in ("Ada", "Ben", "Cleo")})
    assert len(scene.table.found(VoteCast)) == 6
    for request in scene.voices.asked:
        assert SECRET not in "".join(message.text for message in request.messages)


def test_what_cannot_be_read_is_asked_for_once_more_and_then_she_abstains() -> None:
    scene = play({"Ada": votes("for", "for"), "Ben": ["I love this."], "Cleo": votes("for", "for")})
    asked = [turn for turn in scene.table.turns if turn.kind == VOTE and turn.panelist == "Ben"]
    assert len(asked) == 4
    assert len(scene.table.found(TurnUnread)) == 4
    again = [
        request
        for request in scene.voices.asked
        if request.speaker == "Ben" and "could not be read" in request.messages[-1].text
    ]
    assert len(again) == 2
    assert tally(scene).ballots == 2
    assert "missing before the debate, say so: Ben" in scene.voices.asked[-1].messages[-1].text


def test_a_second_chance_is_taken() -> None:
    answers = iter(["Maybe.", ballot("AGAINST"), "My opening.", "My rebuttal.", "My closing.", ballot("for")])
    scene = play({"Ada": lambda _: [next(answers, "So.")], "Ben": votes("for", "for")}, verdict=False)
    cast = [(vote.stage, vote.choice) for vote in scene.table.found(VoteCast) if vote.panelist == "Ada"]
    assert cast == [("before", "against"), ("after", "for")]
    assert tally(scene).swing == {"for": 1, "against": -1, "undecided": 0}


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(2, 4))
def test_turns_that_are_short_go_to_the_speeches_and_both_votes_or_none_are_held(
    turns: int, count: int
) -> None:
    names = ("Ada", "Ben", "Cleo", "Dag")[:count]
    scene = play({name: votes("for", "for") for name in names}, max_turns=turns)
    stages = {vote.stage for vote in scene.table.found(VoteCast)}
    assert stages in (set(), {"before", "after"})
    assert bool(scene.table.found(BudgetDegraded)) == (not stages)
    assert any(turn.status == "completed" for turn in speeches(scene.table)) or turns == 1
    if stages:
        assert tally(scene).ballots == count
    assert scene.table.spent.turns <= turns


def test_a_vote_is_told_from_the_other_whatever_else_a_person_asks_for() -> None:
    """Speeches of an earlier sitting are tried again while people vote; all openings are skipped."""

    async def run() -> Scene:
        slow: dict[str, list[Step]] = {name: [1.0, ballot("for")] for name in ("Ada", "Ben")}
        scene = Scene("debate", slow, then="rest", verdict=False)
        async with scene.playing():
            await asyncio.sleep(1.5)
            for turn in ("t3", "t4"):
                scene.tell(commands.Cancel(turn))
        for command in (commands.Retry("t3"), commands.Say("And at night?")):
            scene.tell(command)
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        for position in (3, 4):
            scene.owner.deliver(position, scene.told[position])
        async with scene.held():
            pass
        return scene

    scene = fake_time.run(run())
    votes_cast = [vote.stage for vote in scene.table.found(VoteCast, sitting=False)]
    assert votes_cast == [*["before"] * 2, *["after"] * 2] * 2
    assert len(scene.table.found(TallyCounted, sitting=False)) == 2


@pytest.mark.parametrize("name", ["", "Dag"])
def test_who_is_swapped_in_the_middle_of_a_speech_has_it_given_for_the_same_side(name: str) -> None:
    async def run() -> Scene:
        scene = Scene("debate", dict.fromkeys(("Ada", "Ben"), slow), max_rounds=1)
        scene.voices.scripts = dict.fromkeys(("Ada", "Ben", "Dag"), slow)
        async with scene.playing():
            await asyncio.sleep(1.5)  # all have voted
            (speaking,) = scene.table.of("started")
            seat = AskedSeat(name or speaking.panelist, "voice:Dag")
            scene.tell(commands.Swap(speaking.panelist, seat))
        return scene

    openings = [turn for turn in fake_time.run(run()).table.turns if turn.kind == OPENING]
    assert [turn.status for turn in openings] == ["cancelled", "completed", "completed"]
    assert {turn.reason for turn in openings[1:]} == set(SIDES)
    assert not name or "Dag" in [turn.panelist for turn in openings[1:]]


def slow(request: Request) -> list[Step]:
    return [1.0, *votes("for", "for")(request)]


def test_a_follow_up_is_a_debate_of_its_own() -> None:
    async def run() -> Scene:
        scene = Scene("debate", {name: votes("for", "for") for name in ("Ada", "Ben")}, then="rest")
        await scene.play()
        scene.tell(commands.Say("And at night?"))
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        scene.owner.deliver(1, scene.told[1])
        async with scene.held():
            pass
        return scene

    scene = fake_time.run(run())
    assert [vote.stage for vote in scene.table.found(VoteCast, sitting=False)] == [
        *["before"] * 2,
        *["after"] * 2,
    ] * 2
    opening = [request for request in scene.voices.asked if "your opening" in request.messages[-1].text][-1]
    assert "a motion: the last question that a person put to all" in opening.messages[-1].text


# -- through a server --------------------------------------------------------------------------------------------


def seat(name: str, *lines: str) -> dict[str, Any]:
    """A panelist says one line a turn: a vote, three speeches, a vote."""
    return {"name": name, "model": "scripted:x", "options": {"lines": list(lines), "rate": 0}}


async def test_a_debate_through_a_server(aiohttp_client: Any) -> None:
    client: Client = await serve(aiohttp_client)
    # A voice counts her own turns that she is shown, and is not shown her votes.
    ada = seat("Ada", f"Opening. {ballot('for')}", f"Rebuttal. {ballot('for')}", "Closing.", ballot("for"))
    ben = seat("Ben", f"No. {ballot('against')}", "No, no.", "No, no, no.", ballot("for"))
    dag = {**seat("Dag", "The motion has it, by a swing of one."), "role": "chair"}
    body = {"topic": "Letters?", "panel": [ada, ben, dag], "policy": "debate", "seed": 2}
    response = await client.post(TABLES, json=body)
    assert response.status == 201, await response.text()
    table = (await response.json())["id"]
    said = [json.loads(frame.data) for frame in await frames(client, table) if frame.data]
    cast = [(one["stage"], one["panelist"], one["choice"]) for one in said if one["type"] == "vote.cast"]
    assert sorted(cast) == [
        ("after", "Ada", "for"),
        ("after", "Ben", "for"),
        ("before", "Ada", "for"),
        ("before", "Ben", "against"),
    ]
    (counted,) = [one for one in said if one["type"] == "tally.counted"]
    assert counted["swing"] == {"for": 1, "against": -1, "undecided": 0}
    (verdict,) = [one for one in said if one["type"] == "verdict.given"]
    assert re.match("2 of 2 answered", verdict["header"])
    assert verdict["chair"] == "Dag"
