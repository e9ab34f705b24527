"""An invocation in OpenAI's forms, and a table as one text: the pure part, entry by entry."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import codec, invocation
from protocol import events as e
from protocol.invocation import Cancelled, Converge, Failed
from protocol.messages import Failure, Logprob, Usage
from protocol.views.discussion import Discussion
from protocol.views.openai import Completion, Writer
from protocol.views.openai_chunks import DONE, Chunks, Head
from protocol.views.openai_events import Events

HEAD = Head(id="chatcmpl-1", created=1, model="scripted:x")
FORMS = ("chunks", "completion", "events")


def writer(form: str) -> Writer:
    if form == "chunks":
        return Chunks(HEAD, error=lambda failed: codec.encode({"error": failed.code}))
    return Completion("1", 1, "m", {}) if form == "completion" else Events("1", 1, "m", {})


def logged(steps: Sequence[dict[str, Any]]) -> bytes:
    """Steps as an entry that holds them all."""
    bodies = [
        b'{"type":"step","at":1.500000,"t":%d,%b' % (t, codec.encode(each)[1:])
        for t, each in enumerate(steps, 1)
    ]
    return b'{"type":"steps","at":1.500000,"t":1,"steps":[%b]}' % b",".join(bodies)


def ended(**final: Any) -> bytes:
    told = {"text": "", "stop_reason": "end", "usage": None, "cost": None, **final}
    return codec.encode_body(Converge(id="1", t=1, final=told, reason="end"), 2.0)


def chunks(wire: bytes) -> list[Any]:
    frames = wire.removesuffix(DONE).split(b"\n\n")
    assert frames.pop() == b""
    assert all(frame.startswith(b"data: ") and b"\n" not in frame for frame in frames)
    return [msgspec.json.decode(frame.removeprefix(b"data: ")) for frame in frames]


@given(st.lists(st.text(min_size=1), min_size=1))
def test_words_are_taken_over_as_they_were_logged(words: list[str]) -> None:
    form = Chunks(HEAD, error=lambda _: b"")
    told = chunks(form.told(logged([{"text": each} for each in words])))
    assert [each["choices"][0]["delta"] for each in told] == [{"content": each} for each in words]


def test_calls_that_come_interleaved_are_told_apart() -> None:
    steps = [
        {"call": "a", "name": "f", "arguments": ""},
        {"call": "b", "name": "g", "arguments": "{"},
        {"call": "a", "name": "", "arguments": "{}"},
        {"call": "b", "name": "", "arguments": "}"},
    ]
    told = chunks(writer("chunks").told(logged(steps)))
    parts = [each["choices"][0]["delta"]["tool_calls"][0] for each in told]
    assert [part["index"] for part in parts] == [0, 1, 0, 1]
    assert [part.get("id") for part in parts] == ["a", "b", None, None]
    for form in ("completion", "events"):
        whole = writer(form)
        whole.told(logged(steps))
        whole.told(ended(stop_reason="tool_calls"))
        text = whole.object()
        assert text.count(b'"arguments":"{}"') == 2


def test_logprobs_go_with_their_words() -> None:
    token = Logprob("Hi", -0.25, [72, 105])
    entry = logged([{"text": "Hi", "logprobs": [token]}])
    (chunk,) = chunks(writer("chunks").told(entry))
    choice = chunk["choices"][0]
    assert (choice["delta"], choice["finish_reason"]) == ({"content": "Hi"}, None)
    assert choice["logprobs"] == {
        "content": [{"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": []}], "refusal": None,
    }  # fmt: skip
    whole = writer("completion")
    whole.told(entry)
    whole.told(ended())
    assert msgspec.json.decode(whole.object())["choices"][0]["logprobs"] == choice["logprobs"]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end", "stop"), ("stop_sequence", "stop"), ("length", "length"), ("tool_calls", "tool_calls"),
        ("refusal", "content_filter"), ("content_filter", "content_filter"),
    ],
)  # fmt: skip
def test_why_it_ended(reason: str, finish: str) -> None:
    (last,) = chunks(writer("chunks").told(ended(stop_reason=reason)))
    assert last["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}


def test_usage_that_nobody_told_is_not_made_up() -> None:
    form = Chunks(HEAD, usage=True, error=lambda _: b"")
    assert [each["choices"] != [] for each in chunks(form.told(ended()))] == [True]
    whole = writer("completion")
    whole.told(ended())
    assert msgspec.json.decode(whole.object())["usage"] is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("end", "code"),
    [(Failed(id="1", t=0, code="quota", detail="No."), "quota"), (Cancelled(id="1", t=0), "cancelled")],
)
def test_every_form_knows_that_it_failed(form: str, end: Failed | Cancelled, code: str) -> None:
    told = writer(form)
    assert told.told(codec.encode_body(end, 2.0)) == b""
    assert told.failed
    assert told.failed.code == code


@pytest.mark.parametrize("form", FORMS)
def test_every_form_knows_that_the_model_is_asked_again(form: str) -> None:
    told = writer(form)
    retry = {
        "attempt": 2,
        "wait": 1.5,
        "error": {"code": "rate_limited", "detail": "Too often.", "retryable": True},
    }
    assert told.told(logged([{"retry": retry}])) == b""
    assert told.retry
    assert (told.retry.wait, told.retry.error.code) == (1.5, "rate_limited")
    told.told(logged([{"thinking": "So."}]))
    assert told.retry is None


@pytest.mark.parametrize("form", FORMS)
def test_what_no_answer_is_made_of_is_passed_over(form: str) -> None:
    told = writer(form)
    for event in (invocation.Queued(id="1", ahead=2), invocation.Entropy(id="1", t=0, value=0.5)):
        assert told.told(codec.encode_body(event, 2.0)) == b""
    assert told.told(logged([{"other": 1}, {"text": ""}])) == b""


# -- a table -------------------------------------------------------------------------------------------------------


def speech(turn: str, who: str, *words: str, end: e.Event | None = None) -> list[e.Event]:
    """A turn's events; `end` in place of its completion."""
    over = end or e.TurnCompleted(turn=turn, panelist=who, text="".join(words), usage=Usage(10, len(words)))
    deltas = [e.TurnDelta(turn=turn, panelist=who, attempt=1, text=word) for word in words]
    return [e.TurnQueued(turn=turn, panelist=who), e.TurnStarted(turn=turn, panelist=who), *deltas, over]


