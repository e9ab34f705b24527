"""How a table looks in a terminal."""

import io
import itertools
import random
import re
from typing import Any

import pytest

from protocol import events as e
from protocol import findings as f
from protocol.messages import Failure
from protocol.transcript import Spent
from roundtable.cli.spotlight import Spotlight
from roundtable.cli.terminal import INDENT, Terminal, Wrap
from tests import golden_scenarios
from tests.tables import ADA, BEN, CLEO, opened, turn

T1: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
T2: dict[str, Any] = {"turn": "t2", "panelist": "Ben"}
T3: dict[str, Any] = {"turn": "t3", "panelist": "Cleo"}


def shown(*events: e.Event, colour: bool = False) -> str:
    out = io.StringIO()
    terminal = Terminal(out, width=30, colour=colour)
    for event in events:
        terminal.show(event)
    return out.getvalue()


def test_of_those_who_speak_at_once_one_is_shown_after_the_other() -> None:
    told: list[e.Event] = [
        *opened(ADA, BEN, CLEO),
        e.TurnStarted(**T1), e.TurnStarted(**T2), e.TurnStarted(**T3),
        e.TurnDelta(**T1, attempt=1, text="One "), e.TurnDelta(**T2, attempt=1, text="two "),
        e.TurnDelta(**T3, attempt=1, text="four "),
        e.TurnCompleted(**T2, text="two "),
        e.TurnDelta(**T1, attempt=1, text="and one."),
        e.TurnCompleted(**T1, text="One and one."),
        e.TurnDelta(**T3, attempt=1, text="five."),
    ]  # fmt: skip
    said = re.findall(r"\w+", shown(*told, e.TurnCompleted(**T3, text="four five.")))
    assert said[-9:] == ["Ada", "One", "and", "one", "Ben", "two", "Cleo", "four", "five"]
    assert re.findall(r"\w+", shown(*told[:8]))[-2:] == ["Ada", "One"]
    assert re.findall(r"\w+", shown(*told))[-2:] == ["Cleo", "four"]  # "five." may go on, so it is held


def test_what_a_method_reads_is_not_shown() -> None:
    spotlight = Spotlight()
    shown = [
        each for entry in golden_scenarios.raise_hand().entries for each in spotlight.follow(entry.event)
    ]
    spoken = [event.text for event in shown if isinstance(event, e.TurnDelta)]
    assert spoken == ["A model should only flag.", "The tail decides.", "Then measure it.", "We will."]


def test_why_she_speaks_is_said_as_a_stage_direction_and_bids_stand_together() -> None:
    told = shown(
        *opened(ADA, BEN),
        f.BidMade(turn="t1", panelist="Ada", round=1, urgency=7, about="The cost."),
        f.BidMade(turn="t2", panelist="Ben", round=1, urgency=0),
        e.TurnQueued(turn="t3", panelist="Ada", reason="bid 7 of 10", question="What does it cost?"),
        *turn(3, "Ada", "A lot.")[1:],
        e.TurnQueued(turn="t4", panelist="Ben", reason="asked"),
        *turn(4, "Ben", "Not at all.")[1:],
        f.VoteCast(turn="t5", panelist="Ada", choice="for", stage="after"),
        f.TallyCounted(round=1, kind="vote", scores={"for": 2, "against": 1}, winner="for", swing={"for": 1}),
        e.TableConcluding(reason="passes"),
        e.TurnQueued(turn="t6", panelist="Ben", kind="verdict", reason="the discussion is over: passes"),
        *turn(6, "Ben", "So be it.")[1:],
    )
    assert (
        told.partition("scripted:ben\n")[2]
        == """
  Ada bids 7 of 10: The cost.
  Ben bids 0 of 10.

Ada
  (bid 7 of 10; asked: What
  does it cost?)
  A lot.

Ben
  (asked by name)
  Not at all.

  Ada votes for.

  Votes: for 2 (+1), against
  1. Most votes: for.

  The discussion is over:
  nobody had anything to add.
  What follows is the verdict.

Ben
  (for the verdict)
  So be it.
"""
    )


