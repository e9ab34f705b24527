"""What is done to frames on their way: nothing is lost, whatever is filtered, joined or added."""

import itertools
import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol import codec
from protocol import events as e
from protocol.cursor import Cursor
from protocol.messages import Cost, Failure, Usage
from protocol.parts import parts
from protocol.system import EventPosted
from roundtable.fanout.encoding import items
from roundtable.fanout.framing import FULL
from roundtable.fanout.ledger import Ledger, Spent
from roundtable.fanout.stages import Extra, Item, admitting, enriched, filtered, merged, unreached
from tests.readers import records
from tests.tables import AT, TERM, opened, turn


def item(seq: int, event: str, **members: Any) -> Item:
    data = {"type": event, "at": AT + seq} | members
    return Item(Cursor(TERM, seq), event.encode(), codec.encode(data))


def words(seq: int, text: str, panelist: str = "Ada", **members: Any) -> Item:
    return item(seq, "turn.delta", turn=f"of {panelist}", panelist=panelist, attempt=1, text=text, **members)


def text(items: list[Item]) -> str:
    return "".join(json.loads(each.data).get("text", "") for each in items if each.shown)


def told_apart(items: list[Item]) -> list[tuple[str, float]]:
    """What is shown in its smallest parts, each with its time."""
    return [
        (json.loads(body).get("text", ""), at)
        for each in items
        if each.shown
        for body, at in parts(each.data)
    ]


# Filter


@given(st.text("ab.", max_size=8), st.text("ab.*", max_size=8))
def test_a_pattern_is_what_a_regular_expression_would_be(text: str, pattern: str) -> None:
    regex = ".*".join(map(re.escape, pattern.split("*")))
    assert admitting([pattern], [])(text.encode(), b"{}") == (re.fullmatch(regex, text) is not None)


def test_a_pattern_made_to_be_slow_reads_a_long_name_once_per_piece() -> None:
    name = codec.encode({"panelist": "a" * 1_000_000 + "c"})
    assert not admitting([], ["*a" * 39 + "b"])(b"x", name)  # a backtracking match would outlive the test
    assert admitting([], ["*a" * 39 + "c"])(b"x", name)


@pytest.mark.parametrize("members", [{}, {"panelist": 3}, {"panelist": ["Ada"]}, {"author": None}])
def test_whatever_a_tool_calls_its_members_nobody_is_named(members: dict[str, Any]) -> None:
    admits = admitting([], ["Ada"])
    assert not admits(b"step", codec.encode({"type": "step", "at": 1.0, **members}))
    assert not admits(b"step", b"no json")
    assert admits(b"step", codec.encode({"author": "Ada"}))


def test_what_an_application_posted_is_found_by_its_own_type() -> None:
    posted = codec.encode(EventPosted("Build.done"))
    for types, shown in ((["Build.*"], True), (["event.posted"], True), (["build.*"], False)):
        assert admitting(types, [])(b"event.posted", posted) == shown
    assert not admitting(["Build.*"], [])(b"turn.delta", posted)
    assert not admitting(["Build.*"], [])(b"event.posted", b"no json")


def test_what_is_not_shown_keeps_its_place() -> None:
    told = [words(1, "a"), words(2, "b", "Ben")]
    assert [each.shown for each in filtered(told, admitting([], ["Ben"]))] == [False, True]
    assert [each.cursor.seq for each in filtered(told, admitting([], ["Ben"]))] == [1, 2]


# Coalesce

SOME = st.lists(
    st.tuples(st.sampled_from(["Ada", "Ben", "", "hidden"]), st.text("xyé𝄞", max_size=3)), max_size=12
)


def made(some: list[tuple[str, str]]) -> list[Item]:
    result = []
    for seq, (who, said) in enumerate(some, 1):
        one = words(seq, said, who) if who in ("Ada", "Ben") else item(seq, "round.started", round=seq)
        result.append(one._replace(shown=who != "hidden"))
    return result


@given(SOME)
def test_joined_words_have_all_their_parts_with_their_times(some: list[tuple[str, str]]) -> None:
    told = made(some)
    joined = merged(told)
    assert [each.cursor for each in joined] == [each.cursor for each in told]
    assert told_apart(joined) == told_apart(told)
    names = [json.loads(each.data).get("panelist") for each in joined if each.shown]
    assert all(one != other or one is None for one, other in itertools.pairwise(names))