def told(discussion: Discussion, events: Sequence[e.Event]) -> str:
    return "".join(piece.text for event in events for piece in discussion.hear(event))


TURNS = {"t1": ("Ada", "One", " two."), "t2": ("Ben", "Three", " four."), "t3": ("Cleo", "Five", " six.")}


@given(st.permutations([turn for turn, (_, *words) in TURNS.items() for _ in range(len(words) + 2)]))
def test_nobody_is_told_into_the_middle_of_anothers_words(order: list[str]) -> None:
    discussion = Discussion()
    left = {turn: speech(turn, who, *words)[1:] for turn, (who, *words) in TURNS.items()}
    started = list(dict.fromkeys(order))
    text = told(discussion, [left[turn].pop(0) for turn in order])
    text += told(discussion, [e.TableClosed(reason="max_rounds")])
    whole = {turn: f"**{who}:** {''.join(words)}" for turn, (who, *words) in TURNS.items()}
    assert text == "\n\n".join(whole[turn] for turn in started)
    assert (discussion.finish, discussion.usage) == ("stop", Usage(30, 6))


def test_words_come_as_they_are_said() -> None:
    discussion = Discussion()
    heard = [told(discussion, [event]) for event in speech("t1", "Ada", "One", " two.")]
    assert heard == ["", "", "**Ada:** One", " two.", ""]


def test_what_went_wrong_is_said_where_it_did() -> None:
    discussion = Discussion()
    failed = e.TurnFailed(turn="t1", panelist="Ada", text="One", error=Failure("quota", "No credit."))
    cut = e.TurnCompleted(turn="t2", panelist="Ben", text="Two", stop_reason="length")
    stopped = e.TurnCancelled(turn="t3", panelist="Cleo", text="Three")
    text = told(
        discussion,
        [
            *speech("t1", "Ada", "One", end=failed),
            *speech("t2", "Ben", "Two", end=cut),
            *speech("t3", "Cleo", "Three", end=stopped),
            e.MessagePosted(message="m1", author="Host", text="And?"),
        ],
    )
    assert text.split("\n\n") == [
        "**Ada:** One *(failed: No credit)*",
        "**Ben:** Two *(cut off at the token limit)*",
        "**Cleo:** Three *(was stopped here)*",
        "**Host:** And?",
    ]


def test_the_verdict_alone() -> None:
    discussion = Discussion(verdict=True)
    verdict = [
        e.TurnQueued(turn="t2", panelist="Ben", kind="verdict"),
        *speech("t2", "Ben", "So be", " it.")[1:],
    ]
    text = told(discussion, [*speech("t1", "Ada", "One"), *verdict, e.TableClosed(reason="max_rounds")])
    assert (text, discussion.finish) == ("So be it.", "stop")


@pytest.mark.parametrize(
    ("verdict", "events", "code"),
    [
        (True, speech("t1", "Ada", "One"), "no_verdict"),
        (False, [], "empty"),
        (
            False,
            speech("t1", "Ada", end=e.TurnFailed(turn="t1", panelist="Ada", error=Failure("auth", "No."))),
            "auth",
        ),
    ],
)
def test_a_table_without_an_answer_is_no_answer(verdict: bool, events: list[e.Event], code: str) -> None:
    discussion = Discussion(verdict=verdict)
    told(discussion, [*events, e.TableClosed(reason="max_rounds")])
    assert discussion.finish is None
    assert discussion.failed
    assert discussion.failed.code == code
