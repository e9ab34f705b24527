"""Fairness and back-pressure of the merge, and what joined words remember."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from protocol.events import TurnCompleted, TurnDelta, TurnEvent, TurnThinking
from roundtable.table.merge import MAX_WAITING, QUANTUM, Happened, Merge, coalesce, pieces, tokens
from tests.fake_time import run


def delta(turn: str, text: str, at: float = 0.0) -> Happened:
    return Happened(at, TurnDelta(turn=turn, panelist=turn, attempt=1, text=text))


def spoken(items: list[Happened], turn: str) -> str:
    return "".join(
        item.event.text for item in items if isinstance(item.event, TurnDelta) and item.event.turn == turn
    )


@given(
    st.lists(st.lists(st.integers(0, 60), min_size=40, max_size=80), min_size=2, max_size=6),
    st.integers(1, 4096),
)
def test_no_stream_gets_ahead_by_more_than_a_quantum_while_both_have_words(
    sizes: list[list[int]], budget: int
) -> None:
    async def scenario() -> None:
        merge = Merge(asyncio.Event())
        sources = [merge.open() for _ in sizes]
        for number, (source, lengths) in enumerate(zip(sources, sizes, strict=True)):
            for length in lengths:
                for piece in pieces("ab " * length):  # all of it less than MAX_WAITING
                    await source.put(delta(str(number), piece))
        given_out = dict.fromkeys(map(str, range(len(sizes))), 0)
        while all(source.waiting for source in sources):
            for item in merge.take(budget):
                assert isinstance(item.event, TurnDelta)
                given_out[item.event.turn] += tokens(item.event.text)
                if all(source.waiting for source in sources):
                    assert max(given_out.values()) - min(given_out.values()) <= QUANTUM

    run(scenario())


@given(st.text(max_size=2_000) | st.text("ab \n", max_size=2_000))
def test_pieces_are_small_and_lose_nothing(text: str) -> None:
    parts = pieces(text)
    assert "".join(parts) == text
    assert all(tokens(part) <= QUANTUM // 4 for part in parts)
    assert len(parts) == 1 or all(parts)


def test_nothing_is_lost_doubled_or_reordered() -> None:
    async def scenario() -> list[Happened]:
        merge = Merge(asyncio.Event())
        taken: list[Happened] = []

        async def speak(turn: str, count: int) -> None:
            source = merge.open()
            for number in range(count):
                await source.put(delta(turn, f"{number} " * 9))

        async with asyncio.TaskGroup() as group:
            group.create_task(speak("a", 900))
            group.create_task(speak("b", 50))
            while sum(1 for _ in taken) < 950:
                await merge.arrived.wait()
                merge.arrived.clear()
                taken += merge.take(1000)
        return taken

    taken = run(scenario())
    assert spoken(taken, "a") == "".join(f"{number} " * 9 for number in range(900))
    assert spoken(taken, "b") == "".join(f"{number} " * 9 for number in range(50))


def test_a_full_buffer_stops_its_own_source_only() -> None:
    async def scenario() -> None:
        merge = Merge(asyncio.Event())
        full, other = merge.open(), merge.open()
        await full.put(delta("a", "x" * MAX_WAITING))
        blocked = asyncio.create_task(full.put(delta("a", "more")))
        await other.put(delta("b", "free"))
        await asyncio.sleep(0)
        assert not blocked.done()
        while not blocked.done():
            merge.take(QUANTUM)
            await asyncio.sleep(0)

    run(scenario())


def test_joined_words_remember_how_they_came() -> None:
    end = Happened(1.5, TurnCompleted(turn="a", panelist="a", text="One two"))
    think = Happened(0.5, TurnThinking(turn="a", panelist="a", attempt=1, text="Hm"))
    items = [think, delta("a", "One", 1.0), delta("a", " two", 1.25), delta("b", "x", 1.3), end]
    joined = coalesce(items)
    assert [type(item.event) for item in joined] == [TurnThinking, TurnDelta, TurnDelta, TurnCompleted]
    words: TurnEvent = joined[1].event
    assert isinstance(words, TurnDelta)
    assert (words.text, words.chunks, joined[1].at) == ("One two", [(3, 0), (4, 250)], 1.0)
    assert joined[2] == items[3]
