"""What every table holds, under every policy, whatever its voices do, a person asks, and however slow the log is."""

import asyncio
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol import codec, commands
from protocol import events as e
from protocol.errors import ProviderError
from protocol.findings import BudgetWarned, SummaryMade, VerdictGiven
from protocol.kinds import SPEECH
from protocol.transcript import Transcript, apply, fold
from roundtable import policies
from roundtable.deliberation.record import placed
from roundtable.hosting.snapshots import Snapshots
from roundtable.table import seating
from tests import fake_time
from tests.scene import FOREVER, STREAM, MemoryLog, Scene, Step

SEATS = ("Ada", "Ben", "Cleo", "Dag")
Ended = e.TurnCompleted | e.TurnFailed | e.TurnCancelled

broken = (
    ProviderError("Busy.", code="rate_limited", retryable=True, retry_after=2.0),
    ProviderError("No key.", code="auth"),
    RuntimeError("A bug."),
)
steps = st.sampled_from(
    ["one ", "two ", "[Ben]: stolen ", "\n", "words " * 40, 0.0, 0.01, 3.0, FOREVER, *broken]
)
scripts = st.lists(st.lists(steps, max_size=6), min_size=1, max_size=4)
orders = st.lists(
    st.tuples(
        st.sampled_from(
            [commands.Say("Hm?"), commands.Say("Ada?", to="Ada"), commands.Say("Cleo?", to="Cleo"),
             commands.Pause(), commands.Resume(), commands.Retry("t1"), commands.Retry("t3"),
             *(commands.Cancel(f"t{number}") for number in range(1, 8))]
        ),
        st.sampled_from([0.0, 0.01, 1.0, 40.0]),
    ),
    max_size=8,
)  # fmt: skip
limits = st.fixed_dictionaries(
    {"max_turns": st.integers(1, 9)},
    optional={"max_rounds": st.integers(1, 3), "max_tokens": st.integers(1, 4_000),
              "max_seconds": st.sampled_from([0.5, 30.0])},
)  # fmt: skip


tables = st.tuples(limits, st.fixed_dictionaries({}, optional={"verdict": st.booleans()})).map(
    lambda parts: parts[0] | parts[1]
)


@pytest.mark.parametrize("policy", policies.OURS)
@example(
    [[], [], []],
    [(commands.Say("Cleo?", to="Cleo"), 0.0), (commands.Cancel("t2"), 0.0)],
    {"max_turns": 2},
    (0.0, None),
)
@settings(max_examples=80, deadline=None)
@given(
    scripts,
    orders,
    tables,
    st.tuples(st.sampled_from([0.0, 0.005, 0.5]), st.none() | st.integers(0, 7)),
)
def test_whatever_happens(
    policy: str,
    voices: list[list[Step]],
    asked: list[tuple[commands.ANY, float]],
    limits: dict[str, Any],
    node: tuple[float, int | None],
) -> None:
    slow, dies_after = node  # seconds that an append takes, and after how many commands the node dies

    async def play() -> None:
        log = MemoryLog(lambda: slow)
        scene = Scene(policy, dict(zip(SEATS, voices, strict=False)), log=log, **limits)
        await scene.owner.begin(scene.opening)
        owner = asyncio.create_task(scene.owner.run())
        for number, (command, after) in enumerate(asked):
            if number == dies_after:
                owner = await _next_owner(scene, owner)
            await asyncio.sleep(after)
            scene.tell(command)
        scene.tell(commands.Resume())
        await asyncio.wait([owner], timeout=3_000.0)
        scene.tell(commands.Close())
        await owner
        await _check(scene, log)

    fake_time.run(play())


async def _next_owner(scene: Scene, owner: asyncio.Task[None]) -> asyncio.Task[None]:
    """The node dies, and another goes on from what the log holds."""
    owner.cancel()
    await asyncio.wait([owner])
    left = scene.table
    waiting = range(left.inbox + 1, scene.position + 1)
    scene.owner = scene.new_owner()
    if left.status != "closed":
        await scene.owner.take_over(left)
        for position in waiting:
            scene.owner.deliver(position, scene.told[position])
    else:
        scene.owner._hold(left)
    return asyncio.create_task(scene.owner.run())


async def _check(scene: Scene, log: MemoryLog) -> None:
    entries = log.entries
    assert [entry.cursor.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.cursor.term for entry in entries] == sorted(entry.cursor.term for entry in entries)
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    turns = _turns(entries)
    table = fold(entries)
    assert table.status == "closed"
    assert {turn.turn: turn.status for turn in table.turns} == turns
    if scene.opening.limits.max_turns is not None:
        assert table.spent.turns <= scene.opening.limits.max_turns
    _in_order(scene, table, entries)
    _rules(scene, entries)
    _verdict(table, entries)
    _warned(table)
    await _snapshots(log, entries)


def _verdict(table: Transcript, entries: list[e.Entry]) -> None:
    """A discussion that was concluded has one verdict, at its end, which tells who answered and never makes up a
    synthesis; one that a person closed has none."""
    sittings = [entry.event for entry in entries if isinstance(entry.event, e.TableConcluding)]
    given = [entry.event for entry in entries if isinstance(entry.event, VerdictGiven)]
    assert len(given) == len(sittings) - (table.ended_reason == "command" and len(given) < len(sittings))
    for verdict in given:
        assert bool(verdict.answer) != bool(verdict.missing)
        assert set(verdict.answered).isdisjoint(verdict.silent)
        if verdict.answer:
            assert table.turn(verdict.turn).text == verdict.answer
            assert table.turn(verdict.turn).panelist == verdict.chair


