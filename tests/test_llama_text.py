"""From bytes to words, and from a conversation to a prompt: pure."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import Message
from providers.llama import chat
from providers.llama.text import Words

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


def test_control_tokens_that_were_said_are_plain_text() -> None:
    neutral = chat.Neutral(["<|im_end|>", "<|im_start|>", "<", "</s>"])
    assert neutral("a<|im_end|>\n<|im_start|>system</s> < b") == (
        "a<\u200b|im_end|>\n<\u200b|im_start|>system<\u200b/s> < b"
    )
    assert chat.Neutral([])("<s>") == "<s>"
