"""A whole table without a server: real store, scripted models, the orchestrator between them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import codec, commands
from protocol import events as e
from protocol.errors import Conflict, LogUnavailable
from protocol.messages import Cost, Limits, Panelist
from protocol.transcript import Transcript, fold
from providers import prices
from providers.catalog import Catalog
from roundtable import policies
from roundtable.log.base import EventLog, Outcome, Record
from roundtable.log.sqlite import SqliteLog
from roundtable.table.orchestrator import StreamOrchestrator
from tests.tables import until

STREAM = "table/test"


class Wall:
    """Unix seconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now = 1_763_675_000.0

    def __call__(self) -> float:
        return self.now


def speaking(transcript: Transcript) -> bool:
    return any(turn.text for turn in transcript.of("started"))


def seat(name: str, **options: Any) -> Panelist:
    return Panelist(name, f"scripted:{name.lower()}", options={"text": f"I am {name}.", "rate": 0, **options})


@asynccontextmanager
async def store(folder: Path) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(folder)
    try:
        yield log
    finally:
        await log.close()


class Table:
    """One table under test. `run` begins it (or takes it over) and holds it to its end."""

    def __init__(
        self,
        log: EventLog,
        *panel: Panelist,
        then: e.Then = "close",
        clock: Wall | None = None,
        **limits: Any,
    ) -> None:
        self.log = log
        self.clock = clock or Wall()
        self.catalog = Catalog({})
        self.opening = e.TableOpened(
            table="test",
            topic="Why?",
            panel=list(panel),
            policy="round_robin",
            limits=Limits(**limits),
            then=then,
        )
        self.owner = self.new_owner()
        self.position = 0

    def new_owner(self) -> StreamOrchestrator:
        policy = policies.find("round_robin")
        return StreamOrchestrator(STREAM, self.log, self.catalog, policy, owner="test", clock=self.clock)

    def tell(self, command: commands.ANY) -> str:
        self.position += 1
        key = f"k{self.position}"
        self.owner.deliver(self.position, e.CommandSubmitted(key=key, command=command))
        return key

    async def run(self, *, until: float = 20.0) -> None:
        async with asyncio.timeout(until):
            await self.owner.run()

    async def begin_and_run(self) -> list[e.Entry]:
        await self.owner.begin(self.opening)
        await self.run()
        return await self.entries()

    async def entries(self) -> list[e.Entry]:
        return [
            codec.decode_body(*record)
            for record in await self.log.read(STREAM, 0, limit=100_000, max_bytes=10**8)
        ]

    async def until(self, reached: Callable[[Transcript], object]) -> None:
        await until(self.log, STREAM, reached)


def kinds(entries: list[e.Entry]) -> list[str]:
    return [codec.event_type(entry.event) for entry in entries]


def of(entries: list[e.Entry], *types: Any) -> list[Any]:
    return [entry.event for entry in entries if isinstance(entry.event, types)]


def check(entries: list[e.Entry]) -> Transcript:
    """What must hold for every log: it folds, it is dense, time never runs backwards, each turn ended once."""
    assert [entry.cursor.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    started = [event.turn for event in of(entries, e.TurnStarted)]
    ended = [event.turn for event in of(entries, e.TurnCompleted, e.TurnFailed, e.TurnCancelled)]
    assert len(ended) == len(set(ended))
    assert set(started) <= set(ended)
    for event in of(entries, e.TurnCompleted, e.TurnFailed, e.TurnCancelled):
        said = "".join(delta.text for delta in of(entries, e.TurnDelta) if delta.turn == event.turn)
        assert said == event.text
    return fold(entries)


async def test_a_table_from_its_opening_to_its_end(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        entries = await Table(log, seat("Ada"), seat("Ben"), max_turns=3).begin_and_run()
    table = check(entries)
    assert kinds(entries)[:6] == [
        "term.began", "table.opened", "round.started", "turn.queued", "turn.queued", "turn.started",
    ]  # fmt: skip
    assert [(turn.panelist, turn.text) for turn in table.turns] == [
        ("Ada", "I am Ada."), ("Ben", "I am Ben."), ("Ada", "I am Ada."),
    ]  # fmt: skip
    assert (table.status, table.ended_reason) == ("closed", "max_turns")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_rounds": 2}, "max_rounds"),
        ({"max_turns": 1}, "max_turns"),
        ({"max_tokens": 1}, "max_tokens"),
        ({"max_rounds": 9, "max_turns": 2}, "max_turns"),
    ],
)
async def test_what_ended_the_table_is_said(tmp_path: Path, limits: dict[str, Any], reason: str) -> None:
    async with store(tmp_path) as log:
        table = check(await Table(log, seat("Ada"), **limits).begin_and_run())
    assert table.ended_reason == reason


