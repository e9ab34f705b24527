"""What stands between a policy's steps: readings, and the verdict a discussion comes to."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import commands
from protocol import events as e
from protocol.errors import ProviderError
from protocol.findings import BudgetDegraded, ClaimMade, VerdictGiven
from protocol.messages import Until
from tests import fake_time
from tests.scene import FOREVER, InTurn, Scene, Step

BUSY = ProviderError("Busy.", code="rate_limited", retryable=True, retry_after=1.0)
REFUSED = ProviderError("The key was refused.", code="auth")


# What a chair writes who can keep a record. The last name is a stranger's, and is dropped.
RECORD = """{"claims": [{"claim": "c1", "text": "It holds.", "by": "Ada"}], "stances": [
 {"panelist": "Ada", "claim": "c1", "stance": "support", "quote": "Yes."},
 {"panelist": "Ben", "claim": "c1", "stance": "oppose"}, {"panelist": "Dag", "claim": "c1", "stance": "support"}]}"""


def verdict(scene: Scene) -> VerdictGiven:
    (given,) = scene.table.found(VerdictGiven, sitting=False)
    return given


def play(scene_of: Mapping[str, Sequence[Step]], **options: Any) -> Scene:
    async def run() -> Scene:
        scene = Scene("round_robin", scene_of, **{"verdict": True, **options})
        await scene.play()
        return scene

    return fake_time.run(run())


def test_a_discussion_that_is_over_comes_to_its_verdict() -> None:
    scene = play({"Ada": InTurn(["Yes."], [RECORD], ["So."]), "Ben": ["No."]}, max_rounds=1)
    kinds = [(turn.panelist, turn.kind) for turn in scene.table.turns]
    assert kinds == [("Ada", "speech"), ("Ben", "speech"), ("Ada", "stances"), ("Ada", "verdict")]
    given = verdict(scene)
    assert given.header == "2 of 2 answered; Ada, one of the panel, chaired."
    assert (given.answer, given.chair, given.missing) == ("So.", "Ada", "")
    ends = [
        entry.event for entry in scene.entries if isinstance(entry.event, e.TableConcluding | e.TableClosed)
    ]
    assert [event.reason for event in ends] == ["max_rounds", "max_rounds"]


def test_a_seat_for_the_chair_does_nothing_else() -> None:
    cleo = InTurn([RECORD], ["So."])
    scene = play({"Ada": ["Yes."], "Ben": ["No."], "Cleo": cleo}, max_rounds=1, roles={"Cleo": "chair"})
    assert [turn.panelist for turn in scene.table.turns] == ["Ada", "Ben", "Cleo", "Cleo"]
    assert verdict(scene).header == "2 of 2 answered."


def test_a_chair_who_fails_leaves_no_synthesis() -> None:
    cleo = InTurn([RECORD], [REFUSED])
    scene = play({"Ada": ["Yes."], "Ben": ["No."], "Cleo": cleo}, max_rounds=1, roles={"Cleo": "chair"})
    given = verdict(scene)
    assert (given.header, given.answer) == ("2 of 2 answered; the chair failed, no synthesis.", "")


def test_nobody_sums_up_for_a_chair_who_failed_before_the_verdict() -> None:
    """Her key is refused when the round goes on record already: she is absent, and still the panel's chair."""
    scene = play({"Ada": ["Yes."], "Ben": ["No."], "Cleo": [REFUSED]}, max_rounds=1, roles={"Cleo": "chair"})
    given = verdict(scene)
    assert (given.header, given.answer, given.chair) == (
        "2 of 2 answered; the chair failed, no synthesis.", "", "",
    )  # fmt: skip
    assert not [turn for turn in scene.table.turns if turn.kind == "verdict"]


def test_who_did_not_answer_is_told() -> None:
    given = verdict(play({"Ada": ["Yes."], "Ben": [REFUSED]}, max_rounds=1))
    assert given.header == "1 of 2 answered; Ada, one of the panel, chaired."
    assert given.silent == {"Ben": "The key was refused."}


def test_where_nobody_answered_there_is_no_verdict() -> None:
    scene = play({"Ada": [REFUSED], "Ben": [REFUSED]}, max_rounds=1)
    assert scene.table.findings == []
    assert scene.table.ended_reason == "no_panelists"


