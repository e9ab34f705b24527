"""How a table looks in a terminal."""

import io
import re
from typing import Any

import pytest

from protocol import events as e
from protocol.messages import Failure
from protocol.transcript import Spent
from roundtable.cli.terminal import INDENT, Terminal, Wrap
from tests.tables import ADA, BEN, opened, turn

T1: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
T2: dict[str, Any] = {"turn": "t2", "panelist": "Ben"}


def shown(*events: e.Event, colour: bool = False) -> str:
    out = io.StringIO()
    terminal = Terminal(out, width=30, colour=colour)
    for event in events:
        terminal.show(event)
    return out.getvalue()


def test_words_stand_under_the_name_of_who_said_them() -> None:
    text = shown(
        *opened(ADA, BEN),
        e.TurnStarted(**T1), e.TurnStarted(**T2),
        e.TurnDelta(**T1, attempt=1, text="One"), e.TurnDelta(**T2, attempt=1, text="Two"),
        e.TurnDelta(**T1, attempt=1, text="Three"),
    )  # fmt: skip
    said = text[text.index("One") :]
    assert re.findall(r"\w+", said) == ["One", "Ben", "Two", "Ada"]  # "Three" may go on, so it is held
    assert "OneTwo" not in text


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