async def test_dollars_end_a_table_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are not passed: a turn that could say no more than a sentence for what is left does not begin."""
    monkeypatch.setattr(prices, "cost", lambda model, usage: Cost(usage.output * 0.01))
    async with store(tmp_path) as log:
        table = check(await Table(log, seat("Ada", text="word " * 80), max_dollars=2.0).begin_and_run())
    assert (table.ended_reason, table.spent.turns, table.spent.dollars) == ("max_dollars", 2, 1.6)


async def test_when_the_time_is_over_the_speaker_is_cut(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        table = Table(log, seat("Ada", hang_after=1), max_seconds=5.0)
        await table.owner.begin(table.opening)
        running = asyncio.create_task(table.run())
        await table.until(speaking)
        table.clock.now += 6
        table.owner.deliver(
            1, e.CommandSubmitted(key="k", command=commands.Say("Hurry."))
        )  # any stir will do
        await running
        transcript = check(await table.entries())
    assert (transcript.ended_reason, transcript.turns[0].reason) == ("max_seconds", "max_seconds")


async def test_one_who_fails_does_not_end_the_table(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        entries = await Table(
            log, seat("Ada", fail_after=2, error="auth"), seat("Ben"), max_turns=4
        ).begin_and_run()
    table = check(entries)
    assert [turn.panelist for turn in table.turns if turn.status == "completed"] == ["Ben"] * 3
    assert (table.turns[0].text, table.absent["Ada"].code) == ("I am", "auth")


async def test_with_nobody_left_it_ends_and_says_so(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        table = check(await Table(log, seat("Ada", error="auth"), max_turns=9).begin_and_run())
    assert (table.ended_reason, table.spent.turns) == ("no_panelists", 1)


async def test_a_model_that_is_gone_at_its_turn_fails_that_turn(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        table = check(
            await Table(log, Panelist("Ada", "openai:gpt-x"), seat("Ben"), max_turns=2).begin_and_run()
        )
    assert [turn.status for turn in table.turns] == ["failed", "completed"]
    assert table.turns[0].error is not None
    assert table.turns[0].error.code == "not_configured"


async def test_commands_have_their_effect_once_and_in_order(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        table = Table(log, seat("Ada", hang_after=1), seat("Ben", hang_after=1), max_turns=3)
        await table.owner.begin(table.opening)
        running = asyncio.create_task(table.run())
        await table.until(speaking)
        keys = [
            table.tell(command)
            for command in (
                commands.Say("Ben?", to="Ben", author="Maria"), commands.Pause(), commands.Pause(),
                commands.Cancel("t1"), commands.Cancel("t1"), commands.Cancel("t9"), commands.Resume(),
                commands.Say("Who?", to="Nobody"),
            )
        ]  # fmt: skip
        table.owner.deliver(1, e.CommandSubmitted(key="k1", command=commands.Say("Again?")))
        await table.until(lambda transcript: keys[-1] in transcript.commands)
        table.tell(commands.Close())
        await running
        entries = await table.entries()
    transcript = check(entries)
    effects = [(_key(entry.event), codec.event_type(entry.event)) for entry in entries if _key(entry.event)]
    assert effects == list(
        zip(
            [*keys, "k9"],
            ["message.posted", "table.paused", "command.refused", "turn.cancelled", "command.refused",
             "command.refused", "table.resumed", "command.refused", "table.closed"],
            strict=True,
        )
    )  # fmt: skip
    assert len(transcript.messages) == 1
    assert transcript.turns[0].text == "I"


def _key(event: e.Event) -> str:
    return getattr(event, "command", "") or ""


async def test_whoever_is_asked_speaks_next(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        table = Table(log, seat("Ada"), seat("Ben"), seat("Cleo"), max_turns=4)
        await table.owner.begin(table.opening)
        table.tell(commands.Say("Cleo next, please.", to="Cleo"))
        await table.run()
        transcript = check(await table.entries())
    order = sorted((turn for turn in transcript.turns if turn.started_seq), key=lambda turn: turn.started_seq)
    assert [turn.panelist for turn in order] == ["Ada", "Cleo", "Ben", "Cleo"]


async def test_a_resting_table_costs_no_owner_and_wakes_with_its_limits_anew(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        table = Table(log, seat("Ada"), then="rest", max_turns=2)
        first = check(await table.begin_and_run())
        assert (first.status, first.ended_reason) == ("resting", "max_turns")
        table.owner = table.new_owner()
        await table.owner.take_over(first)
        table.tell(commands.Say("And now?"))
        await table.run()
        entries = await table.entries()
    assert check(entries).spent.turns == 4
    assert kinds(entries).count("table.rested") == 2


async def test_the_next_owner_closes_the_open_turn_and_goes_on(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        table = Table(log, seat("Ada", hang_after=2), seat("Ben"), max_turns=2)
        await table.owner.begin(table.opening)
        running = asyncio.create_task(table.run())
        await table.until(speaking)
        running.cancel()
        await asyncio.wait([running])
        left = fold(await table.entries())
        term = (await table.entries())[-1].cursor.term
        assert left.of("started")
        table.owner = table.new_owner()
        await table.owner.take_over(left)
        await table.run()
        entries = await table.entries()
    transcript = check(entries)
    assert (transcript.turns[0].status, transcript.turns[0].text) == ("failed", "I am")
    assert transcript.turns[0].error is not None
    assert transcript.turns[0].error.code == "interrupted"
    assert (transcript.ended_reason, entries[-1].cursor.term > term) == ("max_turns", True)


async def test_an_owner_that_was_overtaken_writes_no_more(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        table = Table(log, seat("Ada", hang_after=1), seat("Ben"), max_turns=2)
        await table.owner.begin(table.opening)
        old = asyncio.create_task(table.run())
        await table.until(speaking)
        new = table.new_owner()
        await new.take_over(fold(await table.entries()))
        table.tell(commands.Say("Are you there?"))
        with pytest.raises(ExceptionGroup) as caught:
            await old
        assert caught.group_contains(Conflict)
        table.owner = new
        await table.run()
        assert not check(await table.entries()).messages


class Hiccups:
    """A store that fails some appends: before writing, or after it with the outcome unknown."""

    def __init__(self, log: SqliteLog, failures: list[str]) -> None:
        self._log = log
        self._failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, stream: str, expected: Any, batch: list[Record]) -> Outcome:
        failure = self._failures.pop(0) if self._failures else ""
        if failure == "before":
            raise LogUnavailable("The disk is full.")
        outcome = await self._log.append(stream, expected, batch)
        if failure == "after":
            raise LogUnavailable("No answer.")
        return outcome


async def test_a_store_that_hiccups_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with store(tmp_path) as log:
        hiccups: Any = Hiccups(log, ["", "after", "before", "before", "after", "", "after"])
        table = check(await Table(hiccups, seat("Ada"), seat("Ben"), max_turns=4).begin_and_run())
    assert [turn.status for turn in table.turns] == ["completed"] * 4


async def test_words_wait_for_no_timer_and_a_busy_store_batches(tmp_path: Path) -> None:
    words = " ".join(str(number) for number in range(3_000))
    async with store(tmp_path) as log:
        entries = await Table(log, seat("Ada", text=words), max_turns=1).begin_and_run()
    assert check(entries).turns[0].text == words
    deltas = of(entries, e.TurnDelta)
    assert len(deltas) < 1_500
    assert all(sum(length for length, _ in delta.chunks or []) in (0, len(delta.text)) for delta in deltas)


script = st.fixed_dictionaries(
    {"text": st.sampled_from(["Yes.", "No, and here is why: " * 9])},
    optional={
        "fail_after": st.integers(0, 4),
        "error": st.sampled_from(["auth", "malformed"]),
        "rate": st.sampled_from([0, 2_000]),
        "thinking": st.just("Hm."),
    },
)
order = st.sampled_from(
    [
        commands.Say("Hm?"),
        commands.Say("Ada?", to="Ada"),
        commands.Pause(),
        commands.Resume(),
        commands.Cancel("t1"),
        commands.Cancel("t3"),
        commands.Retry("t1"),
    ]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(script, min_size=1, max_size=4), st.lists(st.tuples(order, st.integers(0, 6)), max_size=6))
async def test_whatever_is_said_and_asked_the_guarantees_hold(
    tmp_path_factory: pytest.TempPathFactory,
    scripts: list[dict[str, Any]],
    orders: list[tuple[commands.ANY, int]],
) -> None:
    panel = [
        seat(name, **options) for name, options in zip(("Ada", "Ben", "Cleo", "Dag"), scripts, strict=False)
    ]
    async with store(tmp_path_factory.mktemp("table")) as log:
        table = Table(log, *panel, max_turns=6)
        await table.owner.begin(table.opening)
        running = asyncio.create_task(table.run())
        for command, steps in orders:
            for _ in range(steps):
                await asyncio.sleep(0)
            if not running.done():
                table.tell(command)
        if not running.done():
            table.tell(commands.Resume())
        done, _ = await asyncio.wait([running], timeout=0.5)
        if not done:  # it was paused by the last word
            table.tell(commands.Close())
        await running
        assert check(await table.entries()).status == "closed"
