"""What a person does at a table while it talks: hands, interruptions, seats, limits, a verdict on request."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from protocol import commands
from protocol import events as e
from protocol.asked import MAX_SEATS, AskedLimits, AskedSeat
from protocol.errors import ProviderError
from protocol.findings import VerdictGiven
from roundtable.policies import REPLY
from roundtable.table import hands
from roundtable.table.changing import MOST_EVER
from roundtable.table.yielding import TOKENS, WITHIN
from tests import fake_time
from tests.scene import FOREVER, Scene, Step

REFUSED = ProviderError("The key was refused.", code="auth")
THREE: dict[str, list[Step]] = {name: ["Well. ", 5.0, f"{name}'s."] for name in ("Ada", "Ben", "Cleo")}


def in_fake_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Only for tests without arguments."""

    def run() -> None:
        fake_time.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def seat(name: str, **more: Any) -> AskedSeat:
    return AskedSeat(name, f"voice:{name}", **more)


async def tell(scene: Scene, command: commands.ANY) -> list[Any]:
    """The command's effect, with what was written in the same append."""
    before = len(scene.entries)
    scene.tell(command)
    await asyncio.sleep(0.01)
    return [entry.event for entry in scene.entries[before:]]


def refusal(told: list[Any]) -> str:
    (event,) = told
    assert isinstance(event, e.CommandRefused), event
    return event.code


def speakers(scene: Scene) -> list[str]:
    begun = sorted((turn.started_seq, turn.panelist) for turn in scene.table.turns if turn.started_seq)
    return [name for _, name in begun]


# -- taking the floor ----------------------------------------------------------------------------------------------


async def interrupted(words: Sequence[Step], *, after: float, text: str = "") -> tuple[Scene, list[Any]]:
    """A table where Ada is interrupted so many seconds after she began."""
    scene = Scene("round_robin", {"Ada": words, "Ben": ["Ben's."]}, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(after)
        told = await tell(scene, commands.BargeIn(text))
    return scene, told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["I say", 1.0, " so. ", "And more."], "I say so. "),
        (["I say", 1.0, " so", ".", " And more."], "I say so."),
        (["I say", 1.0, " so. And more."], "I say so."),
        (["I say so.", 1.0, " And more."], "I say so."),
        (["I say so. ", 1.0, "And more."], "I say so. "),
        (["It is 3", 1.0, ".", "14, e.g. B. ", "So. ", "More"], "It is 3.14, e.g. B. So. "),
        (["I say", 1.0, " so.\nAnd", " more."], "I say so."),
        (["彼は", 1.0, "「行く。", "」と。", "そして"], "彼は「行く。」"),
        (["I say", 1.0, " and", " so"], "I say and so"),
    ],
)
def test_who_speaks_ends_her_sentence_and_nothing_beyond_it_is_heard(
    words: Sequence[Step], said: str
) -> None:
    async def play() -> None:
        scene, told = await interrupted(words, after=0.5, text="Wait!")
        assert isinstance(told[0], e.TurnYielding)
        assert (told[0].within, told[0].tokens, told[0].command) == (WITHIN, TOKENS, "k1")
        assert isinstance(told[1], e.MessagePosted)
        turn = scene.table.turn("t1")
        assert turn.text == said
        assert "".join(
            entry.event.text for entry in scene.entries if isinstance(entry.event, e.TurnDelta)
        ).startswith(said)
        if said != "".join(step for step in words if isinstance(step, str)):
            assert (turn.status, turn.reason) == ("cancelled", "barge_in")
            heard = scene.voices.asked[-1].messages[-1].text
            assert f'<said by="Ada" cut="true">{said}</said>' in heard, "what she said until then counts"
            assert "Wait!" in heard

    fake_time.run(play())


@in_fake_time
async def test_who_speaks_on_is_cut_after_so_many_seconds_or_tokens() -> None:
    slow: list[Step] = ["one ", *("and ", 0.5) * 100]
    scene, _ = await interrupted(slow, after=3.1)
    turn = scene.table.turn("t1")
    assert turn.ended_at - turn.started_at == pytest.approx(3.1 + WITHIN)
    scene, _ = await interrupted(["one ", 1.0, *["and "] * 1_000], after=0.5)
    assert len(scene.table.turn("t1").text.split()) == 1 + TOKENS
    scene, told = await interrupted([FOREVER], after=0.5)
    assert isinstance(told[0], e.TurnCancelled), "there is no sentence to finish"
    assert (told[0].reason, told[0].command) == ("barge_in", "k1")