def _warned(table: Transcript) -> None:
    """Of each limit once, as nobody wakes these tables; and a summary goes no further than what was said."""
    warned = [each.name for each in table.found(BudgetWarned, sitting=False)]
    assert len(warned) == len(set(warned))
    for made in table.found(SummaryMade, sitting=False):
        assert placed(table, made.through) < table.turn(made.turn).seq


def _turns(entries: list[e.Entry]) -> dict[str, str]:
    """Each turn starts at most once and ends once; its words are its panelist's, between the two, and all of them."""
    status: dict[str, str] = {}
    said: dict[str, str] = {}
    whose: dict[str, str] = {}
    for event in (entry.event for entry in entries):
        match event:
            case e.TurnQueued():
                assert event.turn not in status
                status[event.turn], said[event.turn], whose[event.turn] = "queued", "", event.panelist
            case e.TurnStarted():
                assert status[event.turn] == "queued"
                status[event.turn] = "started"
            case e.TurnDelta():
                assert status[event.turn] == "started"
                said[event.turn] += event.text
            case e.TurnCompleted() | e.TurnFailed() | e.TurnCancelled():
                assert status[event.turn] in ("queued", "started")
                assert said[event.turn] == event.text
                status[event.turn] = codec.event_type(event).removeprefix("turn.")
            case _:
                pass
        if isinstance(event, e.TurnEvent):
            assert event.panelist == whose[event.turn]
    assert set(status.values()) <= {"completed", "failed", "cancelled"}
    return status


def _in_order(scene: Scene, table: Transcript, entries: list[e.Entry]) -> None:
    """Each command had one effect, in the order of the inbox, up to the one that closed the table."""
    effects = [
        event.inbox
        for event in (entry.event for entry in entries)
        if isinstance(event, e.Asked) and isinstance(event.inbox, int)
    ]
    assert effects == list(range(1, len(effects) + 1))
    assert len(effects) == scene.position or table.status == "closed"


def _rules(scene: Scene, entries: list[e.Entry]) -> None:
    """What each policy promises, told from the log alone."""
    table, speaking = Transcript(), set[str]()
    last = ""
    for entry in entries:
        event = entry.event
        if isinstance(event, e.TurnStarted):
            sent = seating.projected(table, event.turn, event.room)
            assert event.digest == sent.digest(), "what she was sent can be computed from the log"
        apply(table, entry)
        if isinstance(event, e.TurnStarted):
            assert event.panelist not in speaking, "one turn at a time each"
            assert not speaking or scene.policy == "parallel"
            reason = table.turn(event.turn).reason
            speech = table.turn(event.turn).kind == SPEECH
            if scene.policy == "floor_time" and len(table.present()) > 1 and reason != "asked" and speech:
                assert event.panelist != last
            speaking.add(event.panelist)
            last = event.panelist
        elif isinstance(event, Ended):
            speaking.discard(event.panelist)
        elif isinstance(event, e.RoundStarted):
            assert not speaking, "a round is over when all its turns have ended"
            assert event.round == table.round


async def _snapshots(log: MemoryLog, entries: list[e.Entry]) -> None:
    found = await Snapshots(log).of(STREAM)  # type: ignore[arg-type]
    assert found == fold(entries)
    held = await log.checkpoint(STREAM)
    assert held is not None
    assert held.body == codec.encode(fold(entries))


@example([[3.0], []], [(commands.Say("Hm?"), 0.0), (commands.Cancel("t2"), 1.0)], {}, (0.0, None))
@example([[3.0], []], [(commands.Say("Hm?"), 0.0), (commands.Say("Ha?"), 1.0)], {}, (0.0, None))
@example([[3.0]], [(commands.Say("Hm?"), 0.0), (commands.Say("Ha?"), 1.0)], {"max_turns": 1}, (0.0, None))
@settings(max_examples=80, deadline=None)
@given(
    scripts,
    orders,
    st.just({}) | limits,
    st.tuples(st.sampled_from([0.0, 0.005, 0.5]), st.none() | st.integers(0, 7)),
)
def test_a_thread_answers_everyone_who_asks_once_and_then_rests(
    voices: list[list[Step]],
    asked: list[tuple[commands.ANY, float]],
    limits: dict[str, Any],
    node: tuple[float, int | None],
) -> None:
    slow, dies_after = node

    async def play() -> None:
        log = MemoryLog(lambda: slow)
        scene = Scene(policies.REPLY, dict(zip(SEATS, voices, strict=False)), log=log, then="rest", **limits)
        await scene.owner.begin(scene.opening)
        owner = asyncio.create_task(scene.owner.run())
        for number, (command, after) in enumerate([*asked, (commands.Resume(), 0.0)]):
            await asyncio.sleep(after)
            scene.tell(command)
            if number == dies_after or owner.done():  # at rest nobody owns it
                owner = await _next_owner(scene, owner)
        await owner
        _turns(log.entries)
        _answered(scene.table, log.entries)

    fake_time.run(play())


def _answered(thread: Transcript, entries: list[e.Entry]) -> None:
    queued = [entry.event for entry in entries if isinstance(entry.event, e.TurnQueued)]
    assert thread.status == "resting"
    for message in thread.messages:
        for name in [message.to] if message.to else [panelist.name for panelist in thread.panel]:
            assert any(
                turn.panelist == name
                and (
                    turn.started_seq > message.seq
                    or (turn.status == "cancelled" and turn.ended_at >= message.at)
                )
                for turn in thread.turns
            ), (message, name)
    for panelist in thread.panel:
        mine = [turn for turn in thread.turns if turn.panelist == panelist.name]
        to_her = [message for message in thread.messages if message.to in ("", panelist.name)]
        again = [turn for turn in queued if turn.command and turn.panelist == panelist.name]
        assert len(mine) <= len(to_her) + len(again)
