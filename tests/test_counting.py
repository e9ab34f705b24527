"""How many tokens a text is taken for, before anything was counted and after."""

from typing import Any

import pytest
from msgspec.structs import replace

from protocol import events as e
from protocol.messages import Usage
from roundtable.table.counting import GUESSING, PICTURE, counter
from tests.tables import ADA, opened, transcript


def asked(number: int, length: int, tokens: int, model: str = ADA.model, **usage: Any) -> list[e.Event]:
    """A turn that was sent so many characters, which its provider counted."""
    who: dict[str, Any] = {"turn": f"t{number}", "panelist": "Ada"}
    return [
        e.TurnQueued(**who),
        e.TurnStarted(**who, model=model, length=length),
        e.TurnCompleted(**who, text="So.", usage=Usage(input=tokens, **usage)),
    ]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("four" * 10, 10), ("größer" * 2, 3), ("Ошибка!" * 8, 26), ("失败率", 3), ("실패율", 3), ("🜂", 1)],
)
def test_by_its_letters_while_nobody_has_counted(text: str, tokens: float) -> None:
    assert GUESSING.tokens(text) == tokens
    assert not GUESSING.measured


def test_by_what_this_model_counted_lately() -> None:
    table = transcript(
        *opened(ADA), *asked(1, 1_000, 200), *asked(2, 2_000, 400), *asked(3, 900, 9, "other:one")
    )
    known = counter(table, ADA.model)
    assert known.measured
    assert known.tokens("x" * 50) == 10
    assert counter(table, "unheard:of") is GUESSING
    later = transcript(
        *opened(ADA), *asked(1, 9_000, 9_000), *(x for n in range(2, 10) for x in asked(n, 500, 100))
    )
    assert counter(later, ADA.model).rate == 5, "of a language that was left nothing stays"


def test_pictures_are_counted_beside_the_words_and_measure_none() -> None:
    assert GUESSING.tokens("four" * 10, pictures=2) == 10 + 2 * PICTURE
    queued, started, done = asked(1, 1_000, 2_000)
    assert isinstance(started, e.TurnStarted)
    shown = replace(started, pictures=1)
    assert counter(transcript(*opened(ADA), queued, shown, done), ADA.model) is GUESSING
    assert counter(transcript(*opened(ADA), queued, started, done), ADA.model).measured


def test_an_estimate_of_ours_and_nonsense_measure_nothing() -> None:
    for events in (
        asked(1, 1_000, 250, estimated=True),
        asked(1, 1_000, 1),
        asked(1, 0, 100),
        asked(1, 10, 900),
    ):
        assert counter(transcript(*opened(ADA), *events), ADA.model) is GUESSING
