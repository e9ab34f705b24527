"""Where a sentence ends, however its words are cut into pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtable.table.sentences import end_of_sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Hello. And", "Hello."),
        ("Hello.", None),
        ("Hello. ", None),
        ("It is 3.14 of them. So", "It is 3.14 of them."),
        ("See e.g. Mill. Then", "See e.g. Mill."),
        ("Dr. No said so. Yes", "Dr. No said so."),
        ("“Why?” she said. Then", "“Why?” she said."),
        ('He said "no." Then', 'He said "no."'),
        ("Wait... what. No", "Wait... what."),
        ("1. First. 2", "1. First."),
        ("One\n2. Second! Then", "One"),
        ("In 2024. Then", "In 2024."),
        ("etc. and so on, etc. Then", "etc. and so on, etc."),
        ("なに。」です", "なに。」"),
        ("なに。」", None),
        ("क्या। है", "क्या।"),
        ("so\n\nand", "so"),
        ("so", None),
        ("", None),
    ],
)
def test_the_first_sentence(text: str, sentence: str | None) -> None:
    end = end_of_sentence(text, 0)
    assert (None if end is None else text[:end]) == sentence


words = st.lists(
    st.sampled_from(["so", "So", " ", "  ", "\n", ".", "?", "...", "。", "」", '"', "e.g.", "3", "14", ")"]),
    max_size=12,
).map("".join)


@given(words, st.lists(st.integers(0, 40), max_size=4))
def test_it_ends_at_the_same_place_in_however_many_pieces_it_comes(text: str, at: list[int]) -> None:
    """But for blanks, which may have been said before it was certain."""
    whole = end_of_sentence(text, 0)
    said, stopped = "", False
    for start, stop in pairwise(sorted({0, len(text), *(min(place, len(text)) for place in at)})):
        end = end_of_sentence(text[:stop], start)
        said = text[: stop if end is None else end]
        if stopped := end is not None:
            assert start <= len(said) <= stop
            break
    assert stopped == (whole is not None)
    assert said.rstrip() == (text if whole is None else text[:whole]).rstrip()
