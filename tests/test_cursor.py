"""The cursor as text, as order, and under new owners."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.cursor import LIMIT, ZERO, Cursor, next_term
from protocol.errors import Invalid

numbers = st.integers(min_value=0, max_value=LIMIT)


@given(numbers, numbers, st.integers(min_value=0, max_value=99_999))
def test_text_and_cursor_are_one(term: int, seq: int, part: int) -> None:
    cursor = Cursor(term, seq, part)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1-",
        "-1",
        "1-2-3",
        "1-2.",
        "1-2.0",
        "01-2",
        "1-02",
        "a-b",
        " 1-2",
        "1-2\n",
        "١-٢",
        f"1-{LIMIT + 1}",
        "9" * 400,
    ],
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        Cursor.parse(text, field="after")
    assert caught.value.field == "after"
    assert len(caught.value.detail) < 200


def test_order_is_term_then_seq() -> None:
    assert ZERO < Cursor(1, 9) < Cursor(2, 1) < Cursor(2, 1, 1) < Cursor(2, 2)


@given(numbers, st.floats(min_value=0, max_value=4e9))
def test_a_term_is_never_reused(last: int, now: float) -> None:
    assert next_term(last, now) > last
