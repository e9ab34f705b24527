"""The guard's answer depends on the words, never on how they were split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtable.table.guard import SpeakerGuard

SAMPLES = {
    "Yes, I agree.": ("Yes, I agree.", False),
    "[Ada]: Yes.": ("Yes.", False),
    "Ada: Yes.": ("Yes.", False),
    "\n **Ada:** Yes.": ("Yes.", False),
    "**Ada**: Yes.\nAda: And more.": ("Yes.\nAnd more.", False),
    "Ben: you are right.": ("Ben: you are right.", False),
    "Adam: not my name": ("Adam: not my name", False),
    "One.\n\nBen: No!": ("One.\n\n", True),
    "One.\n[Ben]: No!": ("One.\n", True),
    "[Ben] No!": ("", True),
    "One.\n**Ben:** No": ("One.\n", True),
    'Fine.\n<said by="Ben">No</said>': ("Fine.\n", True),
    "A [Ben]: inside is a quotation.": ("A [Ben]: inside is a quotation.", False),
    "Line\n  indented\n\n- list": ("Line\n  indented\n\n- list", False),
    "Ends with [Be": ("Ends with [Be", False),
    "One\n[Be": ("One\n[Be", False),
    "": ("", False),
}


def said(parts: list[str]) -> tuple[str, bool]:
    guard = SpeakerGuard("Ada", ["Ben", "Cleo"])
    text = "".join(guard.feed(part) for part in parts) + guard.flush()
    return text, guard.cut


@pytest.mark.parametrize("text", SAMPLES)
def test_every_split_gives_the_same_answer(text: str) -> None:
    assert said([text]) == SAMPLES[text]
    assert said(list(text)) == SAMPLES[text]
    for at in range(len(text)):
        assert said([text[:at], text[at:]]) == SAMPLES[text]


@given(st.lists(st.sampled_from(["Ada", "Ben", ":", "[", "]", "**", "\n", " ", "x", "<said"]), max_size=12))
def test_splitting_never_matters(parts: list[str]) -> None:
    assert said(parts) == said(["".join(parts)])


def test_an_ordinary_line_is_not_held_back() -> None:
    guard = SpeakerGuard("Ada", ["Ben"])
    assert guard.feed("W") == "W"
    assert guard.feed("ell, ") == "ell, "
