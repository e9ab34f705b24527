"""A thread as messages: what the whole is at a cursor, and what each entry changes."""

import json
from typing import Any

import pytest

from protocol.codec import encode, encode_body
from protocol.errors import NotFound
from protocol.transcript import Transcript, apply, fold
from protocol.views import thread
from protocol.views.html import html
from protocol.views.markdown import markdown
from roundtable.fanout import kinds
from roundtable.policies import Plan, Seat
from roundtable.policies.reply import Reply
from tests.golden_scenarios import SCENARIOS, Table
from tests.golden_scenarios import thread as golden


def follow(messages: dict[str, Any], event: dict[str, Any]) -> None:
    """What a client does with a live event."""
    kind, _, step = event["type"].partition(".")
    if kind != "message":
        return
    if step == "created":
        messages[event["message"]["id"]] = event["message"]
        return
    message = messages[event["message"]]
    changed = {name: event[name] for name in message if name in event and name not in ("at", "text", "error")}
    text = event.get("text", "")
    message |= changed | {"text": message["text"] + text if step == "delta" else text or message["text"]}
    if step != "delta":
        error = event.get("error") if step == "error" else None
        message |= {"state": step, "error": error}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_what_each_entry_changes_makes_the_whole_at_every_cursor(scenario: Any) -> None:
    transcript, messages = Transcript(), dict[str, Any]()
    for entry in scenario().entries:
        apply(transcript, entry)
        for name, data in thread.shown(encode_body(entry.event, entry.at)):
            event = json.loads(data)
            assert name.decode() == event["type"]
            follow(messages, event)
        assert list(messages.values()) == json.loads(encode(thread.thread(transcript)))["messages"]


def test_the_title_is_what_was_given_or_the_beginning_of_what_was_said() -> None:
    transcript = Transcript(topic="Given")
    assert thread.title(transcript) == "Given"
    for entry in golden().entries:
        apply(transcript, entry)
    transcript.topic = ""
    assert thread.title(transcript) == "Does it read them?"
    transcript.messages[0].text = "word\n" * 100
    assert len(thread.title(transcript)) <= thread.MAX_LINE
    assert thread.title(transcript).endswith("word…")


def test_a_thread_without_a_title_is_exported_under_what_was_said_first() -> None:
    transcript = fold(golden().entries)
    transcript.topic = ""
    text = markdown(transcript)
    assert text.startswith("# Does it read them?\n")
    assert "\n>\n" not in text
    assert "everything that was asked is answered" in text
    assert '<h1 dir="auto">Does it read them?</h1>' in html(transcript)


def test_a_thread_is_stored_as_a_table_and_found_only_under_its_own_kind() -> None:
    assert kinds.stored("thread", "thread-1") == "table/thread-1"
    assert kinds.stored("table", "1") == "table/1"
    assert kinds.stored("platform", "thread-1") == "platform/thread-1"
    for kind, id in (("table", "thread-1"), ("thread", "1")):
        with pytest.raises(NotFound, match=f"no {kind} '{id}'"):
            kinds.stored(kind, id)


def plans(table: Table) -> list[Plan]:
    """What is planned after each entry while the table is open."""
    transcript, found = Transcript(), list[Plan]()
    for entry in table.entries:
        apply(transcript, entry)
        found.append(Reply().plan(transcript) if transcript.status == "open" else Plan())
    return found


def test_the_policy_answers_each_message_once_and_then_rests() -> None:
    planned = [plan for plan in plans(golden()) if plan]
    assert [plan.queue for plan in planned if plan.queue] == [
        (Seat("Ada"), Seat("Ben")),  # m1, then while only Ada is queued
        (Seat("Ben"),),
        (Seat("Ben", reason="asked"),),
        (Seat("Ada"), Seat("Ben")),  # m3, which came while Ben spoke; m4 came while both waited
        (Seat("Ben"),),
    ]
    assert {plan.end for plan in planned if not plan.queue and not plan.run} == {"answered"}
