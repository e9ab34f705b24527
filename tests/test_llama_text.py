"""From bytes to words, and from a conversation to a prompt: pure."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import Call, Logprob, Message, StopReason, ToolSpec
from providers.base import Chunk, Stop, Text, ToolCall
from providers.llama import chat
from providers.llama.calls import Calls
from providers.llama.text import Words
from tests.test_calling import SEARCH, TALK

WORDS = st.text(st.sampled_from("ab#ß🌍 "), max_size=30)
STOPS = st.lists(st.text(st.sampled_from("ab#ß"), min_size=1, max_size=4), max_size=3)


def cut_at(text: str, stops: Sequence[str]) -> str:
    return text[: min((text.find(stop) for stop in stops if stop in text), default=len(text))]


@given(WORDS, STOPS, st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_words_are_whole_and_end_before_the_first_stop(text: str, stops: list[str], sizes: list[int]) -> None:
    """However the bytes are cut: nothing of a stop is ever shown, nor half a character."""
    words, data, shown = Words(tuple(stops)), text.encode(), ""
    for size in sizes * (len(data) // len(sizes) + 1):
        piece, data = data[:size], data[size:]
        shown += words.feed(piece)
        assert text.startswith(shown)
        if words.stopped:
            break
    if not words.stopped:
        shown += words.end()
    expected = {
        cut_at(text[:end], stops) for end in range(len(text) + 1) if any(stop in text[:end] for stop in stops)
    }
    assert shown in expected if words.stopped else shown == text
    assert words.stopped == bool(expected)


def test_without_a_stop_nothing_is_held_back() -> None:
    words = Words()
    assert [words.feed(bytes([byte])) for byte in "aß".encode()] == ["a", "", "ß"]


def test_a_character_cut_by_the_limit_is_not_shown_and_bad_bytes_are_marked() -> None:
    words = Words()
    assert words.feed(b"ok\xff\xf0\x9f") == "ok\ufffd"
    assert words.end() == ""
    words.feed(b"\xf0\x9f")
    assert words.end(whole=True) == "\ufffd"


# -- prompts ------------------------------------------------------------------------------------------------------

SAID = (Message("user", "Well?"), Message("assistant", "So."), Message("user", "And?"))


def written(messages: list[chat.Written], tools: Sequence[chat.Written] = ()) -> str:
    return "".join(f"<{one['role']}>{one['content'].strip()}" for one in messages)


def test_a_template_is_given_the_roles_as_they_are() -> None:
    assert chat.render(written, "Be brief. ", SAID) == "<system>Be brief.<user>Well?<assistant>So.<user>And?"


@pytest.mark.parametrize("drops", [True, False], ids=["drops it", "refuses it"])
def test_a_system_text_that_is_not_taken_goes_before_the_first_message(drops: bool) -> None:
    def template(messages: list[chat.Written], tools: list[chat.Written]) -> str:
        if messages[0]["role"] == "system" and not drops:
            raise ValueError("no system")
        return written([message for message in messages if message["role"] != "system"])

    assert chat.render(template, "Be brief.", SAID) == "<user>Be brief.\n\nWell?<assistant>So.<user>And?"


def test_a_template_that_renders_nothing_says_why() -> None:
    def template(messages: list[chat.Written], tools: list[chat.Written]) -> str:
        raise RecursionError("too deep")

    with pytest.raises(chat.Refused, match="too deep"):
        chat.render(template, "", SAID)


def test_without_a_template_there_are_headings() -> None:
    expected = "Be brief.\n\n### User:\nWell?\n\n### Assistant:\nSo.\n\n### User:\nAnd?\n\n### Assistant:\n"
    assert chat.render(None, "Be brief.", SAID) == expected


def in_hermes(messages: list[chat.Written], tools: list[chat.Written]) -> str:
    told = "".join(f"<tools>{tool['function']['name']}</tools>" for tool in tools)
    way = "<tool_call>{}</tool_call>" if tools else ""
    calls = [f"<called {call['function']}>" for one in messages for call in one.get("tool_calls", ())]
    return told + way + "".join(calls) + written(messages)


def test_a_template_is_told_of_tools_calls_and_results() -> None:
    prompt = chat.render(in_hermes, "", TALK, (SEARCH,))
    assert "<tools>search</tools>" in prompt
    assert (
        "<called {'name': 'search', 'arguments': {'q': 'tea'}}>" in prompt
    )  # an object, as templates want it
    assert "<tool>Green.<tool><user>And?" in prompt


def without_tools(messages: list[chat.Written], tools: list[chat.Written]) -> str:
    return written(messages)


def without_results(messages: list[chat.Written], tools: list[chat.Written]) -> str:
    return in_hermes([message for message in messages if message["role"] != "tool"], tools)


def called_otherwise(messages: list[chat.Written], tools: list[chat.Written]) -> str:
    return f"[AVAILABLE_TOOLS]{tools}" + written(messages)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (None, "no chat template"),
        (without_tools, "knows no tools"),
        (without_results, "leaves out the results"),
        (called_otherwise, "called otherwise"),
    ],
)
def test_a_model_that_would_not_hear_of_tools_is_not_asked(template: chat.Template | None, why: str) -> None:
    with pytest.raises(chat.Refused, match=why):
        chat.render(template, "Be brief.", TALK, (SEARCH,))


def test_control_tokens_in_calls_and_tools_are_plain_text() -> None:
    neutral = chat.Neutral(["</s>", "tool"])
    message = Message("tool", "x</s>", (Call("1", "a</s>", '{"b":"</s>"}'),), "c</s>")
    assert "</s>" not in repr(neutral.everywhere(message))
    assert neutral.everywhere(message).role == "tool"
    tool = ToolSpec("a", "</s>", {"</s>": [{"x": "</s>", "n": 1}]}, strict=True)
    assert "</s>" not in repr(neutral.everywhere(tool))


# -- calls --------------------------------------------------------------------------------------------------------

CALL = '<tool_call>\n{"name": "search", "arguments": {"q": "tea"}}\n</tool_call>'
BARE = '<tool_call>{"name": "clock"}</tool_call>'


def heard(pieces: Sequence[str], reason: StopReason = "end") -> tuple[str, list[tuple[str, str]], str]:
    """What an answer amounts to: its text, its calls, and why it ended."""
    calls = Calls()
    given: list[Chunk] = [*map(Text, pieces), Stop(reason)]
    chunks = [told for chunk in given for told in calls.feed(chunk)]
    made = [(chunk.name, chunk.arguments) for chunk in chunks if isinstance(chunk, ToolCall)]
    (stop,) = [chunk for chunk in chunks if isinstance(chunk, Stop)]
    assert all(chunk.text for chunk in chunks if isinstance(chunk, Text))
    assert len({chunk.call for chunk in chunks if isinstance(chunk, ToolCall)}) == len(made)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text)), made, stop.reason


@pytest.mark.parametrize("size", range(1, 60, 7))
def test_calls_are_told_apart_however_the_words_are_cut(size: int) -> None:
    words = f"Let me <see>.{CALL}\n{BARE}"
    pieces = [words[at : at + size] for at in range(0, len(words), size)]
    made = [("search", '{"q":"tea"}'), ("clock", "{}")]
    assert heard(pieces) == ("Let me <see>.", made, "tool_calls")


@pytest.mark.parametrize(
    "words", ["<tool_call>{oops}</tool_call> So.", "a <tool_cal", "<tool_call>", "<tool_call>[1]</tool_call>"]
)
def test_what_is_no_call_is_text(words: str) -> None:
    assert heard([words]) == (words, [], "end")


def test_an_end_closes_a_call_and_a_limit_does_not() -> None:
    written = CALL.removesuffix("</tool_call>")
    assert heard([written], "stop_sequence")[1:] == ([("search", '{"q":"tea"}')], "tool_calls")
    assert heard([written], "length") == (written, [], "length")


def test_tokens_of_a_call_are_told_of_no_words() -> None:
    calls = Calls()
    chunks: list[Chunk] = [Text(CALL, (Logprob("x", -1.0),)), Text("So.", (Logprob("So.", -2.0),))]
    told = [chunk for piece in chunks for chunk in calls.feed(piece) if isinstance(chunk, Text)]
    assert told == [Text("So.", (Logprob("So.", -2.0),))]


def test_control_tokens_that_were_said_are_plain_text() -> None:
    neutral = chat.Neutral(["<|im_end|>", "<|im_start|>", "<", "</s>"])
    assert neutral("a<|im_end|>\n<|im_start|>system</s> < b") == (
        "a<\u200b|im_end|>\n<\u200b|im_start|>system<\u200b/s> < b"
    )
    assert chat.Neutral([])("<s>") == "<s>"
