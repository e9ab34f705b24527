"""Invocations without a server: one chain each, ended exactly once whatever happens at the same time. In fake time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import invocation
from protocol.cursor import ZERO, Cursor
from protocol.errors import Busy, Invalid, LogError, LogUnavailable, NotFound, WrongState
from protocol.invocation import Cancelled
from roundtable.hosting import inbox
from roundtable.invocations.chain import MAX_TOLD, Chain
from roundtable.invocations.invocations import Ask, Begun, Invocations, stream
from roundtable.invocations.lanes import Bounds
from roundtable.invocations.listing import listing
from roundtable.invocations.running import CLOSE_WITHIN, PAUSED_WITHIN
from roundtable.invocations.throttle import Throttle
from roundtable.log.base import EventLog, Record
from roundtable.log.leases import LocalLeases
from roundtable.log.memory import MemoryLog
from roundtable.tools.toolbox import Toolbox
from tests.fake_time import run
from tests.tables import AT
from tests.ticking import Ticks

KEEP = 1000.0


class Node:
    """One node's invocations, over a log that it may share."""

    def __init__(
        self, log: EventLog, *, shared: bool = False, bounds: Bounds | None = None, room: int = 1 << 20
    ) -> None:
        self.log, self.memory, self.ticks = log, MemoryLog(room), Ticks()
        self.invocations = Invocations(
            log, self.memory, Toolbox([self.ticks]), now, bounds=bounds, shared=shared, keep=KEEP
        )

    async def begin(self, caller: str = "", throttle: Throttle | None = None, **args: Any) -> Begun:
        return await self.invocations.invoke(Ask("tool/ticks", args, caller, throttle=throttle))

    async def told(self, begun: Begun) -> list[Any]:
        """Everything up to the end, as it is shown; its cursors and numbers checked."""
        log = self.log if begun.record else self.memory
        return await told(log, begun.id)


def now() -> float:
    return AT + asyncio.get_running_loop().time()


def memory() -> MemoryLog:
    log = MemoryLog()
    log.leases = LocalLeases(asyncio.get_running_loop().time)
    return log


@asynccontextmanager
async def node(log: EventLog | None = None, **settings: Any) -> AsyncIterator[Node]:
    made = Node(log or memory(), **settings)
    await made.invocations.start()
    try:
        yield made
    finally:
        await made.invocations.close()


async def told(log: EventLog, id: str) -> list[Any]:
    """As `Node.told`."""
    tail, records = await log.tail(), list[Record]()
    await tail.add(stream(id), ZERO)
    async with asyncio.timeout(600):
        async for _, batch in tail:
            records += batch
            if shown(records)[-1]["type"] in ("converge", "error", "cancelled"):
                break
    await tail.close()
    return shown(records)


def shown(records: list[Record]) -> list[Any]:
    assert [record.cursor.seq for record in records] == list(range(1, len(records) + 1))
    bodies = [msgspec.json.decode(record.body) for record in records]
    flat = [each for body in bodies for each in body.get("steps", [body])]
    numbers = [each["t"] for each in flat if each["type"] == "step"]
    assert numbers == list(range(1, len(numbers) + 1)), "steps are dense"
    assert [each["at"] for each in flat] == sorted(each["at"] for each in flat)
    return flat


