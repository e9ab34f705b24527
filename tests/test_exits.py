"""What ends a discussion by itself: everyone passes, or the panel goes in a circle."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol import events as e
from protocol.findings import Converge
from protocol.messages import Failure, Until
from protocol.transcript import Transcript
from protocol.views.words import REASONS
from roundtable.deliberation import exits, loops, passes
from tests.tables import ADA, BEN, CLEO, opened, transcript, turn


class Circles(msgspec.Struct, forbid_unknown_fields=True):
    polite: list[str]
    real: dict[str, list[str]]
    circles: dict[str, list[str]]
    thanks: dict[str, list[str]]


CIRCLES = msgspec.toml.decode(Path(__file__).with_name("circles.toml").read_bytes(), type=Circles)
LANGUAGES = tuple(CIRCLES.real)
EVERYTHING = Until(loop=True, passes=True)
REST = e.TableRested(reason="x"), e.TableResumed(reason="message")


def table(*texts: str, until: Until = EVERYTHING, then: tuple[e.Event, ...] = ()) -> Transcript:
    """Ada, Ben and Cleo said this, in turn."""
    names = [panelist.name for panelist in (ADA, BEN, CLEO)]
    said = [event for number, text in enumerate(texts) for event in turn(number + 1, names[number % 3], text)]
    result = transcript(*opened(ADA, BEN, CLEO), *said, *then)
    result.until = until
    return result


def asked(*texts: str, message: str, to: str = "", then: tuple[str, ...] = ()) -> Transcript:
    """The same, with a person's message amid it."""
    names = [panelist.name for panelist in (ADA, BEN, CLEO)]
    posted = e.MessagePosted(message="m1", author="Rosa", text=message, to=to)
    events: list[e.Event] = []
    for number, text in enumerate([*texts, *then]):
        events += ([posted] if number == len(texts) else []) + turn(number + 1, names[number % 3], text)
    result = transcript(*opened(ADA, BEN, CLEO), *events, *([] if then else [posted]))
    result.until = EVERYTHING
    return result


# -- passes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["PASS", "pass", "Pass.", "[pass]", "**PASS**", "`PASS`!", "PASS\n"])
def test_a_pass_is_known_in_any_dress(text: str) -> None:
    assert passes.is_pass(text)


@pytest.mark.parametrize(
    "text", ["I pass the word to Ben.", "No.", "PASS: but one thing", "パス", "7", "passport"]
)
def test_what_says_something_is_no_pass(text: str) -> None:
    assert not passes.is_pass(text)


def test_the_discussion_is_over_when_everyone_passed_in_the_last_turn() -> None:
    assert exits.reached(table("Yes.", "No.", "Hm.", "PASS", "pass", "[Pass]")) == "passes"
    assert exits.reached(table("PASS", "…", " \n")) == "passes"
    assert exits.reached(table("PASS", "PASS")) == ""
    assert exits.reached(table("PASS", "PASS", "PASS", "Wait, there is more.")) == ""
    assert exits.reached(table("PASS", "PASS", "PASS", until=Until())) == ""


def test_a_blank_reply_is_a_pass() -> None:
    who: dict[str, Any] = {"turn": "t3", "panelist": "Cleo"}
    blank = Failure("empty", "The model ended without saying anything.", retryable=True)
    for error, reason in ((blank, "passes"), (Failure("timeout", "Slow.", retryable=True), "")):
        end = e.TurnFailed(**who, error=error)
        silent = (e.TurnQueued(**who), e.TurnStarted(**who), end)
        assert exits.reached(table("PASS", "PASS", then=silent)) == reason


def test_who_is_gone_need_not_pass_and_what_a_person_says_begins_anew() -> None:
    muted = (e.PanelChanged(change="muted", panelist="Cleo"),)
    assert exits.reached(table("PASS", "PASS", "No, listen.", then=muted)) == "passes"
    assert exits.reached(asked("PASS", "PASS", "PASS", message="And cost?")) == ""
    assert (
        exits.reached(asked("PASS", "PASS", "PASS", message="And cost?", then=("PASS", "PASS", "PASS")))
        == "passes"
    )
    assert exits.reached(table("PASS", "PASS", "PASS", then=REST)) == ""


