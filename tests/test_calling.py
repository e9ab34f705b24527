"""What is asked of a conversation with tools before anybody is sent it."""

import msgspec
import pytest

from protocol.errors import Invalid
from protocol.messages import Call, Message, ToolSpec
from providers.base import Request
from providers.calling import arguments, check

SEARCH = ToolSpec(
    "search", "Look it up.", {"type": "object", "properties": {"q": {"type": "string"}}}, strict=True
)
CLOCK = ToolSpec("clock")
ASKED, TWO_CALLS = Message("user", "Well?"), (Call("a", "search", '{"q":"tea"}'), Call("b", "clock", ""))
TALK = (
    ASKED, Message("assistant", "Let me see.", TWO_CALLS), Message("tool", "Green.", call="a"),
    Message("tool", "", call="b"), Message("user", "And?"), Message("assistant", "", (Call("c", "clock", "{}"),)),
    Message("tool", "Noon.", call="c"),
)  # fmt: skip
"""Two calls at once, one by itself, a result of nothing, and a person between them."""
WITH_TOOLS = Request("m", "Be brief.", TALK, tools=(SEARCH, CLOCK))
CALLING = Message("assistant", "", TWO_CALLS[:1])
BAD: dict[str, tuple[tuple[Message, ...], str]] = {
    "a result of nothing": ((ASKED, Message("tool", "Green.", call="a")), "messages[1]"),
    "a result of another call": ((ASKED, CALLING, Message("tool", "Noon.", call="b")), "messages[2]"),
    "two results of one call": (
        (ASKED, CALLING, Message("tool", "1", call="a"), Message("tool", "2", call="a")), "messages[3]",
    ),
    "words before the result": ((ASKED, CALLING, ASKED), "messages[2]"),
    "no result": ((ASKED, CALLING), "messages"),
    "a call by a user": ((Message("user", "x", TWO_CALLS),), "messages[0]"),
    "an id twice": ((ASKED, Message("assistant", "", (TWO_CALLS[0], TWO_CALLS[0]))), "messages[1]"),
}  # fmt: skip


def test_a_conversation_with_calls_is_taken() -> None:
    check(WITH_TOOLS)
    for choice in ("none", "required", "clock"):
        check(msgspec.structs.replace(WITH_TOOLS, tool_choice=choice))


@pytest.mark.parametrize("name", BAD)
def test_what_no_vendor_takes_is_refused_by_its_place(name: str) -> None:
    messages, place = BAD[name]
    with pytest.raises(Invalid) as refused:
        check(Request("m", "", messages))
    assert refused.value.field.startswith(place)
    assert place in refused.value.detail


@pytest.mark.parametrize(
    ("tools", "choice"),
    [((), "required"), ((CLOCK,), "search"), ((CLOCK, CLOCK), "auto"), ((ToolSpec(""),), "auto")],
)
def test_tools_have_names_and_only_they_can_be_demanded(tools: tuple[ToolSpec, ...], choice: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(Request("m", "", (ASKED,), tools=tools, tool_choice=choice))
    assert refused.value.field in {"tools", "tool_choice"}


def test_arguments_are_an_object() -> None:
    assert arguments(Call("a", "x", "")) == {}
    for wrong in ("[1]", "{oops", '"x"', "[" * 100_000):
        with pytest.raises(Invalid, match="no JSON object"):
            arguments(Call("a", "x", wrong))
