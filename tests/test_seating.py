"""Who is made ready to speak, with how much of what the limits leave, and what she is sent."""

from typing import Any

import pytest

from protocol import events as e
from protocol.messages import Cost, Limits, Panelist
from protocol.transcript import Transcript
from providers import prices
from providers.catalog import Catalog
from providers.placement import Custom
from roundtable.table import seating
from roundtable.table.budget import Allowance, share
from roundtable.table.counting import PICTURE
from roundtable.table.seating import LEAST, MOST, Seated
from tests.tables import ADA, BEN, CLEO, opened, transcript, turn


def table(
    *panel: Panelist, policy: str = "round_robin", then: tuple[e.Event, ...] = (), **limits: Any
) -> Transcript:
    began, _ = opened(*panel)
    opening = e.TableOpened(
        table="test", topic="Why?", panel=list(panel or (ADA, BEN)), policy=policy, limits=Limits(**limits)
    )
    return transcript(began, opening, e.RoundStarted(round=1), *then)


async def no_pictures(sha256: str) -> str:
    raise AssertionError(f"asked for {sha256}")


def seat(allowance: Allowance | None, panelist: Panelist = ADA, **limits: Any) -> Seated | str:
    queued = e.TurnQueued(turn="t1", panelist=panelist.name, round=1)
    return seating.seat(
        table(panelist, then=(queued,), **limits), "t1", Catalog({}), allowance, pictures=no_pictures
    )


def may_say(allowance: Allowance | None, panelist: Panelist = ADA, **limits: Any) -> int | None:
    seated = seat(allowance, panelist, **limits)
    assert isinstance(seated, Seated)
    return seated.speaker.request.max_tokens


def wanting(tokens: int) -> Panelist:
    return Panelist("Ada", "scripted:ada", options={"max_tokens": tokens})


def prompt() -> int:
    seated = seat(Allowance())
    assert isinstance(seated, Seated)
    assert seated.promised.tokens is not None
    return seated.promised.tokens


def test_without_limits_she_may_say_what_she_wants_to() -> None:
    assert may_say(Allowance()) is None
    assert may_say(Allowance(), wanting(MOST * 2)) == MOST * 2


def test_her_prompt_is_part_of_her_share() -> None:
    assert may_say(Allowance(tokens=prompt() + 300)) == 300
    assert may_say(Allowance(tokens=prompt() + 300), wanting(20)) == 20
    assert may_say(Allowance(tokens=10**9)) == MOST


def test_with_too_little_she_does_not_begin() -> None:
    assert seat(Allowance(tokens=prompt() + LEAST - 1)) == "max_tokens"
    assert may_say(Allowance(tokens=prompt() + LEAST)) == LEAST
    assert may_say(Allowance(tokens=prompt() + 5), wanting(5)) == 5, "who wants less needs less"


def test_a_picture_is_part_of_her_prompt_where_her_model_or_another_of_hers_sees() -> None:
    put = e.MaterialAdded(
        material="d1", name="a.png", media_type="image/png", form="image", size=9, sha256="ab"
    )
    blind = Catalog({}, {"house": Custom("openai", "http://127.0.0.1:1/v1")})
    found = list[tuple[int, int]]()
    for model, *fallback in (["house:x"], ["scripted:ada"], ["house:x", "scripted:ada"]):
        panelist = Panelist("Ada", model, fallback=fallback)
        queued = e.TurnQueued(turn="t1", panelist="Ada", round=1)
        seated = seating.seat(
            table(panelist, then=(put, queued)), "t1", blind, Allowance(), pictures=no_pictures
        )
        assert isinstance(seated, Seated)
        found.append((seated.prompt, seated.pictures))
    (without, none), *others = found
    assert none == 0
    assert others == [(without + PICTURE, 1), (without + PICTURE, 0)], "and told as shown only to hers"


def test_dollars_are_turned_into_tokens_where_there_is_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "cost", lambda _, usage: Cost(usage.input * 0.001 + usage.output * 0.01))
    left = prompt() * 0.001 + 2.0
    assert may_say(Allowance(dollars=left + 1e-9)) == 200
    assert may_say(Allowance(tokens=prompt() + 100, dollars=left)) == 100
    assert seat(Allowance(dollars=0.1)) == "max_dollars"
    monkeypatch.setattr(prices, "cost", lambda _, usage: None)
    assert may_say(Allowance(dollars=0.1)) is None


def test_the_first_may_speak_in_any_case() -> None:
    assert may_say(None, max_tokens=1) == 1
    assert may_say(None, max_tokens=700) == 700
    assert may_say(None, max_dollars=0.01) is None


def test_shares_are_equal_and_what_was_promised_is_not_shared_again() -> None:
    left = table(max_tokens=1_000, max_dollars=1.0)
    assert share(left, (), 4) == Allowance(250, 0.25)
    assert share(left, [Allowance(400, 0.5), Allowance(200, 0.25)], 2) == Allowance(200, 0.125)
    assert share(table(), [Allowance(400, 0.5)], 3) == Allowance()


def said(policy: str, reason: str = "") -> str:
    """What Cleo is sent in round 1, when Ada's turn of it is over and Ben's is not."""
    ben: dict[str, Any] = {"turn": "t2", "panelist": "Ben"}
    events = (
        *turn(1, "Ada", "ADA"),
        e.TurnQueued(**ben, round=1),
        e.TurnStarted(**ben),
        e.TurnDelta(**ben, attempt=1, text="BEN"),
        e.MessagePosted(message="m1", author="Rosa", text="ROSA"),
        e.TurnQueued(turn="t3", panelist="Cleo", round=1, reason=reason),
    )
    sent = seating.projected(table(ADA, BEN, CLEO, policy=policy, then=events), "t3")
    text = "".join(message.text for message in sent.messages)
    return " ".join(word for word in ("ADA", "BEN", "ROSA") if word in text)


def test_under_a_blind_policy_nobody_hears_half_a_round() -> None:
    assert said("parallel") == "ROSA"
    assert said("parallel", "asked") == "ADA ROSA"
    assert said("round_robin") == said("floor_time") == said("not installed here") == "ADA ROSA"