def kinds(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


def scene(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    run(main())


def test_steps_that_come_together_are_logged_together_and_shown_apart() -> None:
    async def work() -> None:
        async with node() as here:
            begun = await here.begin(steps=2500, block=500, size=100)
            events = await here.told(begun)
            assert kinds(events) == ["init", *["step"] * 2500, "converge"]
            assert events[-1] | {"at": 0} == {
                "type": "converge",
                "at": 0,
                "id": begun.id,
                "t": 2500,
                "final": {"steps": 2500},
                "reason": "steps",
            }
            assert len(await here.log.read(begun.stream, 0)) < 20

    scene(work)


ENDS = {
    "invalid": ("invalid", "caller", "args.steps", False),
    "provider": ("rate_limited", "provider", "", True),
    "bug": ("internal", "ours", "", False),
    "nothing": ("internal", "ours", "", False),
    "garbage": ("internal", "ours", "", False),
}


@pytest.mark.parametrize("then", ENDS)
def test_a_tool_that_fails_ends_its_invocation_and_says_whose_fault_it_is(then: str) -> None:
    async def work() -> None:
        async with node() as here:
            *before, end = await here.told(await here.begin(then=then))
            assert kinds(before) == ["init", "step", "step", "step"]
            assert end["type"] == "error"
            assert (end["code"], end["fault"], end["field"], end["retryable"]) == ENDS[then]

    scene(work)


def test_what_cannot_begin_leaves_nothing_behind() -> None:
    async def work() -> None:
        async with node() as here:
            with pytest.raises(NotFound):
                await here.invocations.invoke(Ask("tool/tics"))
            with pytest.raises(Invalid) as refused:
                await here.begin(stebs=1)
            assert refused.value.field == "args.stebs"
            with pytest.raises(LogError) as too_large:
                await here.begin(remark="x" * MAX_TOLD)
            assert too_large.value.code == "too_large"
            assert await here.log.streams("invocation") == []
            assert here.invocations.lanes.running == 0

    scene(work)


def test_what_is_forgotten_leaves_nothing_that_waits() -> None:
    async def work() -> None:
        async with node() as here:
            before = len(asyncio.all_tasks())
            for _ in range(20):
                begun = await here.invocations.invoke(Ask("tool/ticks", record=False))
                assert kinds(await here.told(begun))[-1] == "converge"
                here.invocations.drop(begun.id)
                here.invocations.drop(begun.id)
            await asyncio.sleep(2)
            assert len(asyncio.all_tasks()) == before
            assert here.memory.size == 0

    scene(work)


def test_a_queued_one_says_so_runs_in_its_turn_and_can_be_cancelled() -> None:
    async def work() -> None:
        bounds = Bounds(running=1, waiting=2, waiting_per_caller=2)
        async with node(bounds=bounds) as here:
            first, second, third = [await here.begin(pause=1) for _ in range(3)]
            with pytest.raises(Busy):
                await here.begin()
            await here.invocations.cancel(third.id)
            assert kinds(await here.told(third)) == ["init", "queued", "cancelled"]
            events = await here.told(second)
            assert kinds(events) == ["init", "queued", "step", "step", "step", "converge"]
            assert events[1]["ahead"] == 0
            assert events[2]["at"] >= (await here.told(first))[-1]["at"]

    scene(work)


def test_a_pause_holds_every_further_step() -> None:
    async def work() -> None:
        async with node() as here:
            begun = await here.begin(steps=10, pause=1)
            await asyncio.sleep(2.5)
            await here.invocations.pause(begun.id)
            await asyncio.sleep(100)
            assert (await listing(here.log)).invocations[0].state == "paused"
            await here.invocations.resume(begun.id)
            events = await here.told(begun)
            at = kinds(events).index("paused")
            assert kinds(events)[at + 1] == "resumed"
            assert events[at]["t"] == events[at + 1]["t"]
            with pytest.raises(WrongState):
                await here.invocations.pause(begun.id)

    scene(work)


def test_a_pause_that_nobody_ends_gives_its_place_back() -> None:
    async def work() -> None:
        async with node(bounds=Bounds(running=1)) as here:
            begun = await here.begin(steps=10, pause=1)
            await here.invocations.pause(begun.id)
            await asyncio.sleep(PAUSED_WITHIN - 2)
            assert (await listing(here.log)).invocations[0].state == "paused"
            await asyncio.sleep(10)
            end = (await here.told(begun))[-1]
            assert (end["type"], end["reason"]) == ("cancelled", "paused_too_long")
            assert (here.invocations.lanes.running, here.ticks.open) == (0, 0)

    scene(work)


def test_a_caller_who_takes_nothing_holds_the_tool_back_and_may_still_cancel() -> None:
    async def work() -> None:
        async with node() as here:
            throttle = Throttle(10_000)
            begun = await here.begin(steps=10_000, size=1000, throttle=throttle)
            await asyncio.sleep(60)
            held = here.ticks.taken
            await asyncio.sleep(60)
            assert here.ticks.taken == held < 20 + 10
            await here.invocations.cancel(begun.id)
            assert kinds(await here.told(begun))[-1] == "cancelled"

    scene(work)


def test_a_tool_that_does_not_close_is_left_behind_and_its_end_is_there_at_once() -> None:
    async def work() -> None:
        async with node(bounds=Bounds(running=1)) as here:
            begun = await here.begin(then="hang", stubborn=True)
            await asyncio.sleep(1)
            began = asyncio.get_running_loop().time()
            await here.invocations.cancel(begun.id)
            await here.invocations.cancel(begun.id)
            assert asyncio.get_running_loop().time() == began
            assert kinds(await here.told(begun))[-1] == "cancelled"
            next_one = await here.begin()
            assert kinds(await here.told(next_one))[-1] == "converge"
            assert asyncio.get_running_loop().time() - began >= CLOSE_WITHIN
            here.ticks.let_go.set()

    scene(work)


def test_what_is_not_recorded_is_in_no_log_and_forgotten_when_its_caller_is_done() -> None:
    async def work() -> None:
        async with node() as here:
            begun = await here.invocations.invoke(Ask("tool/ticks", record=False))
            assert kinds(await here.told(begun))[-1] == "converge"
            assert await here.log.streams("invocation") == []
            here.invocations.drop(begun.id)
            await asyncio.sleep(2)
            assert await here.memory.last(begun.stream) is None
            with pytest.raises(NotFound):
                await here.invocations.cancel(begun.id)
            careless = await here.invocations.invoke(Ask("tool/ticks", record=False))
            await asyncio.sleep(120)
            assert await here.memory.last(careless.stream) is None

    scene(work)


def test_without_room_in_memory_it_ends_and_leaves_room() -> None:
    async def work() -> None:
        async with node(room=10_000) as here:
            await here.invocations.invoke(Ask("tool/ticks", {"steps": 100, "size": 1000}, record=False))
            await asyncio.sleep(20)
            assert (here.memory.size, here.ticks.open, here.invocations.lanes.running) == (0, 0, 0)

    scene(work)


def test_stopping_ends_everything_and_begins_nothing() -> None:
    async def work() -> None:
        async with node(bounds=Bounds(running=2)) as here:
            begun = [await here.begin(steps=100, pause=1) for _ in range(4)]
            await here.invocations.stop()
            ends = [(await here.told(each))[-1] for each in begun]
            assert {(end["type"], end["reason"]) for end in ends} == {("cancelled", "stopping")}
            with pytest.raises(LogUnavailable):
                await here.begin()

    scene(work)


def test_old_ones_are_deleted_and_young_or_running_ones_kept() -> None:
    async def work() -> None:
        async with node() as here:
            long = await here.begin(steps=30, pause=1000)
            old = [await here.begin() for _ in range(150)]
            await here.log.append(inbox.stream(old[0].id), ZERO, [Record(long.cursor, b"{}")])
            await asyncio.sleep(KEEP)
            young = await here.begin(pause=KEEP / 3)
            await asyncio.sleep(KEEP)
            left = await here.log.streams("invocation")
            assert sorted(left) == sorted([long.stream, young.stream])
            assert await here.log.streams("inbox") == []

    scene(work)


def test_any_node_cancels_pauses_and_resumes() -> None:
    async def work() -> None:
        log = memory()
        async with node(log, shared=True) as here, node(log, shared=True) as other:
            begun = await here.begin(steps=100, pause=1)
            await asyncio.sleep(0.5)
            await other.invocations.pause(begun.id)
            await asyncio.sleep(5)
            await other.invocations.resume(begun.id)
            await asyncio.sleep(2)
            await other.invocations.cancel(begun.id)
            await other.invocations.cancel(begun.id)
            seen = kinds(await here.told(begun))
            assert [kind for kind in seen if kind != "step"] == ["init", "paused", "resumed", "cancelled"]
            with pytest.raises(NotFound):
                await other.invocations.cancel("nobody")
            with pytest.raises(WrongState):
                await other.invocations.pause(begun.id)
            quick = await here.begin(steps=1)
            await asyncio.sleep(5)
            await other.invocations.cancel(quick.id)
            assert kinds(await here.told(quick)) == ["init", "step", "converge"]

    scene(work)


def test_a_dead_nodes_invocations_are_ended_by_another_and_a_slow_ones_are_not() -> None:
    async def work() -> None:
        log = memory()
        async with node(log, shared=True) as dead, node(log, shared=True) as alive:
            begun = await dead.begin(steps=100, pause=9, block=2)
            await asyncio.sleep(10)
            freeze(dead)
            events = await alive.told(begun)
            assert kinds(events) == ["init", *["step"] * 4, "term.began", "error"]
            assert (events[-1]["code"], events[-1]["t"], events[-1]["retryable"]) == ("interrupted", 4, True)
            await asyncio.sleep(10)  # the dead one wakes, and its next append is refused
            assert kinds(await alive.told(begun)) == kinds(events)
            assert dead.invocations.lanes.running == 0
            assert await log.leases.abandoned() == []

    scene(work)


def freeze(dead: Node) -> None:
    """It does not prolong its leases any more."""
    for task in dead.invocations._custody._tasks:
        task.cancel()


Move = tuple[str, float]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["cancel", "drop", "pause", "resume", "stop", "freeze", "elsewhere"]), st.floats(0, 6)
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(
    MOVES,
    st.sampled_from(["converge", "provider", "hang", "nothing"]),
    st.sampled_from([0.0, 0.5]),
    st.booleans(),
)
def test_whatever_happens_at_once_there_is_one_end_and_nothing_after_it(
    moves: list[Move], then: str, pause: float, queued: bool
) -> None:
    async def work() -> None:
        log = memory()
        bounds = Bounds(running=1) if queued else None
        async with node(log, shared=True, bounds=bounds) as here, node(log, shared=True) as other:
            if queued:
                await here.begin(pause=1)
            begun = await here.begin(steps=5, pause=pause, then=then)
            async with asyncio.TaskGroup() as doing:
                for move, at in moves:
                    doing.create_task(do(here, other, begun.id, move, at))
            await other.invocations.cancel(begun.id)
            await asyncio.sleep(20)
            seen = kinds(shown(await log.read(begun.stream, 0)))
            assert seen[0] == "init"
            assert [kind for kind in seen if kind in ("converge", "error", "cancelled")] == seen[-1:]
            here.ticks.let_go.set()

    scene(work)


async def do(here: Node, other: Node, id: str, move: str, at: float) -> None:
    await asyncio.sleep(at)
    try:
        match move:
            case "cancel":
                await here.invocations.cancel(id)
            case "drop":
                here.invocations.drop(id)
            case "pause":
                await here.invocations.pause(id)
            case "resume":
                await other.invocations.resume(id)
            case "stop":
                await here.invocations.stop()
            case "freeze":
                freeze(here)
            case "elsewhere":
                await other.invocations.cancel(id)
            case _:
                raise AssertionError(move)
    except WrongState:
        pass  # it was over


async def test_in_memory_a_step_is_read_at_once_and_what_follows_in_the_same_turn_together() -> None:
    log = MemoryLog()
    chain = Chain("invocation/x", log, now, append_now=log.append_now)
    for _ in range(4):
        chain.step([b"{}"])
    assert len(await log.read("invocation/x", 0)) == 1  # and nobody else had a turn
    await asyncio.sleep(0)
    records = await log.read("invocation/x", 0)
    assert [len(invocation.shown(record.body)) for record in records] == [1, 3]


def test_what_the_memory_has_no_room_for_waits_in_its_order() -> None:
    async def fill() -> None:
        log = MemoryLog(max_bytes=4096)
        await log.append("invocation/other", ZERO, [Record(Cursor(1, 1), b"x" * 3500)])
        chain = Chain("invocation/x", log, now, patience=60.0, append_now=log.append_now)
        writing = asyncio.create_task(chain.run())
        for _ in range(3):
            chain.step([b'{"text":"%b"}' % (b"word" * 100)])
        await asyncio.sleep(0)
        assert await log.read("invocation/x", 0) == []
        await log.delete("invocation/other")
        chain.tell(Cancelled(id="x", t=3))
        await writing
        told = [
            data for record in await log.read("invocation/x", 0) for _, data in invocation.shown(record.body)
        ]
        assert [msgspec.json.decode(each)["t"] for each in told] == [1, 2, 3, 3]

    run(fill())