def test_the_last_turn_is_kept_for_the_chair() -> None:
    scene = play({"Ada": ["Yes."], "Ben": ["No."]}, max_turns=3)
    assert [turn.kind for turn in scene.table.turns if turn.started_at] == ["speech", "speech", "verdict"]


def test_when_the_time_is_up_nothing_stands_in_for_a_synthesis() -> None:
    scene = play({"Ada": ["Yes."], "Ben": [FOREVER]}, max_seconds=10.0)
    given = verdict(scene)
    assert given.header == "1 of 2 answered; Ben was cut off by a deadline; the time is up, no synthesis."
    assert (given.cut, given.silent) == (["Ben"], {"Ben": "was cut off when the time was up"})
    assert scene.table.ended_reason == "max_seconds"


# -- the record of stances -----------------------------------------------------------------------------------------


def kinds_of(scene: Scene) -> list[str]:
    return [turn.kind for turn in scene.table.turns if turn.started_at]


def test_a_chair_who_keeps_no_record_is_asked_twice_at_a_table_and_there_is_no_map() -> None:
    scene = play({"Ada": ["Yes."], "Ben": ["No."]}, max_rounds=3)
    assert kinds_of(scene) == ["speech"] * 2 + ["stances"] * 2 + ["speech"] * 4 + ["verdict"]
    (first, again) = [
        request for request in scene.voices.asked if "keep the record" in request.messages[-1].text
    ]
    assert "could not be read" not in first.messages[-1].text
    assert "Your last answer could not be read: There is no JSON object" in again.messages[-1].text
    assert (verdict(scene).source, verdict(scene).claims) == ("", [])


def test_the_record_is_asked_for_with_the_words_of_one_round_and_the_claims_so_far() -> None:
    ben = InTurn(["The first thing."], ["The second thing."])
    scene = play({"Ada": ["Yes."], "Ben": ben, "Cleo": [RECORD]}, max_rounds=2, roles={"Cleo": "chair"})
    first, second = [
        request.messages[-1].text for request in scene.voices.asked if request.speaker == "Cleo"
    ][:2]
    assert "The first thing." in first
    assert "no claims on record yet" in first
    assert "The first thing." not in second
    assert "The second thing." in second
    assert "c1: It holds. [Ada: support; Ben: oppose]" in second
    assert "numbered from c2" in second


def test_a_table_that_is_short_of_turns_does_without_and_says_so() -> None:
    scene = play({"Ada": ["Yes."], "Ben": ["No."]}, max_turns=3, max_rounds=1)
    assert kinds_of(scene) == ["speech", "speech", "verdict"]
    (degraded,) = scene.table.found(BudgetDegraded)
    assert degraded.measure == "no_stances"


def test_where_one_alone_spoke_there_is_nothing_to_put_on_record() -> None:
    assert "stances" not in kinds_of(play({"Ada": ["Yes."], "Ben": [REFUSED]}, max_rounds=2))
    quiet = play({"Ada": ["Yes."], "Ben": ["No."]}, max_rounds=1, verdict=False)
    assert kinds_of(quiet) == ["speech", "speech"]


def test_a_discussion_may_end_by_consensus() -> None:
    agreed = RECORD.replace("oppose", "support")
    voices: dict[str, list[Step]] = {
        "Ada": ["Yes."],
        "Ben": InTurn(["No."], ["Yes."]),
        "Cleo": InTurn([RECORD], [agreed]),
    }
    scene = play(voices, verdict=False, until=Until(consensus=True), max_rounds=5, roles={"Cleo": "chair"})
    assert (scene.table.round, scene.table.ended_reason) == (2, "consensus")


# -- what comes meanwhile, and after -------------------------------------------------------------------------------


def held(
    act: Callable[[Scene], Awaitable[None]], voices: Mapping[str, Sequence[Step]], **options: Any
) -> Scene:
    """A table of Ada, Ben and a chair that rests after its verdict, while something is done to it."""

    async def run() -> Scene:
        options.setdefault("roles", {"Cleo": "chair"})
        scene = Scene("round_robin", voices, verdict=True, then="rest", max_rounds=1, **options)
        async with scene.playing():
            await act(scene)
        return scene

    return fake_time.run(run())


# The chair takes three seconds for each, and these are moments in the midst of them.
RECORDING, WRITING = 1.0, 4.0
CLEO: tuple[list[Step], ...] = ([3.0, RECORD], [3.0, "So."], [3.0, RECORD], [3.0, "And so."])


