"""Several turns at once: who starts, who hears whom, how they end, and what they take from each other."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import commands
from protocol import events as e
from protocol.codec import encode_body
from protocol.cursor import Cursor
from protocol.errors import ProviderError
from protocol.messages import Cost
from providers import prices
from roundtable.log.base import Record
from roundtable.table.merge import MAX_WAITING, QUANTUM, tokens
from tests import fake_time
from tests.scene import FOREVER, MemoryLog, Scene

SEATS = ("Ada", "Ben", "Cleo", "Dag")
LONG = [f"word{number} " for number in range(5_000)]  # more than twice what a buffer holds
ENDED = e.TurnCompleted | e.TurnFailed | e.TurnCancelled


def in_fake_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Only for tests without arguments."""

    def run() -> None:
        fake_time.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def events(scene: Scene, *types: Any) -> list[Any]:
    return [entry.event for entry in scene.entries if isinstance(entry.event, types)]


def prompts(scene: Scene, name: str) -> list[str]:
    asked = [request.messages for request in scene.voices.asked if request.speaker == name]
    return ["".join(message.text for message in messages) for messages in asked]


# -- rounds ------------------------------------------------------------------------------------------------------


@in_fake_time
async def test_all_speak_at_once_and_hear_each_other_a_round_later() -> None:
    scene = Scene(
        "parallel", {name: [1.0 + seat, f"{name}'s."] for seat, name in enumerate(SEATS)}, max_rounds=2
    )
    table = await scene.play()
    assert table.ended_reason == "max_rounds"
    assert table.at == pytest.approx(table.opened_at + 8.0), "two rounds as long as the slowest voice"
    started = [turn.started_at for turn in table.turns]
    assert started == sorted([started[0]] * 4 + [started[4]] * 4)
    for name in SEATS:
        first, second = prompts(scene, name)
        assert not any(f"{other}'s." in first for other in SEATS)
        assert all(f"{other}'s." in second for other in SEATS)


