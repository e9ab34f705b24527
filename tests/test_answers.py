"""What real models write when they are asked for a form: read where it is clear what is meant, and else not."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import findings as f
from protocol.codec import encode
from protocol.transcript import Transcript, Turn, fold
from roundtable.deliberation import answers, bids, choices, loose, rankings, stances, votes
from roundtable.deliberation.answers import Unread
from tests.golden_scenarios import ADA, BEN, CLEO, Table

FENCED = 'Sure! Here is my answer:\n\n```json\n{"a": 1}\n```\nLet me know.'


def object_in(text: str) -> Any:
    return answers.parse(text, dict[str, object])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (FENCED, {"a": 1}),
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,], "b": {},}', {"a": [1, 2], "b": {}}),
        ("{'a': 'it\\'s \"so\"', 'b': None, 'c': True}", {"a": "it's \"so\"", "b": None, "c": True}),
        ('{a: "x", b_2: false}', {"a": "x", "b_2": False}),
        ('{“a”: „x“, "b": “y”}', {"a": "x", "b": "y"}),
        ('{"a": "one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}),
        ('{\n  "a": 1, // the first\n  "b": 2  # and the second\n}', {"a": 1, "b": 2}),
        ('{"a": "\\u00e9 \\n \\" // no comment # either"}', {"a": 'é \n " // no comment # either'}),
        ('First {"a": 1}, no: {"a": 2}', {"a": 2}),
        ('<think>{"a": 1}?</think>{"a": 2}', {"a": 2}),
        ('Of {these} I take {"a": -2.5}.', {"a": -2.5}),
    ],
)  # fmt: skip
def test_an_object_is_read_as_it_was_meant(text: str, meant: object) -> None:
    assert object_in(text) == meant


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("I would rather not.", "no JSON object"),
        ('{"a": "x", "b": "cut o', "cannot be read"),
        ('{"a": [1, 2', "ends too early"),
        ("{'a': 'it's'}", "A comma is missing before 's'"),
        ('{"a": "she said "no" to it"}', "A comma is missing before 'no'"),
        ('{"a": }', "is no value"),
        ('{"a": maybe}', "is no value"),
        ('{"a" 1}', "is no key"),
        ('{"a": "\\ud800"}', "surrogates"),
        ('{"a": NaN}', "is no value"),
        ("{" * 500, "no JSON object"),
    ],
)
def test_what_would_have_to_be_guessed_is_not(text: str, wrong: str) -> None:
    with pytest.raises(Unread, match=wrong):
        object_in(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=4), st.text(max_size=20))
def test_json_is_read_as_json(value: dict[str, object], behind: str) -> None:
    text = encode(value).decode()
    try:
        assert loose.decode(text + behind, 0) == (value, len(text))
    except loose.Slip:
        assert max(map(text.count, "{[")) > 4, "deeper than anything that is asked for"


@given(st.text(alphabet="{}[]\":,'#/\\a1 \n“”", max_size=60))
def test_anything_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Unread):
        assert isinstance(answers.parse(text, dict[str, object]), dict)


@pytest.mark.parametrize("text", ["{", '{"a":[', "{'", "{#", '{"a":1,', '{"\\'])
def test_brackets_and_nothing_else_do_not_take_hours(text: str) -> None:
    with pytest.raises(Unread):
        object_in(text * (100_000 // len(text)))


# -- by kind -----------------------------------------------------------------------------------------------------


def heard(*lines: str) -> Transcript:
    table = Table(ADA, BEN, CLEO)
    for panelist, line in zip((ADA, BEN, CLEO), lines, strict=False):
        table.say(panelist, 1, line)
    return fold(table.entries)


SAID = heard("It helps.", "It does harm.")


def asked(kind: str, text: str) -> Turn:
    return Turn("t9", "Ada", 99, status="completed", kind=kind, round=1, text=text)


@pytest.mark.parametrize(
    ("text", "urgency", "about"),
    [
        ('{"urgency": 7, "about": "the tail"}', 7, "the tail"),
        ('{"urgency": "8/10", "about": "the tail"}', 8, "the tail"),
        ('{"urgency": "7 out of 10", "about": null}', 7, ""),
        ("```json\n{'urgency': 6, 'about': 'Ben\\'s rate',}\n```", 6, "Ben's rate"),
        ('{"urgency": 5, "about": ["cost", "harm"], "confidence": 0.9}', 5, "cost; harm"),
        ('{"bid": {"urgency": 4, "about": "x"}}', 4, "x"),
        ('{"urgency": 3, "about": {"why": "x"}}', 3, ""),
        ("8/10", 8, ""),
        (" 7.\n", 7, ""),
        ("**PASS**", 0, ""),
    ],
)
def test_bids(text: str, urgency: int, about: str) -> None:
    (bid,) = bids.read(SAID, asked("bid", text))
    assert isinstance(bid, f.BidMade)
    assert (bid.urgency, bid.about) == (urgency, about)


@pytest.mark.parametrize(
    "text",
    ["high", "I bid 7.", '{"dringlichkeit": 7}', '{"urgency": "high"}', '{"urgency": true}', '{"urgency": [7]}',
     "2026"],
)  # fmt: skip
def test_what_is_no_bid(text: str) -> None:
    with pytest.raises(Unread):
        bids.read(SAID, asked("bid", text))


@pytest.mark.parametrize(
    ("text", "speaker", "question"),
    [
        ('{"speaker": "Cleo", "question": "Who pays?", "reason": "silent"}', "Cleo", "Who pays?"),
        ('{"speaker": "**cleo**", "question": "Who\npays?",}', "Cleo", "Who pays?"),
        ('{"speaker": "Cleo (a nurse)", "question": ["Who pays?", "How?"]}', "Cleo", "Who pays?; How?"),
        ('{"speaker": ["Cleo"], "question": null}', "Cleo", ""),
        ('{"choice": {"speaker": "Cleo"}}', "Cleo", ""),
        ("{'speaker': None, 'reason': 'said'}", "", ""),
        ('{"speaker": "none"}', "", ""),
        ("Cleo", "Cleo", ""),
        ("**Cleo.**", "Cleo", ""),
    ],
)
def test_choices(text: str, speaker: str, question: str) -> None:
    (choice,) = choices.read(SAID, asked("moderation", text))
    assert isinstance(choice, f.SpeakerChosen)
    assert (choice.speaker, choice.question) == (speaker, question)


@pytest.mark.parametrize(
    "text",
    ["Cleo or Ada.", "Ben", '{"speaker": ["Cleo", "Ada"]}', '{"speaker": "Cleo or Ada"}', '{"next": "Cleo"}',
     '{"speaker": {"name": "Cleo"}}', '{"speaker": "Cl"}', '{"speaker": 3}'],
)  # fmt: skip
def test_what_is_no_choice(text: str) -> None:
    with pytest.raises(Unread):
        choices.read(SAID, asked("moderation", text))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ('{"vote": "for", "reason": "It helps."}', "for"),
        ("{'vote': 'Against', 'reason': ['a', 'b']}", "against"),
        ('{"vote": "**FOR** (with doubts)"}', "for"),
        ('{"vote": "in favour"}', "for"),
        ('{"vote": "No"}', "against"),
        ('{"vote": "abstain", "reason": null}', "undecided"),
        ("against.", "against"),
    ],
)
def test_votes(text: str, choice: str) -> None:
    (vote,) = votes.read(SAID, asked("vote", text))
    assert isinstance(vote, f.VoteCast)
    assert vote.choice == choice


@pytest.mark.parametrize(
    "text",
    ['{"vote": "for | against"}', '{"vote": "rather for"}', '{"vote": "dafür"}', '{"vote": 1}', "I am for it.",
     '{"for": 1}'],
)  # fmt: skip
def test_what_is_no_vote(text: str) -> None:
    with pytest.raises(Unread):
        votes.read(SAID, asked("vote", text))


@pytest.mark.parametrize(
    ("text", "ranking"),
    [
        ('{"ranking": ["Answer B", "Answer A", "Answer C"],}', "BAC"),
        ('{"ranking": ["1. Answer B", "2. Answer A"]}', "BA"),
        ('{"ranking": ["**B**", "a", "C."]}', "BAC"),
        ('{"ranking": ["Antwort B", "Antwort A"]}', "BA"),
        ('{"ranking": [{"answer": "Answer C", "why": "x"}, {"answer": "Answer A"}]}', "CA"),
        ('{"ranking": ["Answer C: clear", "Answer A (vague)"]}', "CA"),
        ("```\n{\"result\": {\"ranking\": ['Answer A', 'Answer B']}}\n```", "AB"),
    ],
)
def test_rankings(text: str, ranking: str) -> None:
    assert rankings.read(text, "ABC") == list(ranking)


@pytest.mark.parametrize(
    "text",
    ["Answer B > Answer A", '{"ranking": {"Answer A": 2, "Answer B": 1}}', '{"ranking": ["I think B", "A"]}',
     '{"ranking": ["is a mess", "B"]}', '{"ranking": ["Answer B, Answer A"]}', '{"ranking": ["2", "1"]}'],
)  # fmt: skip
def test_what_is_no_ranking(text: str) -> None:
    with pytest.raises(Unread):
        rankings.read(text, "ABC")


def stood(text: str) -> list[tuple[str, str, str]]:
    found = stances.read(SAID, asked("stances", text))
    return [(each.panelist, each.claim, each.stance) for each in found if isinstance(each, f.StanceTaken)]


ONE = '"claims": [{"claim": "c1", "text": "It helps.", "by": "Ada"}]'
HERS = '{"panelist": "Ada", "claim": "c1", "stance": "support"}'
HIS = '{"panelist": "Ben", "claim": "c1", "stance": "oppose"}'


@pytest.mark.parametrize(
    ("claims", "taken"),
    [
        (ONE, [HERS, HIS]),
        (ONE, ['{"panelist": "**ada**", "claim": "C1", "stance": "Supports", "reason": ["a"], "quote": null}', HIS]),
        (ONE, [HERS, '{"panelist": "Ben (engineer)", "claim": 1, "stance": "disagrees", "new_argument": "no",}']),
        (ONE, [HERS, HIS, '{"panelist": "Ben", "claim": "c1", "stance": ["odd"]}', '{"panelist": 7}', "{}"]),
        (ONE, ["{'panelist': 'Ada', 'claim': 'Claim 1', 'stance': '**for**', 'quote': 'it\\'s'}", HIS]),
        ('"claims": ["It helps."]', [HERS, HIS]),
        ('"claims": [{"text": "It helps."}]', [HERS, HIS, HIS.replace("c1", "c2")]),
    ],
)  # fmt: skip
def test_stances(claims: str, taken: list[str]) -> None:
    assert stood(f'{{{claims}, "stances": [{", ".join(taken)}]}}') == [
        ("Ada", "c1", "support"),
        ("Ben", "c1", "oppose"),
    ]


@pytest.mark.parametrize("stance", ["partly", "support/oppose", "strongly", "unterstützt", "", "none"])
def test_what_is_no_stance(stance: str) -> None:
    with pytest.raises(Unread):
        stood(f'{{{ONE}, "stances": [{{"panelist": "Ada", "claim": "c1", "stance": "{stance}"}}]}}')