def ends(scene: Scene) -> list[str]:
    return [entry.event.reason for entry in scene.entries if isinstance(entry.event, e.TableRested)]


def test_a_message_that_comes_while_the_verdict_is_written_is_answered_after_it() -> None:
    async def ask(scene: Scene) -> None:
        await asyncio.sleep(WRITING)
        scene.tell(commands.Say("And at night?"))

    scene = held(ask, {"Ada": ["Yes."], "Ben": ["No."], "Cleo": InTurn(*CLEO)})
    assert kinds_of(scene) == ["speech", "speech", "stances", "verdict"] * 2
    assert ends(scene) == ["max_rounds"] * 2
    later = [request for request in scene.voices.asked if request.speaker == "Ada"][-1].messages[-1].text
    assert "And at night?" in later
    assert "So." in later
    first, second = scene.table.found(VerdictGiven, sitting=False)
    assert (first.answer, second.answer) == ("So.", "And so.")
    claims = [claim.claim for claim in scene.table.found(ClaimMade, sitting=False)]
    assert claims == ["c1", "c2"], "a number is given once"


def test_one_who_is_asked_by_name_while_the_table_concludes_answers_before_the_verdict() -> None:
    async def ask(scene: Scene) -> None:
        await asyncio.sleep(RECORDING)
        scene.tell(commands.Say("Ben, sure?", to="Ben"))

    scene = held(ask, {"Ada": ["Yes."], "Ben": ["No."], "Cleo": InTurn(*CLEO)})
    assert [turn.panelist for turn in scene.table.turns] == ["Ada", "Ben", "Cleo", "Ben", "Cleo"]
    assert len(ends(scene)) == 1


def test_one_who_is_asked_while_the_verdict_is_written_answers_and_that_is_all() -> None:
    async def ask(scene: Scene) -> None:
        await asyncio.sleep(WRITING)
        scene.tell(commands.Say("Ben, sure?", to="Ben"))

    scene = held(ask, {"Ada": ["Yes."], "Ben": ["No."], "Cleo": InTurn(*CLEO)})
    assert kinds_of(scene) == ["speech", "speech", "stances", "verdict", "speech"]
    assert ends(scene) == ["max_rounds", "answered"]
    assert len(scene.table.found(VerdictGiven, sitting=False)) == 1


def test_a_chair_who_failed_may_be_asked_again_about_the_same_discussion() -> None:
    async def run() -> Scene:
        voices: dict[str, list[Step]] = {
            "Ada": ["Yes."],
            "Ben": ["No."],
            "Cleo": InTurn([RECORD], [BUSY], [BUSY], [BUSY], ["So."]),
        }
        scene = Scene("round_robin", voices, verdict=True, then="rest", max_rounds=1, roles={"Cleo": "chair"})
        await scene.play()
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        failed = scene.table.turns[-1].turn
        scene.tell(commands.Retry(failed))
        async with scene.held():
            pass
        return scene

    scene = fake_time.run(run())
    missing, given = scene.table.found(VerdictGiven, sitting=False)
    assert (missing.missing, missing.turn, missing.chair) == ("the chair failed", "t4", "Cleo")
    assert (given.header, given.answer, given.turn) == ("2 of 2 answered.", "So.", "t5")
    assert [claim.text for claim in given.claims] == ["It holds."]
    assert ends(scene) == ["max_rounds", "command"]


def test_a_verdict_survives_a_pause_and_the_death_of_its_node() -> None:
    async def run() -> Scene:
        scene = Scene("round_robin", {"Ada": ["Yes."], "Ben": ["No."], "Cleo": InTurn(*CLEO[:1], [9.0, "S"], ["So."])},
                      verdict=True, max_rounds=1, roles={"Cleo": "chair"})  # fmt: skip
        await scene.owner.begin(scene.opening)
        dying = asyncio.create_task(scene.owner.run())
        await asyncio.sleep(WRITING)
        scene.tell(commands.Pause())
        await asyncio.sleep(1.0)
        dying.cancel()
        await asyncio.wait([dying])
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        async with scene.held():
            scene.tell(commands.Resume())
        return scene

    scene = fake_time.run(run())
    assert [turn.status for turn in scene.table.turns] == ["completed"] * 3 + ["failed", "completed"]
    assert verdict(scene).answer == "So."