@in_fake_time
async def test_one_who_is_asked_answers_at_once_or_right_after_her_turn() -> None:
    scene = Scene("parallel", {"Ada": [2.0, "A."], "Ben": [6.0, "B."], "Cleo": [9.0, "C."]}, max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(3.0)  # Ada is done, the others speak
        scene.tell(commands.Say("Ada?", to="Ada"))
        scene.tell(commands.Say("Ben?", to="Ben"))
    table = scene.table
    answers = [(turn.panelist, round(turn.started_at - table.opened_at, 3)) for turn in table.turns[3:]]
    assert answers == [("Ada", 3.0), ("Ben", 6.0)]
    assert "A." in prompts(scene, "Ben")[1], "who answers a person hears everything"
    assert (table.round, round(table.at - table.opened_at, 3)) == (1, 12.0)


@in_fake_time
async def test_paused_nobody_new_begins() -> None:
    scene = Scene("parallel", {"Ada": [1.0, "A."], "Ben": [2.0, "B."]}, max_rounds=2)
    async with scene.playing():
        await asyncio.sleep(0.5)
        scene.tell(commands.Pause())
        scene.tell(commands.Say("Ada?", to="Ada"))
        await asyncio.sleep(60.0)
        assert [turn.status for turn in scene.table.turns] == ["completed"] * 2
        scene.tell(commands.Resume())
    assert [turn.panelist for turn in scene.table.turns] == ["Ada", "Ben", "Ada", "Ada", "Ben"]


@in_fake_time
async def test_who_left_is_not_waited_for() -> None:
    gone = ProviderError("No key.", code="auth")
    scene = Scene("parallel", {"Ada": [gone], "Ben": [1.0, "B."], "Cleo": [1.0, "C."]}, max_rounds=2)
    table = await scene.play()
    assert [turn.panelist for turn in table.turns] == ["Ada", "Ben", "Cleo", "Ben", "Cleo"]


@in_fake_time
async def test_the_floor_goes_to_whoever_spoke_least() -> None:
    said = {"Ada": ["a "] * 9, "Ben": ["b "] * 2, "Cleo": ["c "] * 3}
    scene = Scene("floor_time", said, max_turns=7)
    table = await scene.play()
    assert [turn.panelist for turn in table.turns] == ["Ada", "Ben", "Cleo", "Ben", "Cleo", "Ben", "Cleo"]
    assert [turn.reason for turn in table.turns[:4]] == [
        "", "spoke least so far, 0 tokens", "spoke least so far, 0 tokens", "spoke least so far, 2 tokens",
    ]  # fmt: skip


# -- limits ------------------------------------------------------------------------------------------------------


@in_fake_time
async def test_only_as_many_start_as_there_are_turns_left() -> None:
    table = await Scene("parallel", {name: [1.0, "x"] for name in SEATS}, max_turns=3).play()
    assert [turn.status for turn in table.turns] == ["completed"] * 3
    assert table.ended_reason == "max_turns"


@in_fake_time
async def test_when_the_time_is_over_all_are_cut_at_once() -> None:
    """Also when no further turn could start anyway."""
    scene = Scene("parallel", {name: ["x ", FOREVER] for name in SEATS}, max_seconds=5.0, max_turns=4)
    table = await scene.play()
    assert [(turn.status, turn.reason, turn.text) for turn in table.turns] == [
        ("cancelled", "max_seconds", "x ")
    ] * 4
    assert table.at - table.opened_at == pytest.approx(5.0)
    assert scene.log.appends[-1] == 5, "four ends and the table's, in one append"


@pytest.mark.parametrize("limit", [300, 1_500, 2_500, 9_000])
def test_those_who_speak_at_once_share_the_tokens_that_are_left(limit: int) -> None:
    async def play() -> None:
        scene = Scene("parallel", {name: [0.5, *LONG] for name in SEATS}, max_tokens=limit)
        table = await scene.play()
        assert table.ended_reason == "max_tokens"
        assert table.spent.tokens_out <= limit
        if limit > 300:
            assert table.spent.tokens_in + table.spent.tokens_out <= limit
        if limit == 9_000:
            assert len(table.of("completed")) == 4
            assert {turn.reason for turn in table.turns[4:]} == {"max_tokens"}, (
                "nobody begins what cannot be paid"
            )
            shares = [turn.usage.output for turn in table.turns if turn.usage]
            assert max(shares) - min(shares) < 10
        if limit == 300:
            assert len(table.of("completed")) == 1, "the prompts alone would be too much"

    fake_time.run(play())


def test_dollars_are_shared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "cost", lambda _, usage: Cost(usage.input * 1e-5 + usage.output * 1e-4))

    async def play() -> None:
        table = await Scene("parallel", {name: [0.5, *LONG] for name in SEATS}, max_dollars=0.5).play()
        assert table.ended_reason == "max_dollars"
        assert 0.45 < table.spent.dollars <= 0.5
        assert len(table.of("completed")) >= 4

    fake_time.run(play())


# -- stopping ----------------------------------------------------------------------------------------------------


@in_fake_time
async def test_several_are_cancelled_at_once_and_a_slow_provider_holds_up_nobody() -> None:
    scene = Scene("parallel", {name: ["x ", FOREVER] for name in SEATS}, max_rounds=1)
    scene.voices.closing = FOREVER
    async with scene.playing():
        await asyncio.sleep(1.0)
        at = scene.log.records[-1].cursor.seq
        scene.tell(commands.Cancel("t2"))
        scene.tell(commands.Pause())
        scene.tell(commands.Cancel("t1"))
        scene.tell(commands.Say("Hm?"))
        scene.tell(commands.Cancel("t2"))
        scene.tell(commands.Close())
        await asyncio.sleep(0.1)
        after = [
            (type(entry.event), getattr(entry.event, "command", None) or None) for entry in scene.entries[at:]
        ]
        assert after == [
            (e.TurnCancelled, "k1"), (e.TablePaused, "k2"), (e.TurnCancelled, "k3"), (e.MessagePosted, "k4"),
            (e.CommandRefused, "k5"), (e.TurnCancelled, None), (e.TurnCancelled, None), (e.TableClosed, "k6"),
        ]  # fmt: skip
        assert scene.voices.open == 4
    assert scene.voices.open == 0, "whoever does not close in time is cut short in that"


