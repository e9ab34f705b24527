"""The key does not come back: not in sentences, and not in what a model says, however it is cut."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.messages import Logprob, TopLogprob
from providers.base import Chunk, Text, Thinking, ToolCall
from providers.secrecy import KEY_LENGTH, MARK, PART, Scrubber, Secret

KEY = "sk-proj-a1B2c3D4e5F6g7H8i9J0"
# Few letters, so that words often look like the key, and the key like itself.
keys = st.text("ab", min_size=KEY_LENGTH, max_size=20)


def cut(words: str, at: list[int]) -> list[str]:
    edges = [0, *sorted({place % (len(words) + 1) for place in at}), len(words)]
    return [words[start:end] for start, end in pairwise(edges) if start < end]


def pass_on(key: str, chunks: list[Chunk]) -> list[Chunk]:
    scrubber = Scrubber(key)
    return [*scrubber.chunks(chunks), *scrubber.rest()]


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text))


@st.composite
def spoken(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A key, and words that may hold it, its beginning and its end."""
    key = draw(keys)
    part = st.one_of(
        st.just(key),
        st.integers(1, len(key)).map(lambda n: key[:n]),
        st.integers(1, len(key)).map(lambda n: key[-n:]),
        st.text("abc", max_size=5),
    )
    words = "".join(draw(st.lists(part, max_size=5)))
    return key, cut(words, draw(st.lists(st.integers(0, 200), max_size=20)))


@given(spoken())
@example(("a" * KEY_LENGTH, ["a"] * (3 * KEY_LENGTH + 2)))
def test_the_key_is_taken_out_and_nothing_else(case: tuple[str, list[str]]) -> None:
    key, pieces = case
    heard = text(pass_on(key, [Text(piece) for piece in pieces]))
    assert key not in heard
    # Of each key, what was shown before it was known for one may stay.
    *whole, last = "".join(pieces).split(key)
    for words in whole:
        assert heard.startswith(words)
        shown, _, heard = heard.removeprefix(words).partition(MARK)
        assert len(shown) < PART
        assert key.startswith(shown)
    assert heard == last


def test_every_split_of_a_key_in_words() -> None:
    words = f"The key is {KEY}, and {KEY[:12]} is not."
    for first in range(len(words)):
        for second in range(first, len(words)):
            pieces = [Text(piece) for piece in cut(words, [first, second])]
            heard = text(pass_on(KEY, [*pieces]))
            assert KEY[PART - 1 :] not in heard
            assert heard.endswith(f"{MARK}, and {KEY[:12]} is not.")


@pytest.mark.parametrize("words", ["plain words", "ends in s", "ends in sk-proj", "sk-projection"])
def test_words_are_not_delayed(words: str) -> None:
    assert list(Scrubber(KEY).chunks([Text(words)])) == [Text(words)]


def test_what_may_still_become_the_key_waits() -> None:
    scrubber = Scrubber(KEY)
    assert list(scrubber.chunks([Text("so " + KEY[:20])])) == [Text("so " + KEY[: PART - 1])]
    assert list(scrubber.chunks([Text(".")])) == [Text(KEY[PART - 1 : 20] + ".")]


def test_voices_are_read_apart() -> None:
    half = len(KEY) // 2
    chunks: list[Chunk] = [
        Text(KEY[:half]), Thinking(KEY[:half]), ToolCall("a", "f", KEY[:half]), ToolCall("b", "g"),
        ToolCall("a", "", KEY[half:]), Text(KEY[half:]),
    ]  # fmt: skip
    start, rest = KEY[: PART - 1], KEY[PART - 1 : half]
    assert pass_on(KEY, chunks) == [
        Text(start), Thinking(start), ToolCall("a", "f", start), ToolCall("b", "g"),
        ToolCall("a", "", MARK), Text(MARK), Thinking(rest),
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["", "ollama", "x" * (KEY_LENGTH - 1)])
def test_a_word_instead_of_a_key_may_be_said(key: str) -> None:
    assert Secret(key).scrubber() is None


def told(chunks: list[Chunk]) -> list[Logprob]:
    return [token for chunk in chunks if isinstance(chunk, Text) for token in chunk.logprobs]


@given(spoken())
def test_tokens_never_spell_the_key_and_all_others_are_told(case: tuple[str, list[str]]) -> None:
    key, pieces = case
    chunks: list[Chunk] = [Text(piece, (Logprob(piece, -1.0),)) for piece in pieces]
    spelt = "".join(token.token for token in told(pass_on(key, chunks)))
    assert key not in spelt
    if not any(part in "".join(pieces) for part in {key[at : at + PART] for at in range(len(key))}):
        assert spelt == "".join(pieces)


def test_tokens_that_might_have_been_said_do_not_spell_it_either() -> None:
    likely = (TopLogprob("Hi", -1.0), TopLogprob(KEY[4:], -2.0), TopLogprob("?", -3.0, list(KEY.encode())))
    (token,) = told(pass_on(KEY, [Text("Hello", (Logprob("Hello", -1.0, None, likely),))]))
    assert token.top_logprobs == likely[:1]
    assert told(pass_on(KEY, [Text("Hello", (Logprob("Hello", -1.0, list(KEY.encode())),))])) == []