def test_nothing_ends_while_somebody_has_the_floor_or_will() -> None:
    queued = e.TurnQueued(turn="t4", panelist="Ada")
    assert exits.reached(table("PASS", "PASS", "PASS", then=(queued,))) == ""


# -- loops -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_real_discussion_never_goes_round(language: str) -> None:
    said = CIRCLES.real[language]
    assert all(exits.reached(table(*said[:count])) == "" for count in range(len(said) + 1))
    assert max(loops.staleness(text, said[:at]) for at, text in enumerate(said)) < loops.STALE / 4


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_panel_that_repeats_itself_goes_round(language: str) -> None:
    said = [*CIRCLES.real[language][:2], *CIRCLES.circles[language]]
    reasons = [exits.reached(table(*said[:count])) for count in range(len(said) + 1)]
    assert reasons == ["", "", "", "", "", "loop", "loop"]  # as soon as three in a row brought nothing new
    assert exits.reached(table(*said, until=Until(passes=True))) == ""
    assert exits.reached(table(*said, CIRCLES.real[language][4])) == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_panel_that_thanks_in_circles_goes_round(language: str) -> None:
    said = [CIRCLES.real[language][0], *CIRCLES.thanks[language]]
    assert exits.reached(table(*said[:3])) == ""
    assert exits.reached(table(*said)) == "loop"


@pytest.mark.parametrize(
    "text", [*CIRCLES.polite, *(said for real in CIRCLES.real.values() for said in real)]
)
def test_courtesy_before_an_argument_is_no_circle(text: str) -> None:
    assert not loops.is_thanks(text)


def test_one_who_repeats_herself_among_others_who_do_not_is_no_circle() -> None:
    real = CIRCLES.real["english"]
    assert exits.reached(table(real[0], real[1], real[2], real[0], real[3], real[4], real[0], real[5])) == ""


def test_passes_do_not_hide_a_circle() -> None:
    said = CIRCLES.real["german"][0]
    assert (
        exits.reached(table(said, "PASS", "PASS", said, "PASS", "PASS", said, "PASS", "PASS", said)) == "loop"
    )


def test_the_same_said_at_the_same_time_is_no_repetition() -> None:
    who: list[dict[str, Any]] = [
        {"turn": f"t{number}", "panelist": each.name} for number, each in enumerate((ADA, BEN, CLEO), 1)
    ]
    events: list[e.Event] = [e.TurnQueued(**each) for each in who]
    events += [e.TurnStarted(**each) for each in who]
    events += [e.TurnCompleted(**each, text="It is forty-two, for all I know.") for each in who]
    assert exits.reached(table(then=tuple(events))) == ""
    assert exits.reached(table("It is forty-two, for all I know.", then=())) == ""


def test_a_person_may_want_to_hear_it_again() -> None:
    said = CIRCLES.real["english"][0]
    assert exits.reached(asked(said, said, said, message="Once more?", then=(said, said))) == ""
    assert exits.reached(asked(said, said, said, message="Once more?", then=(said, said, said))) == "loop"


def test_however_many_sit_there_four_in_a_row_are_enough() -> None:
    many = [ADA, BEN, CLEO, *(msgspec.structs.replace(ADA, name=f"P{number}") for number in range(9))]
    said = CIRCLES.real["english"][0]
    events = [event for number in range(5) for event in turn(number + 1, many[number].name, said)]
    result = transcript(*opened(*many), *events)
    result.until = EVERYTHING
    assert exits.reached(result) == "loop"


# -- the others --------------------------------------------------------------------------------------------------


def test_convergence_is_measured_elsewhere_and_ends_here() -> None:
    near = Converge(value=0.1, threshold=0.2, method="lexical")
    assert exits.reached(table(until=Until(convergence=0.2), then=(near,))) == "convergence"
    assert exits.reached(table(until=Until(), then=(near,))) == ""


def test_every_reason_has_words() -> None:
    assert {"loop", "passes", "convergence", "consensus", "moderator", "answered"} <= set(REASONS)