@given(SOME, st.data())
def test_nobody_goes_on_where_words_would_come_twice(
    some: list[tuple[str, str]], data: st.DataObject
) -> None:
    told = made(some)
    joined = merged(told)
    hole = unreached(joined)
    cut = data.draw(st.integers(0, len(told)))
    assume(cut not in hole)
    assert text(joined[:cut]) == text(told[:cut])
    assert text(joined[cut:]) == text(told[cut:])


def test_words_of_another_attempt_or_of_none_stand_alone() -> None:
    told = [
        words(1, "a"),
        words(2, "b"),
        item(3, "turn.delta", turn="of Ada", panelist="Ada", attempt=2, text="c"),
        item(4, "turn.delta", turn="of Ada", text=5),
        Item(Cursor(TERM, 5), b"turn.delta", b"no json"),
    ]
    assert [each.shown for each in merged(told)] == [False, True, True, True, True]
    assert merged(told)[4].data == b"no json"


# Enrich

EVENTS = [
    *opened(),
    *turn(1, "Ada")[:-1],
    e.TurnCompleted(turn="t1", panelist="Ada", text="x", usage=Usage(10, 5), cost=Cost(0.1)),
    *turn(2, "Ben")[:-1],
    e.TurnFailed(turn="t2", panelist="Ben", error=Failure("timeout", "Slow."), usage=Usage(7)),
    e.TurnQueued(turn="t3", panelist="Ada"),
    e.TurnCancelled(turn="t3", panelist="Ada"),
]


def ledger(upto: int = len(EVENTS)) -> Ledger:
    known = Ledger()
    for record in records(EVENTS[:upto]):
        known.extend(*record)
    return known


def test_what_was_spent_depends_on_the_place_alone() -> None:
    whole = ledger()
    for seq in range(len(EVENTS) + 1):
        assert whole.spent(seq) == ledger(seq).spent(seq)
    assert [whole.spent(seq).dollars for seq in (5, 6, 9, 10)] == [0, 0.1, 0.1, 0.1]
    assert whole.spent(len(EVENTS)) == Spent(17, 5, 0.1, 1)


def test_an_entry_known_already_or_unreadable_changes_nothing() -> None:
    known = ledger()
    for record in records(EVENTS):
        known.extend(*record)
    known.extend(known.cursor.next(), b'{"type":"turn.completed","at":"x"}')
    assert known.spent(99) == ledger().spent(99)


def test_what_the_entry_says_itself_stays_and_nothing_is_said_twice() -> None:
    told = item(1, "step", elapsed="mine", spent=[], model=None, author="Ada", address=3)
    (added,) = enriched([told], ("cost", "elapsed", "names"), ledger())
    pairs = json.loads(added.data, object_pairs_hook=list)
    assert dict(pairs)["elapsed"] == "mine"
    assert dict(pairs)["spent"] == []
    (again,) = enriched([added], ("cost", "elapsed", "names"), ledger())
    assert json.loads(again.data) == json.loads(added.data)


@given(st.sampled_from([("cost",), ("elapsed",), ("names",), ("cost", "elapsed", "names")]), SOME)
def test_filter_and_enrich_change_places(extras: Any, some: list[tuple[str, str]]) -> None:
    told, admits = made(some), admitting(["turn.*"], ["Ada"])
    one = [each for each in filtered(enriched(told, extras, ledger()), admits) if each.shown]
    assert one == [each for each in enriched(filtered(told, admits), extras, ledger()) if each.shown]


@given(SOME)
def test_coalesce_and_enrich_change_places(some: list[tuple[str, str]]) -> None:
    told = made(some)
    extras: tuple[Extra, ...] = ("cost", "elapsed", "names")
    one = [json.loads(each.data) for each in merged(list(enriched(told, extras, ledger()))) if each.shown]
    assert one == [json.loads(each.data) for each in enriched(merged(told), extras, ledger()) if each.shown]


def test_every_body_that_is_logged_can_be_enriched() -> None:
    told = [each for record in records(EVENTS) for each in items(FULL, record)]
    for each in enriched(told, ("cost", "elapsed", "names"), ledger()):
        assert msgspec.json.decode(each.data)["elapsed"] == 0.0