@pytest.mark.parametrize("records", [0, 1])
def test_a_verdict_is_given_once_wherever_its_node_dies(records: int) -> None:
    """Between the chair's last word and the verdict, and after it."""

    async def run() -> list[VerdictGiven]:
        voices: dict[str, list[Step]] = {"Ada": ["Yes."], "Ben": ["No."], "Cleo": InTurn([RECORD], ["So."])}
        scene = Scene("round_robin", voices, verdict=True, max_rounds=1, roles={"Cleo": "chair"})
        await scene.play()
        given = next(at for at, entry in enumerate(scene.entries) if isinstance(entry.event, VerdictGiven))
        del scene.log.records[given + records :]
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        async with scene.held():
            pass
        assert scene.table.status == "closed"
        return scene.table.found(VerdictGiven)

    assert [given.answer for given in fake_time.run(run())] == ["So."]


def test_who_closes_the_table_while_its_verdict_is_written_has_none() -> None:
    async def close(scene: Scene) -> None:
        await asyncio.sleep(WRITING)
        scene.tell(commands.Close())

    scene = held(close, {"Ada": ["Yes."], "Ben": ["No."], "Cleo": InTurn(*CLEO)})
    assert scene.table.found(VerdictGiven) == []
    assert (scene.table.status, scene.table.ended_reason) == ("closed", "command")


def test_a_table_that_is_resumed_does_not_rest_for_a_question_that_was_taken_back() -> None:
    async def run() -> Scene:
        voices: dict[str, list[Step]] = {"Ada": ["One. ", 2.0, "Two."], "Ben": ["Aye."]}
        scene = Scene("round_robin", voices, max_rounds=1, then="rest", verdict=False)
        async with scene.playing():
            await asyncio.sleep(1.0)
            scene.tell(commands.Say("Ben?", to="Ben"))
            await asyncio.sleep(0.1)
            scene.tell(commands.Cancel("t2"))
            scene.tell(commands.Cancel("t3"))
        scene.owner = scene.new_owner()
        await scene.owner.take_over(scene.table)
        scene.tell(commands.Resume())
        async with scene.held():
            return scene

    scene = fake_time.run(run())
    assert ends(scene) == ["max_rounds", "max_rounds"]
    assert [turn.panelist for turn in scene.table.of("completed")] == ["Ada", "Ada", "Ben"]


pauses = st.sampled_from([0.0, 0.5, 2.5, 3.0, 5.0, 20.0])
asked = st.sampled_from(
    [commands.Say("And?"), commands.Say("Ben?", to="Ben"), commands.Say("Dag?", to="Cleo")]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(pauses, asked), max_size=5), st.booleans(), st.integers(1, 2))
def test_nobody_speaks_to_a_table_that_rests_in_vain(
    said: list[tuple[float, commands.Say]], verdict: bool, rounds: int
) -> None:
    """Whenever it comes, a message to all is in a prompt, and who is asked by name has a turn for it."""

    async def run() -> Scene:
        voices: dict[str, list[Step]] = {"Ada": [1.0, "Yes."], "Ben": [1.0, "No."], "Cleo": [2.0, RECORD]}
        scene = Scene(
            "round_robin", voices, verdict=verdict, then="rest", max_rounds=rounds, roles={"Cleo": "chair"}
        )
        await scene.owner.begin(scene.opening)
        owner = asyncio.create_task(scene.owner.run())
        for after, say in said:
            await asyncio.sleep(after)
            if owner.done():
                scene.owner = scene.new_owner()
                await scene.owner.take_over(scene.table)
                owner = asyncio.create_task(scene.owner.run())
            scene.tell(say)
        await owner
        return scene

    scene = fake_time.run(run())
    assert scene.table.status == "resting"
    assert len(scene.table.messages) == len(said)
    heard = [turn for turn in scene.table.turns if turn.kind != "stances"]
    for message in scene.table.messages:
        assert any(turn.started_seq > message.seq for turn in heard)
        assert not message.to or any(turn.panelist == message.to and turn.seq > message.seq for turn in heard)
    given = len(scene.table.found(VerdictGiven, sitting=False))
    assert given == sum(isinstance(entry.event, e.TableConcluding) for entry in scene.entries)
