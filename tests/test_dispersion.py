"""How far apart positions are: by words, by embeddings, when it is measured, and that nobody waits for it too long."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import codec, commands
from protocol.errors import ProviderError
from protocol.findings import Converge, Entropy
from protocol.messages import Cost, Until
from protocol.transcript import fold
from providers import prices
from providers.base import Embedded
from providers.catalog import Embedder
from roundtable import policies
from roundtable.deliberation import convergence
from roundtable.deliberation.dispersion import LONGEST, by_embeddings, lexical
from roundtable.table.gauge import WITHIN
from tests import fake_time
from tests.scene import Scene, Step, played

texts = st.lists(st.text(max_size=60), max_size=6)
vectors = st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=2, max_size=6)

# -- by words ----------------------------------------------------------------------------------------------------

FLAG = "Yes, but only to flag letters for a clinician."
DUTY = "No, the duty to read cannot be handed to software at all."
TRIAL = "Start with a trial on one ward and measure what is missed."
AGREED = [
    "The model should sort letters and never decide: a clinician signs every one.",
    "Let the model sort letters, but let a clinician sign every one of them.",
]
APART = [
    "The model reads quickly, but who answers when it is wrong? I would let it sort, never decide.",
    "Look at the failure rate first. If the software misses fewer letters, refusing it needs a defence.",
]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ([FLAG, FLAG, FLAG], 0.0),
        ([FLAG, FLAG.upper(), f"*{FLAG}*"], 0.0),
        ([FLAG, FLAG.replace("letters", "risky letters"), FLAG.replace("but ", "")], 0.19),
        ([FLAG, FLAG, DUTY], 0.65),
        ([FLAG] * 8 + [DUTY], 0.22),  # one of nine
        ([FLAG, DUTY, TRIAL], 0.97),
        (AGREED, 0.47),
        (APART, 0.86),
        (["Ja, nur um Briefe zu markieren.", "Ja, aber nur um Briefe zu markieren."], 0.2),
        (["Ja, nur um Briefe zu markieren.", "Nein, die Pflicht bleibt bei der Ärztin."], 1.0),
        (
            [
                "はい、医師のために手紙に印を付けるだけです。",
                "はい、医師のために危険な手紙に印を付けるだけです。",
            ],
            0.28,
        ),
        (["はい、医師のために手紙に印を付けるだけです。", "いいえ、読む義務は任せられません。"], 1.0),
        # What it cannot tell, and is therefore never called agreement:
        (["A model should read every letter.", "A model should not read every letter."], 0.17),
        ([FLAG, "Agreed, as long as the decision stays with a physician."], 0.96),
        ([FLAG, "Ja, aber nur um Briefe für eine Ärztin zu markieren."], 0.99),
    ],
)
def test_what_words_can_tell_and_what_not(said: Sequence[str], value: float) -> None:
    assert lexical(said) == pytest.approx(value, abs=0.02)


@given(texts, st.randoms())
def test_a_dispersion_is_from_0_to_1_whatever_the_order(said: list[str], dice: Any) -> None:
    value = lexical(said)
    assert 0.0 <= value <= 1.0
    shuffled = dice.sample(said, len(said))
    assert lexical(shuffled) == pytest.approx(value)
    assert lexical([*said[:1]] * 4) == 0.0


def test_what_is_longer_than_is_compared_changes_nothing() -> None:
    assert lexical(["a b " * LONGEST, "a b " * LONGEST + "other words"]) == 0.0


# -- by embeddings -----------------------------------------------------------------------------------------------


@given(vectors)
def test_embeddings_are_compared_by_the_mean_cosine_of_each_two(given: list[list[float]]) -> None:
    lengths = [math.hypot(*vector) for vector in given]
    if not all(lengths):
        with pytest.raises(ValueError, match="no direction"):
            by_embeddings(given)
        return
    cosines = [
        math.fsum(a / lengths[i] * b / lengths[j] for a, b in zip(given[i], given[j], strict=True))
        for i in range(len(given))
        for j in range(i)
    ]
    assert by_embeddings(given) == pytest.approx(min(1.0, 1 - math.fsum(cosines) / len(cosines)), abs=1e-9)


@pytest.mark.parametrize("wrong", [[[1.0, 2.0], [1.0]], [[1.0], [math.inf]], [[1.0], [math.nan]], [[], []]])
def test_what_has_no_direction_cannot_be_compared(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - told by zip, or by us
        by_embeddings(wrong)


# -- positions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("POSITION: Yes.\nBecause.", "Yes."),
        ("Let me see.\n**Position:** Yes, *always*.\nBecause.", "Yes, *always*."),
        ("# position： はい。\n理由", "はい。"),
        ("POSITION:\nYes.", "POSITION:\nYes."),
        ("My position: yes.", "My position: yes."),
        ("  Words.  ", "Words."),
        ("\n" * 50_000 + "*" * 50_000, "*" * LONGEST),
    ],
)
def test_a_position_that_is_stated_in_a_line_is_what_counts(text: str, stated: str) -> None:
    assert convergence.position(text) == stated


# -- at a table --------------------------------------------------------------------------------------------------

VOICES: dict[str, list[Step]] = {"Ada": [FLAG], "Ben": [DUTY], "Cleo": [TRIAL]}


def play(policy: str, voices: dict[str, Any] = VOICES, **options: Any) -> Scene:
    return played(policy, voices, **options)


def measured(scene: Scene) -> list[Entropy]:
    return scene.table.found(Entropy, sitting=False)


@pytest.mark.parametrize("policy", policies.OURS)
def test_every_round_is_measured_once_whatever_the_policy(policy: str) -> None:
    scene = play(policy, max_rounds=2, until=Until())
    assert [entropy.round for entropy in measured(scene)] == list(range(1, scene.table.round + 1))
    assert {entropy.method for entropy in measured(scene)} == {"lexical"}
    assert not scene.table.found(Converge)


def test_a_round_that_a_limit_cut_is_measured_as_far_as_it_went() -> None:
    scene = play("round_robin", max_turns=5)
    assert [(entropy.round, entropy.voices) for entropy in measured(scene)] == [(1, 3), (2, 2)]
    assert measured(play("round_robin", max_turns=1)) == []


def test_one_who_speaks_alone_is_not_apart_from_anybody() -> None:
    assert (
        measured(play("parallel", {"Ada": [FLAG], "Ben": [ProviderError("No.", code="auth")]}, max_rounds=2))
        == []
    )


def test_every_table_ends_by_convergence_that_was_asked_to() -> None:
    scene = play("parallel", {"Ada": [FLAG], "Ben": [FLAG]}, max_rounds=9, until=Until(convergence=0.1))
    assert (scene.table.round, scene.table.ended_reason) == (1, "convergence")
    (converge,) = scene.table.found(Converge)
    assert (converge.value, converge.threshold) == (0.0, 0.1)


def test_a_round_is_measured_and_converges_once_wherever_the_node_dies() -> None:
    async def run(survived: int) -> list[str]:
        whole = Scene("parallel", {"Ada": [FLAG], "Ben": [FLAG]}, until=Until(convergence=0.1))
        await whole.play()
        scene = Scene("parallel", {"Ada": [FLAG], "Ben": [FLAG]}, until=Until(convergence=0.1))
        scene.log.records = whole.log.records[:survived]
        if scene.table.status != "closed":
            await scene.owner.take_over(scene.table)
            async with scene.held():
                pass
        return [codec.event_type(entry.event) for entry in scene.entries]

    for survived in range(2, 17):
        said = fake_time.run(run(survived))
        assert (said.count("entropy"), said.count("converge")) == (1, 1), survived


# -- beside the table --------------------------------------------------------------------------------------------

Answer = Callable[[Sequence[str]], Awaitable[Embedded]]


class Model:
    """As `Embeds`."""

    name, local, destination = "voice", False, "nobody"

    def __init__(self, answer: Answer) -> None:
        self.asked: list[list[str]] = []
        self._answer = answer

    async def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        assert model == "small"
        self.asked.append(list(texts))
        return await self._answer(texts)


def gauged(
    answer: Answer, *, of: str = "voice", policy: str = "parallel", **options: Any
) -> tuple[Scene, Model]:
    """A scene whose positions a model measures; its panel speaks through `voice`."""
    scene, model = Scene(policy, VOICES, **options), Model(answer)
    scene.voices.embedder = Embedder(f"{of}:small", model, "small", local=False)
    scene.owner = scene.new_owner()
    return scene, model


async def orthogonal(texts: Sequence[str]) -> Embedded:
    await asyncio.sleep(0.3)
    return Embedded([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], 42)


def test_a_model_that_is_configured_measures_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "cost", lambda model, usage: Cost(usage.input / 1000))

    async def run() -> None:
        scene, model = gauged(orthogonal, max_rounds=2)
        table = await scene.play()
        first, _ = measured(scene)
        assert (first.method, first.model, first.voices, first.tokens) == ("embedding", "voice:small", 3, 42)
        assert first.value == pytest.approx(2 / 3, abs=1e-4)
        assert model.asked == [[FLAG, DUTY, TRIAL]] * 2
        spoken = sum(turn.cost.dollars for turn in table.turns if turn.cost)
        assert table.spent.dollars == pytest.approx(spoken + 2 * 0.042)

    fake_time.run(run())


def test_what_has_no_price_is_counted_as_such() -> None:
    async def run() -> None:
        scene, _ = gauged(orthogonal, max_rounds=1)
        table = await scene.play()
        assert (table.spent.dollars, table.spent.unpriced) == (0.0, 3 + 1)

    fake_time.run(run())


async def never(_: Sequence[str]) -> Embedded:
    await asyncio.sleep(1e6)
    raise AssertionError


async def refused(_: Sequence[str]) -> Embedded:
    raise ProviderError("The server refused the key.", code="auth")


async def broken(_: Sequence[str]) -> Embedded:
    raise RuntimeError("A bug.")


async def short(_: Sequence[str]) -> Embedded:
    return Embedded([[1.0], [1.0]])


async def nothing(_: Sequence[str]) -> Embedded:
    return Embedded([[0.0], [0.0], [0.0]])


@pytest.mark.parametrize(
    ("answer", "waited"), [(never, WITHIN), (refused, 0), (broken, 0), (short, 0), (nothing, 0)]
)
def test_whatever_goes_wrong_it_is_measured_by_words_within_the_deadline(
    answer: Answer, waited: float
) -> None:
    async def run() -> None:
        scene, _ = gauged(answer, max_rounds=1)
        table = await scene.play()
        (entropy,) = measured(scene)
        assert (entropy.method, entropy.model, entropy.cost) == ("lexical", "", None)
        assert table.at - table.opened_at == pytest.approx(waited, abs=0.01)

    fake_time.run(run())


def test_nobody_else_is_sent_what_is_said_here() -> None:
    async def run() -> None:
        scene, model = gauged(orthogonal, of="stranger", max_rounds=1)
        await scene.play()
        assert model.asked == []
        assert measured(scene)[0].method == "lexical"

    fake_time.run(run())


def test_commands_are_heard_while_a_model_measures() -> None:
    async def run() -> None:
        scene, _ = gauged(never, max_rounds=9)
        async with scene.playing():
            await asyncio.sleep(1)
            scene.tell(commands.Say("Ada?", to="Ada"))
            await asyncio.sleep(1)
            assert [turn.panelist for turn in scene.table.turns] == ["Ada", "Ben", "Cleo", "Ada"]
            scene.tell(commands.Pause())
            await asyncio.sleep(WITHIN)
            assert measured(scene) == []
            scene.tell(commands.Resume())
            await asyncio.sleep(1)
            assert [entropy.round for entropy in measured(scene)] == [1]
            scene.tell(commands.Close())
        assert scene.table.status == "closed"
        assert scene.table.at - scene.table.opened_at == pytest.approx(WITHIN + 3, abs=0.01)
        assert fold(scene.entries) == scene.table

    fake_time.run(run())


def test_time_that_is_up_does_not_wait_for_a_model() -> None:
    async def run() -> None:
        scene, _ = gauged(never, max_seconds=5.0)
        table = await scene.play()
        assert table.at - table.opened_at == pytest.approx(5, abs=0.01)
        assert [entropy.method for entropy in measured(scene)] == ["lexical"]

    fake_time.run(run())
