"""What stands between a policy's steps: readings, and the verdict a discussion comes to."""

from protocol import events as e
from protocol.errors import ProviderError
from protocol.findings import VerdictGiven
from tests import fake_time
from tests.scene import FOREVER, Scene, Step

REFUSED = ProviderError("The key was refused.", code="auth")


def verdict(scene: Scene) -> VerdictGiven:
    (given,) = scene.table.found(VerdictGiven, sitting=False)
    return given


def play(scene_of: dict[str, list[Step]], **options: object) -> Scene:
    async def run() -> Scene:
        scene = Scene("round_robin", scene_of, verdict=True, **options)  # type: ignore[arg-type]
        await scene.play()
        return scene

    return fake_time.run(run())


def test_a_discussion_that_is_over_comes_to_its_verdict() -> None:
    scene = play({"Ada": ["Yes."], "Ben": ["No."]}, max_rounds=1)
    kinds = [(turn.panelist, turn.kind) for turn in scene.table.turns]
    assert kinds == [("Ada", "speech"), ("Ben", "speech"), ("Ada", "verdict")]
    given = verdict(scene)
    assert (given.header, given.answer, given.chair, given.missing) == ("2 of 2 answered.", "Yes.", "Ada", "")
    ends = [
        entry.event for entry in scene.entries if isinstance(entry.event, e.TableConcluding | e.TableClosed)
    ]
    assert [event.reason for event in ends] == ["max_rounds", "max_rounds"]


def test_a_seat_for_the_chair_does_nothing_else() -> None:
    scene = play({"Ada": ["Yes."], "Ben": ["No."], "Cleo": ["So."]}, max_rounds=1, roles={"Cleo": "chair"})
    assert [turn.panelist for turn in scene.table.turns] == ["Ada", "Ben", "Cleo"]
    assert verdict(scene).header == "2 of 2 answered."


def test_a_chair_who_fails_leaves_no_synthesis() -> None:
    scene = play({"Ada": ["Yes."], "Ben": ["No."], "Cleo": [REFUSED]}, max_rounds=1, roles={"Cleo": "chair"})
    given = verdict(scene)
    assert (given.header, given.answer) == ("2 of 2 answered; the chair failed, no synthesis.", "")


def test_who_did_not_answer_is_told() -> None:
    given = verdict(play({"Ada": ["Yes."], "Ben": [REFUSED]}, max_rounds=1))
    assert given.header == "1 of 2 answered."
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
    assert given.header == "1 of 2 answered; the time is up, no synthesis."
    assert scene.table.ended_reason == "max_seconds"
