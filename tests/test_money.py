"""The hard stop at the cap, what vendors' caches are told, and what cached tokens cost."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.messages import Cost, Message, Panelist, Usage
from protocol.transcript import Transcript
from providers import prices
from providers.anthropic import AnthropicProvider
from providers.base import Chunk, Request, Stop
from providers.openai import OpenAIProvider
from providers.presets import PRESETS
from providers.responses import ResponsesProvider
from roundtable.table import seating
from roundtable.table.budget import Allowance
from roundtable.table.counting import Counter
from roundtable.table.meter import Meter
from tests import fake_time
from tests.misbehaving import MisbehavingServer
from tests.misbehaving_messages import WIRE as MESSAGES
from tests.misbehaving_responses import WIRE as RESPONSES
from tests.scene import Scene, Voices
from tests.tables import BEN, opened, transcript, turn
from tests.test_providers import WIRE as CHAT
from tests.test_providers import listen

SEATS = ("Ada", "Ben", "Cleo", "Dag")


class Boundless(Voices):
    """A provider that knows no limit on what it says, and tells nobody what it used."""

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        async with aclosing(super().stream(msgspec.structs.replace(request, max_tokens=None))) as chunks:
            async for chunk in chunks:
                yield Stop(chunk.reason) if isinstance(chunk, Stop) else chunk


def held(policy: str, voices: Mapping[str, Sequence[Any]], **limits: Any) -> Transcript:
    async def play() -> Transcript:
        scene = Scene(policy, voices, **limits)
        scene.voices = Boundless(voices, scene.log)
        scene.owner = scene.new_owner()
        return await scene.play()

    return fake_time.run(play())


chunks = st.lists(
    st.sampled_from(["a ", "word " * 4, "失败率", "x" * 60, 0.0, 0.01]), min_size=1, max_size=30
)
scripts = st.lists(chunks.map(lambda once: once * 40), min_size=2, max_size=4)
# Tokens of the largest chunk there is, and what is rounded up.
_CHUNK = 15 + 2


@settings(max_examples=30, deadline=None)
@given(scripts, st.sampled_from(["parallel", "round_robin"]), st.integers(900, 6_000), st.booleans())
def test_all_together_never_pass_the_cap_but_by_a_chunk_each(
    voices: list[list[Any]], policy: str, cap: int, verdict: bool
) -> None:
    seats = dict(zip(SEATS, voices, strict=False))
    table = held(policy, seats, max_tokens=cap, max_rounds=3, verdict=verdict)
    used = table.spent.tokens_in + table.spent.tokens_out
    assert used <= cap + _CHUNK * len(seats)
    assert all(turn.stop_reason in ("end", "length") for turn in table.of("completed"))


@settings(max_examples=20, deadline=None)
@given(scripts, st.sampled_from(["parallel", "round_robin"]), st.integers(9, 60))
def test_the_same_of_dollars(voices: list[list[Any]], policy: str, cents: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prices, "cost", lambda _, used: Cost(used.input * 1e-5 + used.output * 1e-4))
        table = held(policy, dict(zip(SEATS, voices, strict=False)), max_dollars=cents / 100, max_rounds=3)
    assert table.spent.dollars <= cents / 100 + 1e-4 * _CHUNK * len(voices)


def test_who_is_stopped_at_the_cap_has_her_words_and_is_heard() -> None:
    endless = ["word "] * 5_000
    table = held("round_robin", {"Ada": endless, "Ben": ["Yes. "]}, max_tokens=2_000, max_rounds=3)
    assert (table.turns[0].status, table.turns[0].stop_reason) == ("completed", "length")
    assert table.turns[0].text.startswith("word word")
    assert table.ended_reason == "max_tokens"


def test_the_upstream_is_closed_at_the_cap() -> None:
    async def play() -> None:
        scene = Scene("round_robin", {"Ada": ["word "] * 9_000}, max_tokens=1_500, max_rounds=1)
        voices = scene.voices = Boundless(scene.voices.scripts, scene.log)
        scene.owner = scene.new_owner()
        await scene.play()
        assert voices.taken["Ada"] < 1_500
        assert voices.open == 0

    fake_time.run(play())


def test_nobody_is_stopped_for_what_has_no_limit_or_no_price() -> None:
    unpriced = Meter(lambda: Allowance(None, 0.01))
    assert unpriced.open("t1", Counter(), prompt=900, price=lambda _: None, share=None)("x" * 9_000)
    table = held("parallel", {name: ["word "] * 3_000 for name in SEATS}, max_rounds=1)
    assert {turn.stop_reason for turn in table.turns} == {"end"}


def test_what_ended_is_counted_once() -> None:
    left = [Allowance(1_000, None)]
    meter = Meter(lambda: left[0])
    one = meter.open("t1", Counter(), prompt=100, price=lambda _: None, share=None)
    other = meter.open("t2", Counter(), prompt=100, price=lambda _: None, share=None)
    assert one("x" * 1_200)
    assert other("x" * 400)
    assert not other("x" * 800), "both together are 800, and as much again would be too much"
    left[0] = Allowance(400, None)  # t1's end is written
    meter.close("t1")
    assert not other("x")
    left[0] = Allowance(2_000, None)  # somebody extended it
    assert other("x")


# -- Prices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "used", "dollars"),
    [
        # A million tokens each of: new input, read from the cache, written to it, output; by the vendors' lists.
        (
            "anthropic:claude-sonnet-5-5",
            Usage(3_000_000, 1_000_000, 0, 1_000_000, 1_000_000),
            2 + 0.1 + 2.5 + 10,
        ),
        ("anthropic:claude-opus-5-5", Usage(2_000_000, 0, 0, 1_000_000, 0), 4 + 0.2),
        ("openai:gpt-5.4-mini", Usage(2_000_000, 1_000_000, 900_000, 1_000_000), 0.75 + 0.075 + 4.5),
        ("gemini:gemini-2.5-flash", Usage(200_000, 0, 0, 100_000), 0.03 + 0.003),
    ],
)
def test_cached_tokens_are_priced_as_such(model: str, used: Usage, dollars: float) -> None:
    cost = prices.cost(model, used)
    assert cost is not None
    assert cost.dollars == pytest.approx(dollars)


# -- Vendors' caches ----------------------------------------------------------------------------------------------

ADA = Panelist("Ada", "anthropic:claude-sonnet-5-5", "A clinician.")


def requests(rounds: int, model: str) -> list[Request]:
    """What Ada is asked at her turns of a table where each says something every round."""
    seat = msgspec.structs.replace(ADA, model=model)
    said: list[Any] = []
    found = []
    for number in range(rounds):
        table = transcript(*opened(seat, BEN), *said, *_queued(2 * number + 1))
        catalog: Any = _Any()
        seated = seating.seat(table, f"t{2 * number + 1}", catalog, None, pictures=_no_picture)
        assert isinstance(seated, seating.Seated)
        found.append(seated.speaker.request)
        said += turn(2 * number + 1, "Ada", f"I say {number}. " * 200)
        said += turn(2 * number + 2, "Ben", f"And I {number}. " * 200)
    return found


def _queued(number: int) -> list[Any]:
    return turn(number, "Ada")[:1]


async def _no_picture(_sha256: str) -> str:
    return ""


class _Any:
    """As `Catalog`, for whatever model."""

    def resolve(self, model: str) -> tuple[Any, str]:
        return Voices({}, None), model.partition(":")[2]  # type: ignore[arg-type]


async def bodies(kind: Any, preset: str, wire: Any, asked: list[Request]) -> list[dict[str, Any]]:
    async with MisbehavingServer(wire) as server:
        provider = kind(msgspec.structs.replace(PRESETS[preset], base_url=server.url), "k" * 20)
        for request in asked:
            await listen(provider, request)
        await provider.close()
    return [each.body for each in server.requests]


def marked(body: dict[str, Any]) -> list[str]:
    """What stands before each mark, all blocks joined as the vendor reads them."""
    parts: list[str] = []
    before: list[str] = []
    for block in [*body["system"], *(block for message in body["messages"] for block in _blocks(message))]:
        parts.append(f"{block.get('role', '')}{block['text']}\x00")
        if "cache_control" in block:
            before.append("".join(parts))
    return before


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    blocks = [{"text": content}] if isinstance(content, str) else content
    return [{**block, "role": message["role"] if place == 0 else ""} for place, block in enumerate(blocks)]


async def test_what_was_marked_begins_the_next_request_byte_for_byte() -> None:
    asked = requests(5, ADA.model)
    sent = await bodies(AnthropicProvider, "anthropic", MESSAGES["text"], asked)
    marks = [marked(body) for body in sent]
    assert [len(each) for each in marks] == [2, 3, 3, 3, 3], (
        "the system, what she said last, what was said since"
    )
    for (earlier, before), (later, after) in pairwise(zip(sent, marks, strict=True)):
        assert after[-2].startswith(before[-1]), "all that was written is read"
        assert len(later["messages"]) == len(earlier["messages"]) + 2, "within the vendor's 20 blocks"
        end = later["messages"][-1]["content"]
        assert "You have the floor" in end[-1]["text"]
        assert "cache_control" not in end[-1]
    whole = "".join(block["text"] for block in sent[-1]["messages"][-1]["content"])
    assert whole == asked[-1].messages[-1].text


async def test_openai_is_told_which_requests_begin_alike_and_no_other_server_is() -> None:
    asked = requests(2, "openai:gpt")
    for kind, preset, wire in (
        (OpenAIProvider, "openai", CHAT["text"]), (ResponsesProvider, "openai", RESPONSES["text"]),
    ):  # fmt: skip
        one, other = await bodies(kind, preset, wire, asked)
        assert one["prompt_cache_key"] == other["prompt_cache_key"] == asked[0].series
        assert len(one["prompt_cache_key"]) <= 64
    [body] = await bodies(OpenAIProvider, "mistral", CHAT["text"], asked[:1])
    assert "prompt_cache_key" not in body
    assert seating._series(Transcript(table="a"), ADA) != seating._series(Transcript(table="b"), ADA)


async def test_a_request_without_a_series_or_anything_settled_is_as_it_was() -> None:
    plain = Request("m", "Be brief.", (Message("user", "Hi"),))
    [body] = await bodies(AnthropicProvider, "anthropic", MESSAGES["text"], [plain])
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    [body] = await bodies(OpenAIProvider, "openai", CHAT["text"], [plain])
    assert "prompt_cache_key" not in body