@pytest.mark.parametrize("scenario", golden_scenarios.SCENARIOS, ids=lambda each: each.__name__)
def test_every_method_can_be_shown(scenario: Any) -> None:
    """No event of any of them is too much, and nothing is told twice in a row."""
    told = shown(*(entry.event for entry in scenario().entries))
    blocks = [block for block in told.split("\n\n") if block.strip()]
    assert not [one for one, other in itertools.pairwise(blocks) if one == other]


def test_nobodys_words_are_lost_or_mixed_however_they_interleave() -> None:
    dice = random.Random(7)
    for _ in range(50):
        spotlight, left = Spotlight(), {f"t{number}": dice.randint(1, 6) for number in range(1, 5)}
        told: list[e.Event] = []
        while left:
            turn = dice.choice(list(left))
            who: dict[str, Any] = {"turn": turn, "panelist": "Ada", "attempt": 1}
            left[turn] -= 1
            told.append(e.TurnDelta(**who, text="x") if left[turn] else e.TurnCompleted(**who))
            if not left[turn]:
                del left[turn]
        seen = [event for one in told for event in spotlight.follow(one)]
        turns = [event.turn for event in seen if isinstance(event, e.TurnEvent)]
        assert sorted(map(id, seen)) == sorted(map(id, told))
        assert [turn for turn, _ in itertools.groupby(turns)] == list(dict.fromkeys(turns))


def test_what_goes_wrong_is_said_plainly() -> None:
    error = Failure("rate_limited", "Too many requests.", retryable=True)
    assert "Ada failed: Too many requests." in flat(shown(e.TurnFailed(**T1, error=error)))
    assert "Asking again in 2 s." in flat(shown(e.TurnRetried(**T1, attempt=2, error=error, wait=2.0)))
    assert "Ada said nothing." in shown(e.TurnCompleted(**T1))
    assert "cut off at the token limit" in flat(shown(e.TurnCompleted(**T1, text="x", stop_reason="length")))
    assert "the money is spent" in flat(shown(e.TableClosed(reason="max_dollars")))


def test_a_model_cannot_steer_the_terminal() -> None:
    hostile = "\x1b[2J\x1b]0;gone\x07 \x9b1mBen\r\b:"
    text = shown(*opened(), *turn(1, "Ada", hostile))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_thoughts_are_dim_and_apart() -> None:
    thinking = e.TurnThinking(**T1, attempt=1, text="Hm. ")
    text = shown(*opened(ADA), thinking, e.TurnDelta(**T1, attempt=1, text="Yes. "), colour=True)
    assert "\x1b[2m  Hm.\x1b[0m" in text
    assert text.endswith("\n\x1b[0m  Yes.")


@pytest.mark.parametrize(
    ("spent", "price"),
    [
        (Spent(turns=1), "$0.00"),
        (Spent(turns=1, dollars=0.0123), "$0.0123"),
        (Spent(turns=1, dollars=1.5), "$1.50"),
        (Spent(turns=2, dollars=1.5, unpriced=1), "at least $1.50"),
        (Spent(turns=1, unpriced=1), "price unknown"),
    ],
)
def test_an_unknown_price_is_not_nothing(spent: Spent, price: str) -> None:
    out = io.StringIO()
    Terminal(out, width=None, colour=False).spent(spent)
    assert out.getvalue().endswith(f", {price}.\n")


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_lines_break_between_words_however_the_text_is_cut(step: int) -> None:
    text = (
        "The quick brown fox jumps over the lazy dog.\n\n    indented code stays\n日本語はどこでも折り返せます。"
        + "x" * 50
    )
    wrap = Wrap(20)
    out = "".join(wrap.feed(text[i : i + step]) for i in range(0, len(text), step)) + wrap.end()
    assert out == (
        "  The quick brown\n  fox jumps over the\n  lazy dog.\n\n      indented code\n  stays\n"
        "  日本語はどこでも折\n  り返せます。\n" + f"  {'x' * 18}\n" * 2 + f"  {'x' * 14}\n"
    )


def test_a_paragraph_leaves_nothing_behind() -> None:
    wrap = Wrap(None)
    assert wrap.paragraph("a  ") + wrap.paragraph("   ") + wrap.paragraph("b") == f"{INDENT}a\n{INDENT}b\n"
    assert wrap.end() == ""
