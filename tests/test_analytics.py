"""A table's figures: what they say of a table that is known, and how they are asked for."""

from pathlib import Path
from typing import Any

from protocol import events as e
from protocol.messages import Cost, Failure, Usage
from protocol.transcript import Transcript, apply
from protocol.views.analytics import Figures, analyse
from tests.serving import QUICK, TABLES, Connect, convene, frames, problem, serve
from tests.tables import ADA, BEN, CLEO, entries, opened, transcript


def who(number: int, name: str) -> dict[str, Any]:
    return {"turn": f"t{number}", "panelist": name}


ONE, TWO, THREE, FOUR, FIVE = (
    who(1, "Ada"),
    who(2, "Ben"),
    who(3, "Ada"),
    who(4, "Ben"),
    who(5, "Ada"),
)
EVENTS: list[e.Event] = [
    *opened(ADA, BEN, CLEO),  # 1, 2: a second passes between two entries
    e.RoundStarted(round=1),
    e.TurnQueued(**ONE),
    e.TurnStarted(**ONE),  # 5
    e.TurnThinking(**ONE, attempt=1, text="Hm."),  # 6: the first token
    e.TurnDelta(**ONE, attempt=1, text="One two"),
    e.TurnCompleted(
        **ONE, text="One two", stop_reason="length", usage=Usage(100, 8, 3, cached=60), cost=Cost(0.25)
    ),  # 8
    e.TurnQueued(**TWO),
    e.TurnStarted(**TWO),  # 10
    e.TurnRetried(**TWO, attempt=2, error=Failure("rate_limited", "Later.")),
    e.TurnDelta(**TWO, attempt=2, text="So"),  # 12
    e.TurnFailed(**TWO, attempt=2, text="So", error=Failure("timeout", "Slow."), usage=Usage(50, 2, estimated=True)),
    e.MessagePosted(message="m1", author="Kim", text="Hello"),
    e.TurnQueued(**THREE),  # 15
    e.TurnStarted(**THREE),
    e.TurnCancelled(**THREE, reason="command"),
    e.TurnQueued(**FOUR),
    e.TurnCancelled(**FOUR),  # never had the floor
    e.TurnQueued(**FIVE),  # 20
    e.TurnStarted(**FIVE),
    e.TurnDelta(**FIVE, attempt=1, text="Three"),  # 22
    e.MessagePosted(message="m2", author="Kim", text="Go on"),
]  # fmt: skip


def test_the_figures_of_a_known_table() -> None:
    found = analyse(transcript(*EVENTS))
    assert (found.status, found.seconds, found.rounds, found.messages) == ("open", 21.0, 1, 2)
    assert list(found.panelists) == ["Ada", "Ben", "Cleo"]
    assert found.panelists["Ada"] == Figures(
        turns=3, open=1, completed=1, failed=0, cancelled=1,
        first_token_median=1.0, first_token_p95=1.0, tokens_per_second=4.0,
        speaking_seconds=3.0, share_of_time=0.75, share_of_tokens=0.8,
        words=3, tokens_in=100, tokens_out=8, thinking=3, cached=60, estimated=0,
        dollars=0.25, unpriced=1, failures={}, retries=0, interruptions={"command": 1}, cut=1,
    )  # fmt: skip
    assert found.panelists["Ben"] == Figures(
        turns=1, open=0, completed=0, failed=1, cancelled=0,
        first_token_median=2.0, first_token_p95=2.0, tokens_per_second=2.0,
        speaking_seconds=1.0, share_of_time=0.25, share_of_tokens=0.2,
        words=1, tokens_in=50, tokens_out=2, thinking=0, cached=0, estimated=1,
        dollars=0.0, unpriced=1, failures={"timeout": 1}, retries=1, interruptions={}, cut=0,
    )  # fmt: skip
    assert found.table.turns == 4
    assert (found.table.first_token_median, found.table.first_token_p95) == (1.0, 2.0)
    assert (found.table.share_of_time, found.table.share_of_tokens) == (1.0, 1.0)


def test_who_said_nothing_is_not_measured() -> None:
    cleo = analyse(transcript(*EVENTS)).panelists["Cleo"]
    assert (cleo.turns, cleo.words, cleo.dollars) == (0, 0, 0.0)
    assert cleo.first_token_median is cleo.first_token_p95 is cleo.tokens_per_second is None
    empty = analyse(Transcript())
    assert (empty.table.share_of_time, empty.panelists) == (None, {})


def test_the_parts_make_up_the_whole_at_every_entry() -> None:
    growing = Transcript()
    for entry in entries(EVENTS):
        apply(growing, entry)
        found = analyse(growing)
        for name in ("turns", "open", "words", "tokens_in", "tokens_out", "unpriced", "retries", "cached"):
            parts = sum(getattr(each, name) for each in found.panelists.values())
            assert getattr(found.table, name) == parts
        assert found.table.turns == growing.spent.turns
        assert found.table.tokens_out == growing.spent.tokens_out
        assert found.table.unpriced == growing.spent.unpriced


async def test_they_are_asked_for_while_it_goes_on_and_afterwards(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path)
    live = await convene(client)
    assert (await (await client.get(f"{TABLES}/{live}/analytics")).json())["status"] == "open"
    table = await convene(client, panel=[QUICK], limits={"max_turns": 2})
    await frames(client, table)
    response = await client.get(f"{TABLES}/{table}/analytics")
    found = await response.json()
    assert found["status"] == "closed"
    assert found["panelists"]["Ada"]["words"] == found["table"]["words"] == 4
    again = await client.get(
        f"{TABLES}/{table}/analytics", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert again.status == 304
    assert (await problem(await client.get(f"{TABLES}/none/analytics")))[0] == 404
