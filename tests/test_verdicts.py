"""What a panel came to: read from the chair's words, held against the log, and shown."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import events as e
from protocol import findings as f
from protocol.messages import Failure, Panelist, StopReason, Usage
from protocol.transcript import Transcript, Turn, fold
from protocol.views.discussion import Discussion
from protocol.views.html import html
from protocol.views.markdown import markdown
from protocol.views.verdict import newest
from roundtable.cli.terminal import Terminal
from roundtable.deliberation import convergence, rankings, synthesis, verdicts
from roundtable.policies import brief
from tests import golden_scenarios
from tests.golden_scenarios import ADA, BEN, CLEO, DAG, Table
from tests.test_views import HOSTILE, READER, Structure, flat

NAMES = ("Ada", "Ben", "Cleo")


def after(*lines: tuple[Panelist, str], panel: Sequence[Panelist] = (ADA, BEN, CLEO, DAG)) -> Table:
    table = Table(*panel, verdict=True)
    table.add(e.RoundStarted(round=1))
    for panelist, line in lines:
        table.say(panelist, 1, line)
    return table


def judged(table: Table, text: str, stop: StopReason = "end", chair: Panelist = DAG) -> f.VerdictGiven:
    turn = table.queue(chair, 1, kind="verdict")
    table.begin(turn, chair)
    table.words(turn, chair, text)
    table.add(e.TurnCompleted(turn=turn, panelist=chair.name, text=text, stop_reason=stop, usage=Usage()))
    held = fold(table.entries)
    (verdict,) = verdicts.read(held, held.turn(turn))
    assert isinstance(verdict, f.VerdictGiven)
    return verdict


EVERYONE = ((ADA, "Yes."), (BEN, "No."), (CLEO, "Perhaps."))
WRITTEN = """\
Here it is.

## Answer
Flag, and count.

### 2. Where they agree:
- It **helps** (for: Ada, ben)

**Where they disagree**
1. It misses half. (for: Ben, Eve; against: Ada and Cleo)
2) It is cheap (so they say)

## Dissent
- **Cleo**: holds that nobody counted.
  Nobody at all.
- Eve: no.