@in_fake_time
async def test_the_next_owner_closes_all_open_turns_and_goes_on() -> None:
    scene = Scene("parallel", {name: ["x ", 5.0, "y"] for name in SEATS}, max_turns=8)
    await scene.owner.begin(scene.opening)
    task = asyncio.create_task(scene.owner.run())
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.wait([task])
    assert scene.voices.open == 0
    left = scene.table
    assert len(left.of("started")) == 4
    scene.owner = scene.new_owner()
    await scene.owner.take_over(left)
    async with scene.held():
        pass
    table = scene.table
    assert [turn.error.code for turn in table.of("failed") if turn.error] == ["interrupted"] * 4
    assert [turn.text for turn in table.turns] == ["x "] * 4 + ["x y"] * 4


@in_fake_time
async def test_a_late_starter_hears_nothing_of_its_own_round() -> None:
    """A node dies in the middle of an append that gives several the floor; half the round is held without the rest."""
    scene = Scene("parallel", {"Ada": [1.0, "A."], "Ben": [1.0, "B."]}, max_turns=3)
    await scene.owner.begin(scene.opening)
    entries: list[Record] = scene.log.records
    del entries[-1]  # Ben's `turn.started` was in the part that was not written
    half = scene.table
    assert [turn.status for turn in half.turns] == ["started", "queued"]
    seq = entries[-1].cursor.seq
    for event in (e.TurnDelta(turn="t1", panelist="Ada", attempt=1, text="A."),
                  e.TurnCompleted(turn="t1", panelist="Ada", text="A.")):  # fmt: skip
        seq += 1
        entries.append(Record(Cursor(entries[-1].cursor.term, seq), _body(event, half.at)))
    scene.owner = scene.new_owner()
    await scene.owner.take_over(scene.table)
    async with scene.held():
        pass
    assert [turn.panelist for turn in scene.table.of("completed")] == ["Ada", "Ben", "Ada"]
    assert "A." not in prompts(scene, "Ben")[0]
    assert "B." in prompts(scene, "Ada")[-1]


def _body(event: e.Event, at: float) -> bytes:
    return encode_body(event, at)


# -- back-pressure and fairness ----------------------------------------------------------------------------------


@in_fake_time
async def test_a_log_that_does_not_answer_stops_the_providers() -> None:
    scene = Scene("parallel", dict.fromkeys(SEATS, LONG), max_rounds=1)
    async with scene.playing():
        await asyncio.sleep(0)
        scene.log.open.clear()
        await asyncio.sleep(30.0)
        taken = dict(scene.voices.taken)
        for turn in scene.owner._transcript.turns:  # as noted, with the append under way
            waiting = sum(map(len, LONG[: taken[turn.panelist]])) - len(turn.text)
            assert MAX_WAITING // 2 < waiting <= MAX_WAITING + 2 * len(LONG[-1])
        await asyncio.sleep(300.0)
        assert scene.voices.taken == taken, "nothing more is read, however long it lasts"
        scene.log.open.set()
    assert [turn.text for turn in scene.table.turns] == ["".join(LONG)] * 4


@in_fake_time
async def test_a_command_comes_before_the_words_that_wait() -> None:
    for command in (commands.Cancel("t1"), commands.Pause(), commands.Close()):
        log = MemoryLog(lambda: 0.1)
        scene = Scene("parallel", dict.fromkeys(SEATS, LONG), log=log, max_rounds=1)
        async with scene.playing():
            await asyncio.sleep(0.05)  # an append is under way, and the buffers fill behind it
            before = len(log.records)
            key = scene.tell(command)
            await asyncio.sleep(0.2)
            under_way, behind = log.appends[-2], scene.entries[before + log.appends[-2] :]
            assert under_way > 1
            assert getattr(behind[0].event, "command", None) == key or isinstance(command, commands.Close)
            effect = next(
                place for place, each in enumerate(behind) if getattr(each.event, "command", "") == key
            )
            assert not any(isinstance(each.event, e.TurnDelta) for each in behind[:effect])
            if isinstance(command, commands.Cancel):
                assert "t1" not in [getattr(each.event, "turn", "") for each in behind[1:]]
            else:
                scene.tell(commands.Close())
        assert scene.table.status == "closed"


