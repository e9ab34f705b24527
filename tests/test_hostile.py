"""What a model, its server or a file may send so that a table breaks or stands still: it does neither."""

from typing import Any

import msgspec
import pytest

from protocol import events as e
from protocol import kinds
from protocol.errors import ProviderError
from protocol.findings import ClaimMade, StanceTaken
from providers.base import Thinking
from roundtable.deliberation import answers, loose, reading
from roundtable.material.forms import MAX_TEXT
from roundtable.material.reading import Readers
from roundtable.table.asking import MOST
from tests import fake_time, files
from tests.scene import Scene, Step
from tests.tables import opened, transcript, turn

HALF = "\ud83d"  # of a surrogate pair: JSON may hold it alone, UTF-8 may not


@pytest.mark.parametrize(
    "step",
    [f"So {HALF} what", Thinking(f"Hm {HALF}"), ProviderError(f"Refused: {HALF}", code="bad_request")],
    ids=["words", "thoughts", "refusal"],
)
def test_half_a_character_breaks_no_owner(step: Step) -> None:
    async def play() -> None:
        table = await Scene("round_robin", {"Ada": [step, "."], "Ben": ["Fine."]}, max_rounds=1).play()
        assert table.status == "closed"
        ada, ben = table.turns[:2]
        assert "?" in (ada.text + ada.thinking + (ada.error.detail if ada.error else ""))
        assert ben.text == "Fine."

    fake_time.run(play())


class _Form(msgspec.Struct):
    urgency: int


@pytest.mark.parametrize(
    "bomb", ["{", '{"', "[{", "{}", '{"a":1}', '{"}', "{" * 31 + "}" * 31, '{"a":[', "{" + "a" * 3_124]
)
def test_an_answer_of_brackets_is_read_at_so_many_places(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, begun, read = (bomb * MOST)[:MOST], list[int](), loose.decode

    def decode(text: str, at: int) -> tuple[object, int]:
        begun.append(at)
        return read(text, at)

    monkeypatch.setattr(loose, "decode", decode)
    with pytest.raises(answers.Unread):
        answers.parse(text, _Form)
    assert len(begun) <= 2_000


def test_what_was_asked_for_is_found_behind_a_bomb_and_before_a_few_more() -> None:
    text = "{" * 1_000 + '{"}' * 1_000 + '{"urgency": 3}' + "{a}" * 5_000 + '{"b":' * 900
    assert answers.parse(text, _Form) == _Form(3)


async def test_print_that_stands_for_more_is_cut_like_any_text() -> None:
    found = await Readers().read("a.docx", files.docx("\ufdfa" * (MAX_TEXT - 10) + "\ufb01"))
    assert (len(found.text), found.cut) == (MAX_TEXT, True)


class _Words(str):
    """Counts how often it is taken apart."""

    taken_apart = 0

    def split(self, *_: Any) -> list[str]:
        _Words.taken_apart += 1
        return super().split()


def test_a_record_that_repeats_itself_is_held_against_what_was_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Words, "taken_apart", 0)
    stance = '{"panelist": "Ada", "claim": "c1", "stance": "support", "quote": "%s"}'
    many = ", ".join(stance % number for number in range(1_000))
    written = f'{{"claims": [{{"claim": "c1", "text": "It holds."}}], "stances": [{many}]}}'
    table = transcript(
        *opened(), e.RoundStarted(round=1), *turn(1, "Ada"), *turn(2, "Ben"), *turn(3, "Ada", written)
    )
    table.turns[0].text = _Words(table.turns[0].text)
    table.turns[2].kind = kinds.STANCES
    assert [type(each) for each in reading.unwritten(table)] == [ClaimMade, StanceTaken]
    assert _Words.taken_apart == 1
