"""What may be put to one model: every mistake is named, and what vendors want to alternate does."""

from typing import Any

import msgspec
import pytest

from protocol.errors import Invalid
from protocol.messages import Message
from roundtable.tools.prompting import conversation

USER: dict[str, Any] = {"role": "user", "text": "Why?"}
SAID: dict[str, Any] = {"role": "assistant", "text": "Because."}
CALLS: dict[str, Any] = {
    "role": "assistant",
    "text": "",
    "calls": [{"id": "c1", "name": "look", "arguments": "{}"}],
}
TWO_CALLS = CALLS | {"calls": [*CALLS["calls"], {"id": "c2", "name": "look", "arguments": "{}"}]}
RESULT: dict[str, Any] = {"role": "tool", "text": "", "call": "c1"}


def messages(*plain: dict[str, Any]) -> tuple[Message, ...]:
    return msgspec.convert(plain, tuple[Message, ...])


def test_a_prompt_is_a_conversation_of_one() -> None:
    assert conversation("Why?", ()) == (Message("user", "Why?"),)


def test_runs_of_one_role_are_joined_and_nothing_else_is_changed() -> None:
    asked = conversation("", messages(USER, USER, SAID, CALLS, RESULT, SAID, USER))
    assert [message.role for message in asked] == ["user", "assistant", "tool", "assistant", "user"]
    assert asked[0].text == "Why?\n\nWhy?"
    assert (asked[1].text, asked[1].calls[0].name) == ("Because.", "look")


@pytest.mark.parametrize(
    ("plain", "field"),
    [
        ([], "prompt"),
        ([SAID, USER], "messages[0].role"),
        ([USER, SAID], "messages[1].role"),
        ([USER, USER | {"text": " \n"}], "messages[1].text"),
        ([USER, RESULT], "messages[1].call"),
        ([USER, CALLS, RESULT, RESULT], "messages[3].call"),
        ([USER, CALLS, USER], "messages[2]"),
        ([USER, CALLS], "messages[1].role"),
        ([USER, TWO_CALLS, RESULT], "messages[2]"),
        ([USER | {"calls": CALLS["calls"]}], "messages[0].calls"),
        ([USER | {"call": "c1"}], "messages[0].call"),
    ],
)  # fmt: skip
def test_every_mistake_is_named(plain: list[dict[str, Any]], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        conversation("", messages(*plain))
    assert refused.value.field == field


def test_a_prompt_beside_messages_is_one_too_many() -> None:
    with pytest.raises(Invalid) as refused:
        conversation("Why?", messages(USER))
    assert refused.value.field == "prompt"