class Fairness:
    """Holds every append against the promise: over any stretch in which two turns both have words waiting, neither gets
    more than a quantum ahead. Within an append a turn has words waiting until its last ones there, and throughout
    where more wait behind it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.waiting: list[set[str]] = []  # behind each append, as it arrives at the log
        scene.log.asked = self._note
        self.ahead: Counter[tuple[str, str]] = (
            Counter()
        )  # tokens of the first over the second, over this stretch
        self.compared = 0

    def _note(self) -> None:
        speaking = self.scene.owner._floor._speaking.values()
        self.waiting.append({each.run._speaker.panelist for each in speaking if each.source.waiting})

    def check(self) -> None:
        place, entries = 0, self.scene.entries
        for waiting, count in zip(self.waiting, self.scene.log.appends, strict=True):
            batch = [entry.event for entry in entries[place : place + count]]
            self._append([event for event in batch if isinstance(event, e.TurnDelta)], waiting)
            place += count

    def _append(self, words: list[e.TurnDelta], waiting: set[str]) -> None:
        to_come = Counter(event.panelist for event in words)
        for event in words:
            to_come[event.panelist] -= 1
            for other in SEATS:
                if other == event.panelist:
                    continue
                if to_come[other] or other in waiting:
                    self._said(event.panelist, other, _tokens(event))
                else:
                    self.ahead[event.panelist, other] = self.ahead[other, event.panelist] = 0
        for one, other in self.ahead:
            if not waiting.issuperset((one, other)):
                self.ahead[one, other] = 0

    def _said(self, one: str, other: str, tokens: int) -> None:
        self.compared += 1
        self.ahead[one, other] += tokens
        self.ahead[other, one] -= tokens
        assert self.ahead[one, other] <= QUANTUM


def _tokens(event: e.TurnDelta) -> int:
    """Of each part as it came."""
    at, size = 0, 0
    for length, _ in event.chunks or [(len(event.text), 0)]:
        size += tokens(event.text[at : at + length])
        at += length
    return size


chunk = st.sampled_from(
    ["a ", "word ", "internationalisation ", "three more words ", "a whole sentence of words. " * 5]
)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(chunk, min_size=1, max_size=3), st.sampled_from([0.0, 0.001])),
        min_size=2,
        max_size=4,
    ),
    st.lists(st.sampled_from([0.001, 0.02, 0.3]), min_size=1, max_size=5),
)
def test_at_the_log_no_stream_with_words_waiting_falls_behind_by_more_than_a_quantum(
    voices: list[tuple[list[str], float]], appends: list[float]
) -> None:
    async def play() -> None:
        scripts: dict[str, list[str | float | Exception]] = {}
        for name, (chunks, pause) in zip(SEATS, voices, strict=False):
            said: list[str | float | Exception] = []
            for number in range(400):
                said.append(chunks[number % len(chunks)])
                if pause and number % 20 == 0:
                    said.append(pause)
            scripts[name] = said
        times = iter(appends * 10_000)
        scene = Scene("parallel", scripts, log=MemoryLog(lambda: next(times)), max_rounds=1)
        fairness = Fairness(scene)
        table = await scene.play()
        fairness.check()
        if not any(pause for _, pause in voices):
            assert fairness.compared > 10, "there was something to share"
        for turn in table.turns:
            assert turn.text == "".join(step for step in scripts[turn.panelist] if isinstance(step, str))

    fake_time.run(play())
