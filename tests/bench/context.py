"""Tokens sent for a table of four who say 150 words each: ours, beside the whole transcript in every prompt, and beside
a conversation per panelist into which the whole transcript is put anew at each turn (nesting).

Summaries are ours to pay: their prompts count. Tokens are estimated alike on both sides, four characters each. The
cache is Anthropic's: up to each mark it is written once at its price and read at a tenth, from 1,024 tokens on. Nothing
here takes time, so every run is the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from protocol import kinds
from protocol.messages import Message, Usage
from protocol.transcript import Transcript, apply
from providers import prices
from roundtable.deliberation.record import record
from roundtable.table.projection import Projection, project
from tests import fake_time
from tests.bench.figures import Figure
from tests.scene import Scene

SEATS = ("Ada", "Ben", "Cleo", "Dag")
TURNS = (50, 200)
# 150 words of seven characters with their blanks, ten at a time.
WORDS = ("wordy, " * 10,) * 15
MODEL = "anthropic:claude-sonnet-5-5"
CHARACTERS, LEAST_CACHED = 4, 1_024
# Of the whole transcript, and of nesting, at 50 turns and at 200.
GOALS = {50: (0.8, 0.25), 200: (0.3, 0.02)}
_EVERYTHING = 10**9


class Prompt(NamedTuple):
    """What one panelist is sent: the text in the order that vendors read it in, and where marks for the cache are."""

    whose: str
    text: str
    marks: tuple[int, ...]


def measure() -> Iterator[Figure]:
    """Thousands of tokens, and US dollars for what is sent."""
    for turns in TURNS:
        ours, whole, nested = _played(turns)
        for name, baseline, goal in (
            ("the whole transcript", whole, GOALS[turns][0]), ("nesting", nested, GOALS[turns][1]),
        ):  # fmt: skip
            yield Figure(
                f"tokens of {turns} turns beside {name}", "k", [_tokens(ours)], [_tokens(baseline)], goal
            )
        yield Figure(
            "  in dollars, cached, beside the whole transcript", "$", [_cached(ours)], [_cached(whole)], 1.1
        )
        yield Figure("  in dollars, not cached", "$", [_plain(ours)], [_plain(whole)], GOALS[turns][0])
        yield Figure("  the longest prompt", "k", [_longest(ours)], [_longest(whole)], 1.0)


def _played(turns: int) -> tuple[list[Prompt], list[Prompt], list[Prompt]]:
    """All prompts of a table on each of the three ways."""

    async def play() -> Scene:
        scene = Scene("round_robin", dict.fromkeys(SEATS, WORDS), max_rounds=turns // len(SEATS) + 1)
        await scene.play()
        return scene

    scene = fake_time.run(play())
    ours, whole, nested, table, spoken = list[Prompt](), list[Prompt](), list[Prompt](), Transcript(), 0
    histories: dict[str, str] = dict.fromkeys(SEATS, "")
    asked = iter(scene.voices.asked)
    for entry in scene.entries:
        apply(table, entry)
        started = next((each for each in table.of("started") if each.started_seq == entry.cursor.seq), None)
        if started is None or spoken >= turns:
            continue
        request = next(asked)
        sent = Projection(request.system, request.messages, request.settled)
        ours.append(_prompt(started.panelist, sent))
        if started.kind != kinds.SPEECH:
            continue
        spoken += 1
        seat = table.seat(started.panelist)
        assert seat is not None
        whole.append(_prompt(seat.name, project(table, seat, room=_EVERYTHING)))
        mine = [turn.text for turn in table.of("completed") if turn.panelist == seat.name]
        said = "".join(f"{each.text}\n\n" for each in record(table))
        histories[seat.name] += "".join(mine[-1:]) + table.topic + said
        text = whole[0].text + histories[seat.name]
        nested.append(Prompt(seat.name, text, (len(text),)))
    return ours, whole, nested


def _prompt(whose: str, sent: Projection) -> Prompt:
    *before, last = sent.messages
    head = sent.system + _flat(before)
    marks = {len(sent.system), len(head), len(head) + sent.settled}
    return Prompt(whose, head + last.text, tuple(sorted(marks)))


def _flat(messages: Sequence[Message]) -> str:
    return "".join(f"{message.text}\x00" for message in messages)


def _tokens(prompts: Iterable[Prompt]) -> float:
    return sum(len(each.text) for each in prompts) / CHARACTERS / 1_000


def _longest(prompts: Iterable[Prompt]) -> float:
    return max(len(each.text) for each in prompts) / CHARACTERS / 1_000


def _plain(prompts: Iterable[Prompt]) -> float:
    return sum(_dollars(Usage(input=len(each.text) // CHARACTERS)) for each in prompts)


def _cached(prompts: Iterable[Prompt]) -> float:
    """Each is read as far as a mark of hers before reached with the same text, and written up to its own last mark."""
    written: dict[str, set[str]] = {}
    total = 0.0
    for each in prompts:
        known = written.setdefault(each.whose, set())
        read = max((len(begun) for begun in known if each.text.startswith(begun)), default=0)
        to = max((mark for mark in each.marks if mark // CHARACTERS >= LEAST_CACHED), default=0)
        known.update(each.text[:mark] for mark in each.marks if mark // CHARACTERS >= LEAST_CACHED)
        total += _dollars(
            Usage(
                input=len(each.text) // CHARACTERS,
                cached=read // CHARACTERS,
                cache_write=max(0, to - read) // CHARACTERS,
            )
        )
    return total


def _dollars(used: Usage) -> float:
    cost = prices.cost(MODEL, used)
    assert cost is not None
    return cost.dollars