@in_fake_time
async def test_all_who_speak_yield_each_at_her_own_end() -> None:
    said: dict[str, list[Step]] = {
        "Ada": ["I, ", 1.0, "yes. ", "No."], "Ben": ["You, ", 5.0, "no."], "Cleo": [FOREVER], "Dag": ["We", 0.7, "!"]
    }  # fmt: skip
    scene = Scene("parallel", said, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(0.5)
        told = await tell(scene, commands.BargeIn("Stop!"))
        marked = [event.command for event in told if isinstance(event, e.Asked) and event.command]
        assert marked == ["k1"], "one effect, one mark"
    ends = {turn.panelist: (turn.status, turn.text) for turn in scene.table.turns}
    assert ends == {
        "Ada": ("cancelled", "I, yes. "), "Ben": ("cancelled", "You, "),
        "Cleo": ("cancelled", ""), "Dag": ("completed", "We!"),
    }  # fmt: skip
    assert scene.voices.open == 0


@in_fake_time
async def test_whom_the_interruption_is_put_to_answers_next() -> None:
    scene = Scene("round_robin", THREE, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(1.0)
        await tell(scene, commands.BargeIn("And you?", to="Cleo"))
    assert speakers(scene) == ["Ada", "Cleo", "Ben", "Cleo"]


@in_fake_time
async def test_without_words_the_table_waits_for_them_and_not_for_ever() -> None:
    scene = Scene("round_robin", THREE, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(1.0)
        told = await tell(scene, commands.BargeIn(author="Rosa"))
        assert [type(event) for event in told] == [e.TurnYielding, e.HandRaised]
        await asyncio.sleep(30.0)
        assert speakers(scene) == ["Ada"]
        assert refusal(await tell(scene, commands.BargeIn(author="Rosa"))) == "wrong_state"
    table = scene.table
    lowered = next(entry for entry in scene.entries if isinstance(entry.event, e.HandLowered))
    assert isinstance(lowered.event, e.HandLowered)
    assert (lowered.event.author, lowered.event.reason) == ("Rosa", "timeout")
    assert lowered.at == pytest.approx(table.turn("t1").ended_at + hands.WITHIN)
    assert speakers(scene) == ["Ada", "Ben", "Cleo"]


@in_fake_time
async def test_nobody_speaks_and_a_word_is_a_word() -> None:
    scene = Scene("round_robin", {"Ada": ["Yes."]}, then="rest", max_rounds=1)
    async with scene.playing():
        pass
    await scene.owner.take_over(scene.table)
    async with scene.held():
        assert refusal((await tell(scene, commands.BargeIn()))[-1:]) == "wrong_state"
    await scene.owner.take_over(scene.table)
    scene.tell(commands.BargeIn("Hm?"))
    async with scene.held():
        pass
    assert speakers(scene) == ["Ada", "Ada"]


# -- hands ---------------------------------------------------------------------------------------------------------


@in_fake_time
async def test_a_hand_lets_who_speaks_end_and_the_next_wait_until_something_is_said() -> None:
    scene = Scene("round_robin", THREE, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(1.0)
        await tell(scene, commands.RaiseHand("Rosa"))
        await tell(scene, commands.RaiseHand())
        assert refusal(await tell(scene, commands.RaiseHand())) == "wrong_state"
        await asyncio.sleep(20.0)
        assert scene.table.turn("t1").status == "completed"
        assert scene.table.hands == ["Rosa", "Host"]
        told = await tell(scene, commands.Say("I wonder.", author="Rosa"))
        assert [getattr(event, "reason", "") for event in told] == ["", "said"]
        await asyncio.sleep(hands.WITHIN - 1)
        assert speakers(scene) == ["Ada"], "the second has as much time as the first"
        assert refusal(await tell(scene, commands.LowerHand("Rosa"))) == "wrong_state"
        await tell(scene, commands.LowerHand())
        assert speakers(scene) == ["Ada", "Ben"]


@in_fake_time
async def test_so_many_hands_and_no_more() -> None:
    scene = Scene("round_robin", THREE, max_rounds=1)
    async with scene.playing():
        for number in range(hands.MOST):
            await tell(scene, commands.RaiseHand(f"Person {number}"))
        assert refusal(await tell(scene, commands.RaiseHand("Rosa"))) == "wrong_state"
        told = await tell(scene, commands.BargeIn(author="Rosa"))
        assert [type(event) for event in told] == [e.TurnYielding]
        told = await tell(scene, commands.Close())
        assert [type(event) for event in told] == [
            *[e.TurnCancelled] * 3, *[e.HandLowered] * hands.MOST, e.TableClosed
        ]  # fmt: skip
    assert scene.table.hands == []


@in_fake_time
async def test_a_hand_outlives_its_owner_and_waits_no_longer_for_it() -> None:
    scene = Scene("round_robin", {"Ada": ["Yes."], "Ben": ["No."]}, max_rounds=1)
    await scene.owner.begin(scene.opening)
    scene.tell(commands.RaiseHand("Rosa"))
    task = asyncio.create_task(scene.owner.run())
    await asyncio.sleep(40.0)
    task.cancel()
    await asyncio.wait([task])
    scene.owner = scene.new_owner()
    await scene.owner.take_over(scene.table)
    async with scene.held():
        await asyncio.sleep(19.0)
        assert speakers(scene) == ["Ada"]
    ben = scene.table.turn("t2")
    assert ben.started_at == pytest.approx(scene.table.turn("t1").ended_at + hands.WITHIN)


@in_fake_time
async def test_a_pause_stops_the_time_of_a_hand() -> None:
    scene = Scene("round_robin", {"Ada": ["Yes."], "Ben": ["No."]}, max_rounds=1)
    async with scene.playing():
        await tell(scene, commands.RaiseHand())
        await tell(scene, commands.Pause())
        await asyncio.sleep(500.0)
        assert scene.table.hands == ["Host"]
        await tell(scene, commands.Resume())
        await asyncio.sleep(hands.WITHIN - 1)
        assert scene.table.hands == ["Host"]
    assert speakers(scene) == ["Ada", "Ben"]


# -- passing over --------------------------------------------------------------------------------------------------


@in_fake_time
async def test_skipping_whoever_speaks_or_who_is_next() -> None:
    scene = Scene("round_robin", THREE, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(1.0)
        (ended, *_) = await tell(scene, commands.Skip("Cleo"))
        assert (ended.turn, ended.reason) == ("t3", "skipped")
        assert refusal(await tell(scene, commands.Skip("Cleo"))) == "wrong_state"
        (ended, *_) = await tell(scene, commands.Skip())
        assert (ended.turn, ended.text) == ("t1", "Well. ")
    assert speakers(scene) == ["Ada", "Ben"]
    assert not any("Well" in message.text for message in scene.voices.asked[-1].messages)


# -- seats ---------------------------------------------------------------------------------------------------------


@in_fake_time
async def test_muted_she_is_cut_and_speaks_no_more_until_unmuted() -> None:
    scene = Scene("round_robin", THREE, max_rounds=3)
    async with scene.playing():
        await asyncio.sleep(1.0)
        told = await tell(scene, commands.Mute("Ada"))
        assert isinstance(told[0], e.PanelChanged)
        assert (told[1].turn, told[1].reason, told[1].text) == ("t1", "muted", "Well. ")
        assert refusal(await tell(scene, commands.Mute("Ada"))) == "wrong_state"
        await tell(scene, commands.Say("Ada?", to="Ada"))
        await asyncio.sleep(12.0)
        assert speakers(scene) == ["Ada", "Ben", "Cleo", "Ben"]
        await tell(scene, commands.Unmute("Ada"))
        assert refusal(await tell(scene, commands.Unmute("Ada"))) == "wrong_state"
    assert speakers(scene)[4:] == ["Ada", "Cleo", "Ada", "Ben", "Cleo"], "she was asked, and owes an answer"


@in_fake_time
async def test_the_last_who_can_speak_stays() -> None:
    scene = Scene("round_robin", THREE | {"Dag": ["So."]}, roles={"Dag": "chair"}, max_rounds=1)
    async with scene.playing():
        await tell(scene, commands.Mute("Ada"))
        await tell(scene, commands.Remove("Ben"))
        assert refusal(await tell(scene, commands.Mute("Cleo"))) == "wrong_state"
        assert refusal(await tell(scene, commands.Remove("Cleo"))) == "wrong_state"
        chair = seat("Eve", role="chair")
        assert refusal(await tell(scene, commands.Swap("Cleo", chair))) == "wrong_state"
        assert isinstance((await tell(scene, commands.Remove("Dag")))[0], e.PanelChanged)
        assert refusal(await tell(scene, commands.Remove("Ben"))) == "unknown_panelist"


@in_fake_time
async def test_who_comes_and_who_goes_is_known_to_all() -> None:
    scene = Scene("round_robin", THREE, max_rounds=2)
    scene.voices.scripts = {**THREE, "Dag": ["Dag's."]}
    async with scene.playing():
        await asyncio.sleep(1.0)
        await tell(scene, commands.Add(seat("Dag", persona="A cook.")))
        await tell(scene, commands.Remove("Ben"))
        assert refusal(await tell(scene, commands.Add(seat("Cleo")))) == "wrong_state"
        assert refusal(await tell(scene, commands.Say("Ben?", to="Ben"))) == "unknown_panelist"
        await asyncio.sleep(7.0)
        await tell(scene, commands.Add(seat("Ben")))
    assert speakers(scene) == ["Ada", "Cleo", "Ada", "Ben", "Cleo", "Dag"]
    assert "of 3 at a round table with Cleo, Dag" in scene.voices.asked[2].system or (
        "of 4 at a round table with Ben, Cleo, Dag" in scene.voices.asked[2].system
    )
    assert "A cook." in scene.voices.asked[-1].system


@in_fake_time
async def test_another_model_under_the_same_name_is_asked_what_she_was_saying() -> None:
    scene = Scene("round_robin", THREE, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(1.0)
        told = await tell(scene, commands.Swap("Ada", AskedSeat("Ada", "voice:other")))
        assert [type(event) for event in told[:3]] == [e.PanelChanged, e.TurnCancelled, e.TurnQueued]
    assert speakers(scene) == ["Ada", "Ben", "Cleo", "Ada"]
    assert [turn.model for turn in scene.table.turns if turn.panelist == "Ada"] == [
        "voice:Ada",
        "voice:other",
    ]


@in_fake_time
async def test_another_in_her_place_has_her_turns() -> None:
    scene = Scene("round_robin", THREE, max_rounds=1)
    scene.voices.scripts = {**THREE, "Dag": ["Dag's."]}
    async with scene.playing():
        await asyncio.sleep(1.0)
        assert refusal(await tell(scene, commands.Swap("Cleo", seat("Ben")))) == "wrong_state"
        await tell(scene, commands.Swap("Cleo", seat("Dag")))
    assert speakers(scene) == ["Ada", "Ben", "Dag"]
    assert scene.table.removed == ["Cleo"]


@in_fake_time
async def test_who_is_absent_is_back_when_swapped_added_or_asked_again() -> None:
    for command in (
        commands.Swap("Ada", seat("Ada")),
        commands.Add(seat("Ada")),
        commands.Retry("t1"),
    ):
        scene = Scene("round_robin", {"Ada": [REFUSED], "Ben": [5.0, "B."]}, max_rounds=2)
        async with scene.playing():
            await asyncio.sleep(1.0)
            assert list(scene.table.absent) == ["Ada"]
            scene.voices.scripts = {"Ada": ["A."], "Ben": [5.0, "B."]}
            await tell(scene, command)
            assert scene.table.absent == {}
        assert speakers(scene).count("Ada") >= 2


@in_fake_time
async def test_a_table_has_so_many_seats_and_has_had_so_many() -> None:
    scene = Scene("round_robin", {"Ada": [FOREVER]}, max_rounds=1)
    async with scene.playing():
        for number in range(1, MAX_SEATS):
            await tell(scene, commands.Add(seat(f"P{number}")))
        assert refusal(await tell(scene, commands.Add(seat("One more")))) == "wrong_state"
        for number in range(MAX_SEATS, MOST_EVER):
            await tell(scene, commands.Swap(f"P{number - 1}", seat(f"P{number}")))
        last = f"P{MOST_EVER - 1}"
        assert refusal(await tell(scene, commands.Swap(last, seat("One more")))) == "wrong_state"
        assert isinstance((await tell(scene, commands.Swap(last, seat("P20"))))[0], e.PanelChanged)
        scene.tell(commands.Close())
    assert len(scene.table.panel) == MOST_EVER


@in_fake_time
async def test_in_a_thread_who_left_or_is_muted_owes_no_answer() -> None:
    scene = Scene(REPLY, {"Ada": ["A."], "Ben": ["B."], "Cleo": ["C."]}, then="rest")
    await scene.owner.begin(scene.opening)
    for command in (commands.Mute("Ada"), commands.Remove("Ben"), commands.Say("Hm?"), commands.Conclude()):
        scene.tell(command)
    if scene.table.status == "resting":
        await scene.owner.take_over(scene.table)
    async with scene.held():
        pass
    assert speakers(scene) == ["Cleo"]
    assert [entry.event.code for entry in scene.entries if isinstance(entry.event, e.CommandRefused)] == [
        "wrong_state"
    ]


# -- limits, titles ------------------------------------------------------------------------------------------------


@in_fake_time
async def test_limits_are_set_anew_and_the_rest_stay() -> None:
    scene = Scene("round_robin", {"Ada": [1.0, "A."], "Ben": [1.0, "B."]}, max_rounds=1, max_tokens=50_000)
    async with scene.playing():
        await asyncio.sleep(0.5)
        (changed,) = await tell(scene, commands.Extend(AskedLimits(max_rounds=2)))
        assert (changed.limits.max_rounds, changed.limits.max_tokens) == (2, 50_000)
    assert speakers(scene) == ["Ada", "Ben"] * 2
    scene = Scene("round_robin", {"Ada": [1.0, "A."], "Ben": [FOREVER]}, max_rounds=9)
    async with scene.playing():
        await asyncio.sleep(2.5)
        await tell(scene, commands.Extend(AskedLimits(max_seconds=2.0)))
        assert scene.table.status == "closed", "more than that is used: at once"
    assert scene.table.ended_reason == "max_seconds"
    assert scene.table.turn("t2").reason == "max_seconds"


@in_fake_time
async def test_a_table_at_rest_takes_a_title_and_limits_and_sleeps_on() -> None:
    scene = Scene("round_robin", {"Ada": ["A."]}, then="rest", max_rounds=1)
    await scene.play()
    await scene.owner.take_over(scene.table)
    scene.tell(commands.Title("  Another \n name "))
    scene.tell(commands.Extend(AskedLimits(max_rounds=5)))
    scene.tell(commands.RaiseHand())
    scene.tell(commands.LowerHand())
    async with scene.held():
        pass
    assert (scene.table.status, scene.table.title, speakers(scene)) == ("resting", "Another name", ["Ada"])


# -- a verdict on request ------------------------------------------------------------------------------------------


def verdicts(scene: Scene) -> list[VerdictGiven]:
    return scene.table.found(VerdictGiven, sitting=False)


@in_fake_time
async def test_the_verdict_now() -> None:
    scene = Scene("round_robin", {"Ada": ["A."], "Ben": [5.0, "B."]}, max_rounds=9)
    async with scene.playing():
        await asyncio.sleep(1.0)
        told = await tell(scene, commands.Conclude())
        assert isinstance(told[0], e.TableConcluding)
        assert [(turn.turn, turn.status, turn.reason) for turn in scene.table.turns[1:2]] == [
            ("t2", "cancelled", "concluding")
        ]
    assert (scene.table.status, scene.table.ended_reason) == ("resting", "command")
    (given,) = verdicts(scene)
    assert (given.answer, given.answered) == ("A.", ["Ada"])


@in_fake_time
async def test_no_verdict_about_nothing_nor_twice_about_the_same() -> None:
    scene = Scene("round_robin", {"Ada": [2.0, "A."], "Ben": [2.0, "B."]}, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(1.0)
        assert refusal(await tell(scene, commands.Conclude())) == "wrong_state"
        await asyncio.sleep(2.0)
        await tell(scene, commands.Pause())
        await tell(scene, commands.Conclude())
        assert scene.table.status == "open", "nobody comes to a verdict in a pause"
        assert refusal(await tell(scene, commands.Conclude())) == "wrong_state"
        assert refusal(await tell(scene, commands.RaiseHand())) == "wrong_state"
    await scene.owner.take_over(scene.table)
    async with scene.held():
        assert refusal((await tell(scene, commands.Conclude()))[-1:]) == "wrong_state"
    assert len(verdicts(scene)) == 1


@in_fake_time
async def test_a_table_at_rest_comes_to_a_verdict_about_what_it_said() -> None:
    scene = Scene("round_robin", {"Ada": ["A."], "Ben": ["B."]}, then="rest", max_turns=2)
    await scene.play()
    assert scene.table.status == "resting"
    await scene.owner.take_over(scene.table)
    scene.tell(commands.Conclude())
    async with scene.held():
        pass
    (given,) = verdicts(scene)
    assert (given.answer, scene.table.status) == ("A.", "resting")
    assert given.header == "2 of 2 answered; Ada, one of the panel, chaired."


@in_fake_time
async def test_a_chair_who_failed_may_try_again() -> None:
    for command in (commands.Conclude(), commands.Retry("t3")):
        scene = Scene("round_robin", {"Ada": ["A."], "Ben": ["B."], "Dag": [REFUSED]}, roles={"Dag": "chair"},
                      then="rest", max_turns=3, verdict=True)  # fmt: skip
        await scene.play()
        assert verdicts(scene)[0].header == "2 of 2 answered; the chair failed, no synthesis."
        scene.voices.scripts = {"Ada": ["A."], "Ben": ["B."], "Dag": ["So."]}
        await scene.owner.take_over(scene.table)
        scene.tell(commands.Swap("Dag", seat("Dag", role="chair")))
        scene.tell(command)
        async with scene.held():
            pass
        assert [given.header for given in verdicts(scene)[1:]] == ["2 of 2 answered."]
        assert (scene.table.status, verdicts(scene)[1].answer) == ("resting", "So.")


@in_fake_time
async def test_a_node_that_dies_while_somebody_yields_leaves_no_turn_open() -> None:
    scene = Scene("round_robin", THREE, max_rounds=1)
    await scene.owner.begin(scene.opening)
    task = asyncio.create_task(scene.owner.run())
    await asyncio.sleep(1.0)
    await tell(scene, commands.BargeIn("Wait!"))
    task.cancel()
    await asyncio.wait([task])
    assert scene.table.turn("t1").yielding
    scene.owner = scene.new_owner()
    await scene.owner.take_over(scene.table)
    async with scene.held():
        pass
    failed = scene.table.turn("t1").error
    assert failed is not None
    assert (failed.code, speakers(scene)) == ("interrupted", ["Ada", "Ben", "Cleo"])


def test_whoever_takes_over_a_turn_has_the_floor_for_the_same_reason() -> None:
    async def run() -> Scene:
        scene = Scene("debate", {"Ada": [FOREVER], "Ben": ["No."], "Eve": ["Yes."]}, max_rounds=3)
        async with scene.playing():
            await asyncio.sleep(1.0)
            scene.tell(commands.Swap("Ada", AskedSeat("Dag", "voice:Dag")))
            scene.tell(commands.Close())
        return scene

    entries = fake_time.run(run()).entries
    queued = [entry.event for entry in entries if isinstance(entry.event, e.TurnQueued)]
    handed = next(event for event in queued if event.panelist == "Dag")
    hers = next(event for event in queued if event.panelist == "Ada")
    assert (handed.kind, handed.reason) == (hers.kind, hers.reason)
    assert handed.reason