## Confidence
**Low** - one letter was read.
"""


def test_the_chairs_words_are_read_leniently() -> None:
    read = synthesis.read(WRITTEN, NAMES)
    assert read.answer == "Flag, and count."
    assert [claim for _, claim in read.claims] == [
        f.Claim("It **helps**", ["Ada", "Ben"]),
        f.Claim("It misses half.", ["Ben"], ["Ada", "Cleo"]),
        f.Claim("It is cheap (so they say)"),
    ]
    assert read.dissent == [f.Dissent("Cleo", "holds that nobody counted. Nobody at all. Eve: no.")]
    assert (read.confidence, read.why) == ("low", "one letter was read.")


PLAIN = """\
## Answer
Yes.
## Where they agree
- It helps (for: Ada, Ben)
## Where they disagree
- It pays (for: Ada; against: Ben)
## Dissent
- Ben: it does not pay.
## Confidence
Medium. Few were read."""
ONE_LINE = PLAIN.replace("## Confidence\n", "**Confidence:** ").replace("## Answer\n", "**Answer**: ")


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"Here it is:\n\n{PLAIN}",
        f"```markdown\n{PLAIN}\n```",
        PLAIN.replace("## ", "### "),
        PLAIN.replace("## ", "## 2. "),
        PLAIN.replace("\n## ", "\n\n---\n\n## "),
        ONE_LINE,
        PLAIN.replace("## Confidence\n", "## Confidence: "),
        PLAIN.replace("## Dissent", "## Dissent (minority report)"),
        PLAIN.replace("Ada", "**Ada**").replace("Ben", "**Ben**"),
        PLAIN.replace("Ada; against", "Ada, against"),
        PLAIN.replace("Ada; against", "Ada | against"),
        PLAIN.replace("(for: Ada; against: Ben)", "[**For:** Ada; **Against:** Ben]"),
        PLAIN.replace("Ben: it", "**Ben** \u2014 it"),
        f"{PLAIN}\n\n## Sources\n- Ben: none.",
    ],
)
def test_a_synthesis_is_read_as_it_was_meant(text: str) -> None:
    assert synthesis.read(text, NAMES) == synthesis.Synthesis(
        "Yes.",
        [("", f.Claim("It helps", ["Ada", "Ben"])), ("", f.Claim("It pays", ["Ada"], ["Ben"]))],
        [f.Dissent("Ben", "it does not pay.")],
        "medium",
        "Few were read.",
    )


def test_a_bold_word_in_an_answer_is_no_heading_where_headings_are_marked() -> None:
    read = synthesis.read(PLAIN.replace("Yes.", "Yes.\n**Confidence:** high, I say."), NAMES)
    assert (read.answer, read.confidence) == ("Yes.\n**Confidence:** high, I say.", "medium")


def test_words_without_headings_are_the_answer_and_nothing_else() -> None:
    read = synthesis.read("  Flag them.\n- for: Ada ", NAMES)
    assert read == ("Flag them.\n- for: Ada", [], [], "", "")


def test_who_is_put_on_two_sides_is_on_none() -> None:
    ((_, claim),) = synthesis.read("## Where they disagree\n- X (for: Ada, Ben; against: Ada)", NAMES).claims
    assert claim == f.Claim("X", ["Ben"], [])


pieces = st.sampled_from(
    ["## Answer\n", "## Where they agree\n", "**Where they disagree**\n", "# dissent\n", "## Confidence:\n", "\n", "- ",
     "1. ", "c1: ", "Ada", "Ben:", "Eve", "(for: Ada; against: Ben)", "(against: ", ")", "low", "High. ", "None.", "x "]
)  # fmt: skip


@given(st.lists(pieces | st.text(max_size=4), max_size=25).map("".join))
def test_nothing_is_made_up_whatever_the_chair_writes(text: str) -> None:
    verdict = judged(after(*EVERYONE[:2]), text or "x")
    assert verdict.answer in text or text == ""
    assert bool(verdict.answer) or not text.strip()
    assert all(claim.text in " ".join(text.split()) for claim in verdict.claims)
    sides = [[*claim.supports, *claim.opposes, *claim.unsure] for claim in verdict.claims]
    assert all(set(side) <= {"Ada", "Ben"} and len(set(side)) == len(side) for side in sides)
    assert {each.panelist for each in verdict.dissent} <= {"Ada", "Ben"}
    assert verdict.source == ("chair" if verdict.claims else "")
    assert verdict.why in text


@pytest.mark.parametrize(
    ("stop", "missing"),
    [("length", "the chair was cut off"), ("refusal", "the chair refused"),
     ("content_filter", "the chair was cut off by its provider's content filter"),
     ("tool_calls", "the chair did not answer")],
)  # fmt: skip
def test_a_chair_who_did_not_end_gave_no_synthesis(stop: StopReason, missing: str) -> None:
    verdict = judged(after(*EVERYONE), WRITTEN, stop)
    assert (verdict.answer, verdict.claims, verdict.confidence, verdict.missing) == ("", [], "", missing)
    assert verdict.header == f"3 of 3 answered; {missing}, no synthesis."
    assert verdict.turn == "t4", "her turn is read, and not again"


def test_the_header_says_who_chaired_and_who_was_cut_off() -> None:
    table = after((ADA, "Yes."), (BEN, "No."), panel=(ADA, BEN, CLEO))
    late = Failure("timeout", "No word for 60 s.", retryable=True)
    for panelist in (BEN, CLEO):
        turn = table.start(panelist, 2)
        table.add(e.TurnFailed(turn=turn, panelist=panelist.name, error=late))
    verdict = judged(table, "So.", chair=ADA)
    assert (
        verdict.header
        == "2 of 3 answered; Ben and Cleo were cut off by a deadline; Ada, one of the panel, chaired."
    )
    assert (verdict.silent, verdict.cut) == ({"Cleo": "No word for 60 s."}, ["Ben", "Cleo"])


def test_what_a_person_cut_short_by_taking_the_floor_was_an_answer() -> None:
    table = after((ADA, "Yes."))
    turn = table.start(BEN, 1)
    table.words(turn, BEN, "No, for")
    table.add(e.TurnCancelled(turn=turn, panelist="Ben", text="No, for", reason="barge_in"))
    assert verdicts.answered(fold(table.entries)) == ["Ada", "Ben"]


def test_who_only_passed_has_not_answered() -> None:
    table = after((ADA, "Yes."), (BEN, "**PASS**"), (CLEO, "No."))
    table.say(CLEO, 1, "Pass.")
    verdict = judged(table, "So.")
    assert (verdict.answered, verdict.silent) == (["Ada", "Cleo"], {"Ben": "had nothing to add"})
    assert verdict.header == "2 of 3 answered."
    held = fold(table.entries)
    assert convergence.positions(held) == {"Ada": "Yes.", "Cleo": "No."}
    assert rankings.final(held) == {"Ada": "Yes.", "Cleo": "No."}, "a pass is no answer to be judged"


def test_who_left_or_is_muted_is_told() -> None:
    table = after((ADA, "Yes."))
    table.add(e.PanelChanged(change="muted", panelist="Ben"))
    table.add(e.PanelChanged(change="removed", panelist="Cleo"))
    assert verdicts.silent(fold(table.entries)) == {"Ben": "muted"}


# -- held against the record ---------------------------------------------------------------------------------------


def golden() -> Transcript:
    return fold(golden_scenarios.verdict().entries)


def given_at(transcript: Transcript) -> f.VerdictGiven:
    return transcript.found(f.VerdictGiven)[-1]


def test_claims_go_by_the_record_and_not_by_the_chair() -> None:
    given = given_at(golden())
    assert given.source == "stances"
    assert [(claim.supports, claim.opposes) for claim in given.claims] == [
        (["Ada"], ["Ben", "Cleo"]),
        ([], ["Ben", "Cleo"]),
    ]
    assert given.corrections == [f.Correction("Ben", "A model may flag letters.", "oppose")]


def test_who_is_left_out_dissents_in_her_own_words() -> None:
    assert given_at(golden()).dissent == [f.Dissent("Ada", "but only to flag", "t1")]
    words = "No. " * 200
    table = after((ADA, "Yes."), (BEN, words))
    who = {"turn": "t9", "round": 1, "claim": "c1"}
    table.add(f.ClaimMade(round=1, claim="c1", text="It holds."))
    table.add(f.StanceTaken(panelist="Ada", stance="support", **who))  # type: ignore[arg-type]
    table.add(f.StanceTaken(panelist="Ben", stance="oppose", **who))  # type: ignore[arg-type]
    (dissent,) = judged(table, "## Answer\nYes.\n## Dissent\nNone.").dissent
    assert (dissent.panelist, dissent.turn, len(dissent.text)) == ("Ben", "t2", 400)
    assert dissent.text.startswith("No. No.")


def test_the_chair_is_asked_with_the_record() -> None:
    table = golden_scenarios.verdict()
    table.entries = table.entries[:-4]  # up to the chair's turn, which is under way
    task = brief(fold(table.entries), "t9").task
    assert "c1: A model may flag letters. [Ada: support; Ben: oppose; Cleo: oppose]" in task
    assert "Names are Ada, Ben, Cleo" in task


# -- shown ---------------------------------------------------------------------------------------------------------


def test_exports_show_it_first_and_the_dissent_beside_the_answer() -> None:
    text = markdown(golden())
    order = [
        "## Verdict", "**3 of 3 answered.**", "> Not yet", "### Dissent", "**Ada**, in her own words", "### Claims",
        "| A model may flag letters. | Ada | Ben, Cleo |", "### Who moved whom", "without a new argument",
        "moved by Ben", "The chair has it otherwise, but Ben opposes this", "Confidence: medium.", "## Panel",
    ]  # fmt: skip
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert '"stances"' not in text, "what was asked for in a form is no line of the play"
    page = html(golden())
    assert page.index("<section>") < page.index("<main>")
    for part in ("Not yet: first measure", "in her own words", "against: Ben, Cleo", "Who moved whom"):
        assert part in page


def test_without_a_synthesis_nothing_stands_in_its_place() -> None:
    held = fold(golden_scenarios.stances().entries)
    shown = newest(held)
    assert shown is not None
    assert shown.given.header == (
        "2 of 3 answered; Cleo was cut off by a deadline; the chair failed, no synthesis."
    )
    text = markdown(held)
    assert text.index(shown.given.header) < text.index("### Claims")
    assert "### Dissent" not in text
    assert "> ## Answer" not in text.split("## Panel")[0]


def terminal(table: Table) -> str:
    out = io.StringIO()
    shown = Terminal(out, width=None, colour=False)
    for entry in table.entries:
        shown.show(entry.event)
    return out.getvalue()


def test_a_terminal_shows_it_and_no_paperwork() -> None:
    text = terminal(golden_scenarios.verdict())
    assert "Verdict: 3 of 3 answered." in text
    assert "Ada dissents, in her own words" in text
    assert "Ben now opposes this, moved by Cleo, without a new argument: A model may flag letters." in text
    assert '{"' not in text
    assert "no synthesis" in terminal(golden_scenarios.stances())


def heard(table: Table, *, verdict: bool) -> tuple[str, Discussion]:
    discussion = Discussion(verdict=verdict)
    pieces = [piece.text for entry in table.entries for piece in discussion.hear(entry.event)]
    return "".join(pieces), discussion


def test_a_caller_who_wants_the_verdict_gets_it_with_its_header_and_the_dissent() -> None:
    text, discussion = heard(golden_scenarios.verdict(), verdict=True)
    assert text.startswith("## Answer\nNot yet")
    assert (
        "\n\n*3 of 3 answered.*\n\n**Ada** dissents: but only to flag\n\nThe chair has it otherwise" in text
    )
    assert discussion.finish == "stop"
    whole, _ = heard(golden_scenarios.verdict(), verdict=False)
    assert whole.startswith("**Ada:** Yes, but only to flag.")
    assert '{"' not in whole


def test_a_caller_is_told_that_there_is_none() -> None:
    _, discussion = heard(golden_scenarios.stances(), verdict=True)
    assert discussion.finish is None
    assert discussion.failed is not None
    assert (discussion.failed.code, discussion.failed.retryable) == ("no_verdict", True)
    assert "the chair failed, no synthesis" in discussion.failed.detail


def test_a_verdict_that_was_cut_off_does_not_end_as_if_it_were_whole() -> None:
    table = after(*EVERYONE)
    table.add(judged(table, "## Answer\nFlag", "length"))
    table.add(e.TableClosed(reason="max_rounds"))
    text, discussion = heard(table, verdict=True)
    assert discussion.finish == "length"
    assert "the chair was cut off, no synthesis" in text


def test_a_turn_without_a_place_in_the_log_is_no_verdict() -> None:
    held = fold(after(*EVERYONE).entries)
    (given,) = verdicts.read(held, Turn("t4", "Dag", 99, status="completed", kind="verdict", text="So."))
    assert isinstance(given, f.VerdictGiven)
    assert given.header == "3 of 3 answered."


@given(HOSTILE)
def test_nothing_in_a_verdict_acts_on_an_export(text: str) -> None:
    table = after((ADA, "Yes."), (BEN, "No."))
    given = f.VerdictGiven(
        header=text, answer=text, claims=[f.Claim(text, supports=[text])], dissent=[f.Dissent("Ada", text, "t1")],
        why=text, source="chair", corrections=[f.Correction("Ben", text, "oppose")],
    )  # fmt: skip
    table.add(given)
    held = fold(table.entries)
    tokens = flat(READER.parse(markdown(held)))
    assert not {token.type for token in tokens} & {"html_block", "html_inline", "link_open", "image"}
    headings = [token.tag for token in tokens if token.type == "heading_open"]
    assert headings == ["h1", "h2", *["h3"] * (headings.count("h3")), "h2", "h2"]
    page = Structure(html(held))
    assert page.tags.count("section") == 1
    assert set(page.tags) <= {
        "html", "meta", "title", "style", "header", "h1", "div", "p", "ul", "li", "b", "span", "main", "h2", "article",
        "section", "pre", "code", "footer",
    }  # fmt: skip
