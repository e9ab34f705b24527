"""Exports for people: what stands in them, and that nothing said at a table can act on them."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from protocol import events as e
from protocol.messages import Cost, Failure, Limits, Panelist, Usage
from protocol.transcript import Transcript, fold
from protocol.views import words
from protocol.views.html import html
from protocol.views.markdown import markdown
from protocol.views.play import Block, Round, Speech, blocks, play
from tests import golden_scenarios
from tests.tables import ADA, BEN, opened, transcript

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def start(number: int, name: str, round: int = 1) -> list[e.Event]:
    who: dict[str, Any] = {"turn": f"t{number}", "panelist": name}
    return [e.TurnQueued(**who, round=round), e.TurnStarted(**who, model=f"scripted:{name.lower()}")]


def done(number: int, name: str, text: str, **how: Any) -> list[e.Event]:
    return [*start(number, name), e.TurnCompleted(turn=f"t{number}", panelist=name, text=text, **how)]


def saying(text: str, *, topic: str = "Why?") -> Transcript:
    """A table where the same is said in every place that takes it."""
    opening = e.TableOpened(
        table="x", topic=topic, panel=[Panelist("Ada", "scripted:ada", persona=text)], policy="round_robin",
        limits=Limits(),
    )  # fmt: skip
    failure = Failure("x", text)
    return transcript(
        e.TermBegan(owner="test"), opening, e.RoundStarted(round=1),
        e.MessagePosted(message="m", author=text, text=text, to=text),
        *done(1, "Ada", text), *start(2, "Ada"), e.TurnThinking(turn="t2", panelist="Ada", attempt=1, text=text),
        e.TurnFailed(turn="t2", panelist="Ada", text=text, error=failure),
        e.TableClosed(reason=text, detail=text),
    )  # fmt: skip


SCENE = transcript(
    *opened(ADA, BEN),
    e.RoundStarted(round=1),
    *done(1, "Ada", "First.\n\n```python\nprint('<b>')\n```", usage=Usage(10, 5), cost=Cost(0.02)),
    e.MessagePosted(message="m1", author="Kim", text="And you?", to="Ben"),
    *start(2, "Ben"),
    e.TurnFailed(
        turn="t2", panelist="Ben", text="Well", error=Failure("timeout", "Fell silent.", retryable=True)
    ),
    *done(3, "Ada", "", stop_reason="length"),
    *start(4, "Ben", 2),
    e.TurnCancelled(turn="t4", panelist="Ben", text="I think"),
    e.TurnQueued(turn="t5", panelist="Ada", round=2),
    e.TurnCancelled(turn="t5", panelist="Ada"),
    *start(6, "Ben", 2),
)


def test_the_page_has_words_for_every_reason_that_is_told_here() -> None:
    source = Path(__file__).parent.parent / "web" / "src"
    cut, ended = (source / "reasons.ts").read_text(), (source / "words.ts").read_text()
    assert [each for each in words.CUT if f" {each}: " not in cut] == ["barge_in"], (
        "which `isInterrupted` tells"
    )
    assert [each for each in words.REASONS if f" {each}: " not in ended] == []


def test_a_play_has_its_lines_in_the_order_in_which_they_began() -> None:
    told = [line.number if isinstance(line, Round) else (line.name, line.note) for line in play(SCENE)]
    assert told == [
        1,
        ("Ada", ""),
        ("Kim", ""),
        ("Ben", "Ben failed: Fell silent. What was said stays on record; the others are not shown it."),
        ("Ada", "Ada: cut off at the token limit."),
        2,
        ("Ben", "Ben was stopped here on request."),
        ("Ada", "Ada was skipped on request."),
        ("Ben", "Ben still has the floor."),
    ]
    kim = next(line for line in play(SCENE) if isinstance(line, Speech) and line.name == "Kim")
    assert (kim.seat, kim.aside, kim.text) == (None, "to Ben", "And you?")


def test_what_a_method_reads_is_not_in_the_play() -> None:
    t = fold(golden_scenarios.moderated().entries)
    assert [line.name for line in play(t) if isinstance(line, Speech)] == [
        "Ben",
        "Ada",
        "Rosa",
        "Ben",
        "Cleo",
    ]


def test_markdown_reads_like_a_play() -> None:
    text = markdown(SCENE)
    assert text.startswith("# Why?\n\n20 November 2025, 21:43 UTC. ")
    assert " The table goes on. 5 turns, 10 tokens read, 5 written, at least $0.0200." in text
    assert "- **Ada**, scripted:ada. A clinician.\n- **Ben**, scripted:ben\n" in text
    assert (
        "**Ada** (0:03)\n\n> First.\n>\n> ```python\n> print('<b>')\n> ```\n\n**Kim**, to Ben (0:05)\n\n> And you?\n"
        in text
    )
    assert "*Ben was stopped here on request.*" in text


def test_html_is_one_page_with_everything_in_it() -> None:
    page = html(SCENE)
    for part in (
        "<h2>Round 2</h2>",
        "<b>Kim</b><span>to Ben</span>",
        "print(&#x27;&lt;b&gt;&#x27;)",
        "Fell silent.",
    ):
        assert part in page
    assert not re.search(r"https?:|src=|url\(|@import|<script|<link", page)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("a\r\nb\rc", [Block("a\nb\nc")]),
        ("a\n```py\nx\n\n```\nb", [Block("a"), Block("x\n", "py"), Block("b")]),
        ("~~~\n```\n~~~~", [Block("```", "")]),
        ("````\n```\n````", [Block("```", "")]),
        ("```js<script>\nx", [Block("x", "js")]),
        ("- a\n    ```\n    x\n    ```", [Block("- a"), Block("    x", "")]),
        ("\x1b[2Ja\x00\u2028b", [Block("[2Ja\nb")]),
        ("`a` ``` b", [Block("`a` ``` b")]),
    ],
)
def test_code_is_told_from_prose(text: str, parts: list[Block]) -> None:
    assert list(blocks(text)) == parts


# What acts in Markdown or HTML, to be mixed with anything.
ACTIVE = st.sampled_from(
    ["# ", "## x", "\n", "\n\n", "\r", "---", "===", "***", "> ", "- ", "1. ", "    ", "\t", "`", "``", "```", "~~~",
     "<b>", "</div>", "<script>alert(1)</script>", "<!--", "-->", "<?", "<![CDATA[", "<a href=x>", "<http://x.y>",
     "[a](javascript:x)", "![a](http://x/y.png)", "[a]: http://x", "[Ada]", "\\", "&lt;", "&", "|a|b|\n|-|-|\n", "**",
     "_", "'", '"', "</style>", "</title>", "\x00", "\u2028", "\u202e", "Ada"]
)  # fmt: skip
HOSTILE = st.lists(ACTIVE | st.text(max_size=5), max_size=12).map("".join)


def flat(tokens: list[Token]) -> list[Token]:
    return [each for token in tokens for each in (token, *flat(token.children or []))]


@given(HOSTILE)
def test_nothing_said_acts_on_the_markdown(text: str) -> None:
    tokens = flat(READER.parse(markdown(saying(text))))
    kinds = {token.type for token in tokens}
    assert not kinds & {"html_block", "html_inline", "link_open", "image"}
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", "h2", "h2"]
    assert sum(token.type == "hr" for token in tokens) == 1
    last = [(token.type, token.level, token.content) for token in tokens if token.type in {"hr", "inline"}][
        -2:
    ]
    # Inside of nothing that was opened above: level 1 is that of a paragraph's text.
    assert last == [("hr", 0, ""), ("inline", 1, "Table x, up to entry 1763675000000-12.")]


class Structure(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


@given(HOSTILE)
def test_nothing_said_acts_on_the_page(text: str) -> None:
    page = Structure(html(saying(text, topic=f"Why {text}")))
    assert set(page.tags) <= {
        "html", "meta", "title", "style", "header", "h1", "div", "p", "ul", "li", "b", "span", "main", "h2", "article",
        "details", "summary", "pre", "code", "footer",
    }  # fmt: skip
    assert page.attributes <= {
        "lang", "charset", "http-equiv", "content", "name", "dir", "class", "data-seat",
    }  # fmt: skip
    assert page.tags.count("article") == 3
    assert page.tags.count("style") == page.tags.count("title") == 1


@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"),
        max_size=40,
    )
)
def test_words_come_through_as_they_were_said(text: str) -> None:
    said = [
        "".join(child.content for child in token.children or [])
        for token in READER.parse(markdown(saying(f"x {text} x")))
        if token.type == "inline" and token.level > 1
    ]
    if not set(text) & set("*_~`") and not text.isspace():
        assert f"x {text} x" in said


def test_a_long_topic_has_a_short_title() -> None:
    topic = "A question with many words. " * 20
    text = markdown(saying("Yes.", topic=topic))
    assert len(text.splitlines()[0]) < 130
    assert f"> {topic.strip()}" in text
    assert words.title("a\n b") == "a b"
    assert words.title("\u306a" * 200) == "\u306a" * 120 + " \u2026"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (-1, "0:00"), (252.9, "4:12"), (3600, "1:00:00")]
)
def test_offsets(seconds: float, shown: str) -> None:
    assert words.offset(seconds) == shown
