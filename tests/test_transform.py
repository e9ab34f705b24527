"""Stages of a flow: in any order nothing is lost, a pace is kept, and closing the last closes all."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import events as e
from roundtable.fanout.framing import FULL, EventStream
from roundtable.fanout.lines import Lines
from roundtable.fanout.stages import Item
from roundtable.fanout.transform import (
    Flow,
    Pacer,
    coalesced,
    enriched,
    filtered,
    formatted,
    paced,
    tokens,
    told,
)
from roundtable.log.base import Record
from tests.fake_time import run
from tests.readers import records
from tests.tables import opened, turn

EVENTS = [*opened(), *turn(1, "Ada", "one "), *turn(2, "Ben", "two "), *turn(3, "Ada", "three ")]
DELTA = e.TurnDelta(turn="t4", panelist="Ada", attempt=1, text="ab", chunks=[(1, 0), (1, 40)])


async def some(*events: e.Event, every: float = 0.0) -> AsyncIterator[Record]:
    for record in records(events):
        if every:
            await asyncio.sleep(every)
        yield record


async def gathered(flow: Flow) -> list[Item]:
    return [item async for item in flow]


STAGES = {
    "filter": lambda flow: filtered(flow, types=["turn.*"], panelists=["Ada"]),
    "coalesce": lambda flow: coalesced(flow, 0.5),
    "enrich": lambda flow: enriched(flow, ["names", "elapsed", "cost"]),
    "pace": lambda flow: paced(flow, Pacer(events=100)),
}


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(STAGES)), max_size=6), st.integers(0, len(EVENTS)))
def test_stages_in_any_order_pass_every_place_once_and_lose_no_word(names: list[str], start: int) -> None:
    async def scene() -> None:
        flow = told(some(*EVENTS), FULL)
        for name in names:
            flow = STAGES[name](flow)
        items = await gathered(flow)
        assert [item.cursor.seq for item in items] == list(range(1, len(EVENTS) + 1))
        shown = [json.loads(item.data) for item in items if item.shown]
        said = "".join(each["text"] for each in shown if each["type"] == "turn.delta")
        assert said == ("one three " if "filter" in names else "one two three ")

    run(scene())


@pytest.mark.parametrize(
    ("first", "second"), [("filter", "enrich"), ("enrich", "coalesce"), ("filter", "pace")]
)
def test_these_change_places(first: str, second: str) -> None:
    async def shown(*names: str) -> list[Any]:
        flow = told(some(*EVENTS, DELTA, DELTA), FULL)
        for name in names:
            flow = STAGES[name](flow)
        return [json.loads(item.data) for item in await gathered(flow) if item.shown]

    async def scene() -> None:
        assert await shown(first, second) == await shown(second, first)

    run(scene())


def test_words_wait_no_longer_than_they_are_told_to() -> None:
    async def scene() -> None:
        flow = coalesced(told(some(*[DELTA] * 6, every=0.4), FULL), 1.0)
        seen = [(asyncio.get_running_loop().time(), item) async for item in flow if item.shown]
        assert [json.loads(item.data)["text"] for _, item in seen] == ["ababab", "ababab"]
        assert [round(at, 1) for at, _ in seen] == [1.4, 2.4]

    run(scene())


@pytest.mark.parametrize(
    ("pacer", "seconds"),
    [
        (Pacer(events=2), [0, 0.5, 1.0, 1.5]),
        (Pacer(tokens=4), [0, 0.5, 1.0, 1.5]),
        (Pacer(events=1, tokens=4), [0, 1, 2, 3]),
        (Pacer(), [0, 0, 0, 0]),
    ],
)
def test_a_pace_is_kept(pacer: Pacer, seconds: list[float]) -> None:
    async def scene() -> None:
        flow = paced(told(some(*[DELTA] * 4), FULL), pacer)
        assert [asyncio.get_running_loop().time() async for _ in flow] == seconds

    run(scene())


def test_who_shares_a_pacer_shares_the_pace() -> None:
    async def scene() -> None:
        pacer = Pacer(events=4)
        flows = [paced(told(some(*[DELTA] * 4), FULL), pacer) for _ in range(2)]
        await asyncio.gather(*map(gathered, flows))
        assert asyncio.get_running_loop().time() == 7 / 4

    run(scene())


def test_tokens_are_counted_as_they_were_sent() -> None:
    async def scene() -> list[int]:
        return [tokens(item) async for item in told(some(DELTA, turn(1, "Ada")[2], CLOSED), FULL)]

    CLOSED = e.TableClosed(reason="x")  # noqa: N806
    assert run(scene()) == [2, 1, 0]
    step = Item(records([DELTA])[0].cursor, b"step", b"{}")
    assert tokens(step) == 1
    assert tokens(step._replace(event=b"turn.delta", data=b"?")) == 1


def test_words_told_apart_are_joined_again() -> None:
    async def scene() -> None:
        apart = await gathered(told(some(DELTA), FULL, apart=True))
        assert [str(item.cursor).partition("-")[2] for item in apart] == ["1.1", "1"]
        joined = await gathered(coalesced(told(some(DELTA), FULL, apart=True), 1.0))
        assert json.loads(joined[-1].data) == json.loads(records([DELTA])[0].body)

    run(scene())


@pytest.mark.parametrize("framing", [EventStream(), Lines()])
def test_formatted_is_what_a_channel_sends(framing: Any) -> None:
    async def scene() -> None:
        frames = [frame async for frame in formatted(told(some(*EVENTS), FULL), framing)]
        assert b"".join(frames) == framing.entries(records(EVENTS))

    run(scene())


@pytest.mark.parametrize("name", STAGES)
def test_closing_the_last_stage_closes_the_first(name: str) -> None:
    closed = []

    async def source() -> Flow:
        try:
            async for item in told(some(*EVENTS, every=10), FULL):
                yield item
        finally:
            closed.append(name)

    async def scene() -> None:
        flow = STAGES[name](source())
        await anext(flow)
        await flow.aclose()
        assert closed == [name]

    run(scene())
