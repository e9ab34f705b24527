"""The fan-out: whatever readers do, each gets every entry once and in order, or is told `reset`."""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.errors import NotFound
from roundtable.fanout import blocks as blocks_file
from roundtable.fanout import channel as channel_file
from roundtable.fanout import outlet as outlet_file
from roundtable.fanout.blocks import Blocks, Dialect, cut
from roundtable.fanout.broadcast import FIRST_WAIT, Broadcast
from roundtable.fanout.channel import pause
from roundtable.fanout.framing import FULL, ChunkedEventStream, View, encode
from roundtable.fanout.outlet import PATIENCE, Outlet
from roundtable.fanout.ring import OVERHEAD, Ring
from roundtable.log.base import Record
from tests.fake_time import FakeTimeLoop, run
from tests.readers import FRAMING, TABLE, MemoryLog, Pipe, Reader, Scene, delta, play, records, settle
from tests.tables import TERM

CLOSED = e.TableClosed(reason="max_turns")
WORDS = View("words", lambda record: [(b"word", bytes([c])) for c in record.body[-12:-9]])
EVEN = View("even", lambda record: [] if record.cursor.seq % 2 else [(b"even", b"%d" % record.cursor.seq)])


def perform(scene: Scene, **options: Any) -> None:
    """Play in fake time."""
    run(play(scene, **options))


def expected(log: MemoryLog, after: int = 0) -> list[str]:
    return [str(record.cursor) for record in log.streams_[TABLE][after:]]


@contextlib.contextmanager
def tiny_bounds() -> Iterator[None]:
    """Every bound so small that a few entries reach it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channel_file, "SLICE", 2)
        patch.setattr(channel_file, "RUN_BYTES", 400)
        patch.setattr(blocks_file, "RUN_BYTES", 400)
        patch.setattr(blocks_file, "RUN_ENTRIES", 4)
        patch.setattr(blocks_file, "READ_ENTRIES", 6)
        patch.setattr(channel_file, "Ring", lambda tip, _: Ring(tip, 10 * OVERHEAD))
        yield


@pytest.fixture
def tiny() -> Iterator[None]:
    with tiny_bounds():
        yield


# Exactly once, in order


class Crowd:
    """Readers of one table, and everything that may happen to them; each method is a step of the test below."""

    def __init__(self, log: MemoryLog, broadcast: Broadcast) -> None:
        self.log, self.broadcast = log, broadcast
        self.readers = [(0, Reader(broadcast))]

    def some(self, number: int) -> Reader:
        return self.readers[number % len(self.readers)][1]

    async def say(self, number: int) -> None:
        self.log.say(number)

    async def join(self, number: int) -> None:
        start = number % (len(self.log.streams_[TABLE]) + 1)
        self.readers.append((start, Reader(self.broadcast, self.log.cursor(start))))

    async def stall(self, number: int) -> None:
        self.some(number).pipe.stall()

    async def read(self, number: int) -> None:
        self.some(number).pipe.read()

    async def hang_up(self, number: int) -> None:
        self.some(number).pipe.close()

    async def leave(self, number: int) -> None:
        await self.some(number).leave()

    async def turn(self, number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    async def settle(self, _: int) -> None:
        await settle()

    async def hold(self, number: int) -> None:
        self.log.held = bool(number)
        self.log.written.set()


STEPS = {
    "say": st.integers(1, 9),
    "join": st.integers(0, 100),
    "turn": st.integers(0, 4),
    "settle": st.just(0),
    "hold": st.integers(0, 1),
} | dict.fromkeys(("stall", "read", "hang_up", "leave"), st.integers(0, 9))


@settings(max_examples=500, deadline=None)
@example(
    [("say", 1)] * 6 + [("join", 0), ("turn", 2), ("say", 1), ("turn", 1)]
)  # comes while the tail is added to
@given(
    st.lists(st.one_of([st.tuples(st.just(step), n) for step, n in STEPS.items()]), min_size=10, max_size=60)
)
def test_exactly_once_whatever_happens(steps: list[tuple[str, int]]) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        crowd = Crowd(log, broadcast)
        for step, number in steps:
            await getattr(crowd, step)(number)
        await crowd.hold(0)
        await crowd.say(1)
        for _, reader in crowd.readers:
            reader.pipe.read()
        await settle()
        for start, reader in crowd.readers:
            ids = reader.ids()
            assert ids == expected(log, start)[: len(ids)]
            if reader.left is None and not reader.pipe.closing and not reader.gone:
                assert len(ids) == len(log.streams_[TABLE]) - start

    with tiny_bounds():
        perform(scene)


def test_a_hundred_reconnections_equal_one_unbroken_read(tiny: None) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        chance = random.Random(7)
        unbroken = Reader(broadcast)
        seen: list[str] = []
        at = ZERO
        for _ in range(100):
            log.say(chance.randrange(8))
            reader = Reader(broadcast, at)
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
            await reader.leave()
            seen += reader.ids()
            at = reader.last_id() if reader.ids() else at
        last = Reader(broadcast, at)
        await settle()
        assert seen + last.ids() == unbroken.ids() == expected(log)

    perform(scene)


def test_a_reader_who_stops_reading_holds_one_piece_delays_nobody_and_catches_up() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        slow, quick = Reader(broadcast), Reader(broadcast)
        await settle()
        slow.pipe.stall()
        for _ in range(10):
            log.say(2000)  # about 300 kB
            await asyncio.sleep(0.1)
            assert quick.last_id() == log.streams_[TABLE][-1].cursor
        assert 0 < slow.pipe.get_write_buffer_size() == slow.pipe.most <= blocks_file.RUN_BYTES
        slow.pipe.read()
        await settle()
        assert slow.ids() == quick.ids() == expected(log)

    perform(scene)


def test_however_large_an_entry_is_no_more_than_a_piece_of_it_waits_for_a_reader() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        live, quick = Reader(broadcast), Reader(broadcast)
        await settle()
        live.pipe.stall()
        log.write(delta("x" * 3_000_000))
        await settle()
        late = Reader(broadcast)
        late.pipe.stall()
        await settle()
        for reader in (live, late):
            assert 0 < reader.pipe.get_write_buffer_size() <= outlet_file.PIECE
            reader.pipe.read()
        await settle()
        assert live.ids() == late.ids() == quick.ids() == expected(log)

    perform(scene)


def test_a_reader_who_never_reads_again_is_cut_off() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast)
        await settle()
        reader.pipe.stall()
        log.say(1)
        await settle()
        log.say(1)  # finds the pipe full
        await asyncio.sleep(PATIENCE + 1)
        assert await reader.done() == "stalled"
        assert reader.pipe.aborted

    perform(scene)


def test_a_reader_who_hangs_up_is_noticed_by_the_next_heartbeat() -> None:
    async def scene(_: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast)
        await settle()
        assert broadcast.spectators(TABLE) == 1
        reader.pipe.close()
        assert await reader.done() == "closed"
        assert broadcast.spectators(TABLE) == 0

    perform(scene)


@pytest.mark.parametrize("step", ["join", "leave", "close"])
@pytest.mark.parametrize("turns", range(16))
def test_a_pass_that_lets_the_loop_turn_is_passed_through_at_any_point(
    step: str, turns: int, tiny: None
) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        crowd = [Reader(broadcast) for _ in range(9)]
        await settle()
        log.say(1)
        for _ in range(turns):
            await asyncio.sleep(0)
        if step == "join":
            crowd.append(Reader(broadcast))
        elif step == "leave":
            await asyncio.gather(*(reader.leave() for reader in crowd[::2]))
            crowd = crowd[1::2]
        else:
            await broadcast.close()
        log.say(1)
        await settle()
        for reader in crowd:
            ids = reader.ids()
            assert ids == expected(log)[: len(ids)]
            assert len(ids) == 3 or reader.left == "draining"

    perform(scene)


def test_a_burst_larger_than_the_ring_sends_live_readers_to_the_log(tiny: None) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        readers = [Reader(broadcast) for _ in range(5)]
        await settle()
        log.say(100)
        await settle()
        assert [reader.ids() for reader in readers] == [expected(log)] * 5

    perform(scene)


def test_a_reader_from_another_node_may_know_more_than_the_tail_has_brought() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        first = Reader(broadcast)
        await settle()
        log.held = True
        log.say(5)
        ahead = Reader(broadcast, log.cursor(4))
        await settle()
        assert ahead.ids() == [] == first.ids()[1:]
        log.held = False
        log.say(1)
        await settle()
        assert ahead.ids() == expected(log, 4)
        assert first.ids() == expected(log)

    perform(scene)


# Where a reader begins


def test_after_now_begins_with_the_next_entry() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(3)
        reader = Reader(broadcast, after=None)
        await settle()
        log.say(2)
        await settle()
        assert reader.ids() == expected(log, 4)

    perform(scene)


def test_an_unknown_cursor_is_told_reset_and_goes_on_from_the_head() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(3)
        reader = Reader(broadcast, Cursor(99, 2))
        await settle()
        assert reader.told("reset") == [
            {"type": "reset", "reason": "unknown_cursor", "cursor": str(log.cursor(4))}
        ]
        assert reader.last_id() == log.cursor(4)
        log.say(1)
        await settle()
        assert reader.ids() == expected(log, 4)

    perform(scene)


def test_there_is_no_channel_of_a_table_that_does_not_exist() -> None:
    async def scene(_: MemoryLog, broadcast: Broadcast) -> None:
        with pytest.raises(NotFound):
            async with broadcast.channel("table/none", FULL, FRAMING):
                pass

    perform(scene)


# The end


def test_readers_live_or_late_are_told_the_end() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        live = Reader(broadcast)
        await settle()
        log.say(3)
        log.write(CLOSED)
        assert await live.done() == "ended"
        late = Reader(broadcast, log.cursor(2))
        assert await late.done() == "ended"
        end = {"type": "end", "cursor": str(log.cursor(5)), "reason": "max_turns"}
        assert live.told("end") == late.told("end") == [end]
        assert (live.ids(), late.ids()) == (expected(log), expected(log, 2))

    perform(scene)


def test_a_refusal_after_the_end_keeps_nobody_waiting() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.write(CLOSED, e.CommandRefused(code="wrong_state", detail="The table is closed.", command="k"))
        reader = Reader(broadcast)
        assert await reader.done() == "ended"
        assert reader.ids() == expected(log)

    perform(scene)


@pytest.mark.parametrize("after", [0, 3, 4])
def test_only_a_reader_who_has_all_is_at_the_end(after: int) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(2)
        log.write(CLOSED)
        async with broadcast.channel(TABLE, FULL, FRAMING) as channel:
            assert channel.ended(log.cursor(after)) == (after == 4)

    perform(scene)


def test_closing_the_node_sends_all_away_and_lets_nobody_in(tiny: None) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(50)
        live, slow = Reader(broadcast), Reader(broadcast)
        slow.pipe.stall()
        await settle()
        closing = asyncio.create_task(broadcast.close(within=1.0))
        await asyncio.sleep(0)
        late, even = Reader(broadcast), Reader(broadcast, view=EVEN)
        assert [await reader.done() for reader in (live, late, even)] == ["draining"] * 3
        await closing
        assert slow.left is None
        slow.pipe.read()
        assert await slow.done() == "draining"

    perform(scene)


def test_a_node_without_readers_closes_at_once() -> None:
    async def scene(_: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast)
        await settle()
        await reader.leave()
        now = asyncio.get_running_loop().time
        began = now()
        await broadcast.close()
        assert now() - began < 0.1

    perform(scene)


@pytest.mark.parametrize("closed", [False, True])
def test_a_deleted_table_ends_its_readers_and_is_gone(closed: bool, tiny: None) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        live, even, slow = Reader(broadcast), Reader(broadcast, view=EVEN), Reader(broadcast)
        await settle()
        slow.pipe.stall()
        log.say(30)
        if closed:
            log.write(CLOSED)
        await settle()
        last = log.cursor(len(log.streams_[TABLE]))
        await log.delete(TABLE)
        await settle()
        for reader in () if closed else (live, even):
            assert await reader.done() == "deleted"
            assert reader.told("end") == [{"type": "end", "cursor": str(last), "reason": "deleted"}]
            assert reader.last_id() == last
        slow.pipe.read()
        assert await slow.done() == "deleted"
        assert slow.frames()[-1].event == "end"
        with pytest.raises(NotFound):
            await Reader(broadcast).done()
        assert broadcast.spectators(TABLE) == 0

    perform(scene)


@pytest.mark.parametrize("turns", range(12))
def test_a_table_deleted_while_the_log_cannot_be_followed_fails_no_other(turns: int) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast)
        await settle()
        log.failures = 1
        log.say(1)
        await asyncio.sleep(FIRST_WAIT)
        for _ in range(turns):
            await asyncio.sleep(0)
        await log.delete(TABLE)
        assert await reader.done() in {"broken", "deleted"}
        log.write(e.TermBegan(owner="new"), term=TERM + 5)
        again = Reader(broadcast)
        await settle()
        log.write(e.RoundStarted(round=1), term=TERM + 5)
        await settle()
        assert again.ids() == expected(log)

    perform(scene)


@pytest.mark.parametrize("turns", range(24))
@pytest.mark.parametrize("after", [ZERO, None], ids=["from the start", "from now"])
def test_a_table_may_be_deleted_at_any_point_of_a_beginning(turns: int, after: Cursor | None) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(700)  # more than one run
        reader = Reader(broadcast, after)
        for _ in range(turns):
            await asyncio.sleep(0)
        await log.delete(TABLE)
        for step in range(turns % 3):
            await asyncio.sleep(step)
        log.write(*[e.TermBegan(owner="new")] * 9, term=TERM + 5)
        await settle()
        again = Reader(broadcast)
        await settle()
        log.write(e.RoundStarted(round=1), term=TERM + 5)
        await settle()
        assert again.ids() == expected(log)
        assert len({Cursor.parse(id).term for id in reader.ids()}) <= 1  # never of one, and then of the other
        await reader.leave()

    perform(scene)


# Heartbeats


def test_heartbeats_tell_the_head_and_who_is_there() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        first = Reader(broadcast)
        await settle()
        assert first.told("hb") == [{"type": "hb", "head": str(log.cursor(1)), "spectators": 1}]
        second = Reader(broadcast)
        await asyncio.sleep(1)
        log.say(1)
        await second.leave()
        await asyncio.sleep(1.5)
        assert [beat["spectators"] for beat in first.told("hb")] == [1, 2, 1]
        await asyncio.sleep(30)
        beats = first.told("hb")[3:]
        assert beats == [{"type": "hb", "head": str(log.cursor(2)), "spectators": 1}] * 3
        assert not any(frame.id for frame in first.frames() if frame.event == "hb")

    perform(scene)


def test_a_crowd_that_comes_at_once_is_told_of_once() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        first = Reader(broadcast)
        await settle()
        for _ in range(20):
            Reader(broadcast)
            await asyncio.sleep(0.01)
        await asyncio.sleep(2)
        assert [beat["spectators"] for beat in first.told("hb")] == [1, 21]

    perform(scene)


def test_a_table_that_never_pauses_has_heartbeats_too() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast)
        for _ in range(50):
            log.say(1)
            await asyncio.sleep(0.001)
        assert len(reader.told("hb")) > 1

    perform(scene, heartbeat=0.01)


# Views


def test_a_view_of_several_frames_numbers_them_and_is_resumed_between_them() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(3)
        whole = Reader(broadcast, view=WORDS)
        await settle()
        one = str(log.cursor(1))
        assert whole.ids()[:4] == [f"{one}.1", f"{one}.2", one, f"{log.cursor(2)}.1"]
        for number, id in enumerate(whole.ids()):
            resumed = Reader(broadcast, Cursor.parse(id), view=WORDS)
            await settle()
            assert resumed.ids() == whole.ids()[number + 1 :]

    perform(scene)


def test_the_end_counts_what_a_reader_ahead_of_the_pump_has() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(3)
        log.held = True
        keeper = Reader(broadcast, view=EVEN)
        await settle()
        log.write(CLOSED)
        ahead = Reader(broadcast, log.cursor(5), view=EVEN)
        await settle()
        log.held = False
        log.written.set()
        assert await ahead.done() == await keeper.done() == "ended"
        assert ahead.last_id() == keeper.last_id() == log.cursor(5)

    perform(scene)


def test_a_view_that_leaves_entries_out_advances_by_heartbeat_and_end(tiny: None) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(20)
        reader = Reader(broadcast, view=EVEN)
        await settle()
        assert reader.last_id() == log.cursor(21)  # by the first heartbeat; the last even one is 20
        log.say(20)
        await settle()
        assert reader.ids() == expected(log)[1::2]
        log.say(2)
        log.write(CLOSED)
        assert await reader.done() == "ended"
        assert reader.last_id() == log.cursor(44)
        assert reader.frames()[-1].event == "end"

    perform(scene)


def test_readers_of_different_views_are_counted_together() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        full, even = Reader(broadcast), Reader(broadcast, view=EVEN)
        await asyncio.sleep(2)
        assert full.told("hb")[-1]["spectators"] == even.told("hb")[-1]["spectators"] == 2
        log.say(4)
        await settle()
        assert (full.ids(), even.ids()) == (expected(log), expected(log)[1::2])

    perform(scene)


# The log fails


def test_a_log_that_cannot_be_followed_for_a_while_skips_nothing() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast)
        await settle()
        log.failures = 4
        for _ in range(10):
            log.say(3)
            await asyncio.sleep(1)
        assert log.failures == 0
        assert reader.ids() == expected(log)
        assert reader.left is None

    perform(scene)


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("tail_dies", [False, True])
def test_a_reader_may_leave_at_any_point_of_a_beginning(tail_dies: bool, turns: int) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast)
        if tail_dies:
            await settle()
            log.failures = 1
            log.say(1)
            await asyncio.sleep(FIRST_WAIT)
        for _ in range(turns):
            await asyncio.sleep(0)
        await reader.leave()
        again = Reader(broadcast)
        await settle()
        log.say(1)
        await settle()
        assert again.ids() == expected(log)

    perform(scene)


def test_a_tail_that_repeats_itself_is_heard_once() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast)
        log.say(5)
        await settle()
        log.tails[-1].places[TABLE] = 2
        log.say(1)
        await settle()
        assert reader.ids() == expected(log)

    perform(scene)


def test_a_log_that_cannot_be_read_sends_the_reader_away_to_come_back() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(5)
        async with broadcast.channel(TABLE, FULL, FRAMING) as channel:
            await settle()  # the tail has nothing to do, so the failure meets the reader
            log.failures = 1
            pipe = Pipe()
            assert await channel.follow(Outlet(pipe, pipe.drain), ZERO) == "broken"
            assert await channel.after(ZERO)

    perform(scene)


@pytest.mark.parametrize("tail_dies", [False, True])
def test_entries_lost_by_the_log_lead_to_a_reset(tail_dies: bool) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(9)
        reader = Reader(broadcast)
        await settle()
        del log.streams_[TABLE][6:]
        log.tails[-1].places[TABLE] = 6
        log.failures = int(tail_dies)
        log.write(e.TermBegan(owner="next", lost=4), term=log.cursor(1).term + 1)
        assert await reader.done() == "broken"
        await asyncio.sleep(1)
        again = Reader(broadcast, reader.last_id())
        fresh = Reader(broadcast)
        await settle()
        assert again.told("reset")
        assert again.last_id() == log.cursor(7)
        assert fresh.ids() == expected(log)

    perform(scene)


# The past, shared


def test_readers_of_the_same_past_cause_one_read() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(50)
        keeper = Reader(broadcast, after=None)
        await settle()
        before = log.reads
        crowd = [Reader(broadcast) for _ in range(20)]
        await crowd[0].leave()  # whoever began to read may go; the others do not depend on it
        await settle()
        again = Reader(broadcast)
        await settle()
        assert all(reader.ids() == expected(log) for reader in [*crowd[1:], again])
        assert log.reads - before == 1
        await keeper.leave()

    perform(scene)


def test_blocks_stay_within_their_bytes_and_forget_the_least_used() -> None:
    async def scene(log: MemoryLog, _: Broadcast) -> None:
        log.say(10_000)
        blocks, dialect = Blocks(log, max_bytes=500_000), Dialect(TABLE, FULL, FRAMING)
        wires, seq = [], 0
        while run := await blocks.after(dialect, seq, 10_001):
            wires.append(run.wire)
            seq = run.last.seq
            assert blocks.size <= 500_000
            await blocks.after(dialect, 0, 10_001)
        assert b"".join(wires) == FRAMING.entries(log.streams_[TABLE])
        reads = log.reads
        await blocks.after(dialect, 0, 10_001)
        assert log.reads == reads  # the first run was in use all the time
        await blocks.after(dialect, 512, 10_001)
        assert log.reads == reads + 1
        blocks.forget(TABLE)
        assert blocks.size == 0

    perform(scene)


class LateLog(MemoryLog):
    """What it has read takes a while to arrive."""

    async def read(self, stream: str, after_seq: int, **bounds: int) -> list[Record]:
        page = await super().read(stream, after_seq, **bounds)
        await asyncio.sleep(1)
        return page


def test_what_was_being_read_when_its_stream_was_forgotten_is_not_kept() -> None:
    async def scene() -> None:
        log = LateLog()
        log.say(3)
        blocks, dialect = Blocks(log), Dialect(TABLE, FULL, FRAMING)
        reading = asyncio.create_task(blocks.after(dialect, 0, 3))
        await settle()
        await log.delete(TABLE)
        blocks.forget(TABLE)
        log.write(CLOSED)
        await reading
        new = await blocks.after(dialect, 0, 1)
        assert new
        assert new.wire == FRAMING.entries(log.streams_[TABLE])

    run(scene())


def test_a_run_that_could_be_longer_is_made_anew() -> None:
    async def scene(log: MemoryLog, _: Broadcast) -> None:
        blocks, dialect = Blocks(log), Dialect(TABLE, FULL, FRAMING)
        short = await blocks.after(dialect, 0, 1)
        assert await blocks.after(dialect, 0, 1) is short
        log.say(1)
        longer = await blocks.after(dialect, 0, 2)
        assert longer
        assert longer.last.seq == 2
        assert await blocks.after(dialect, 2, 2) is None

    perform(scene)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=60), st.integers(0, 9))
def test_runs_hold_everything_in_order_within_their_bounds(sizes: list[int], after: int) -> None:
    made = records([delta("x" * size) for size in sizes], after=Cursor(1, after))
    with tiny_bounds():
        runs = list(cut(Dialect(TABLE, FULL, FRAMING), made, made[-1].cursor.seq))
    assert b"".join(run.wire for run in runs) == FRAMING.entries(made)
    assert all(run.sealed for run in runs[:-1])
    assert all(len(run.wire) <= 400 or run.wire.count(b"id: ") == 1 for run in runs)


@given(
    st.lists(st.lists(st.integers(0, 90), min_size=1, max_size=5), min_size=1), st.integers(1, 300), st.data()
)
def test_a_ring_gives_what_follows_or_nothing(
    batches: list[list[int]], bound: int, data: st.DataObject
) -> None:
    ring, wires = Ring(ZERO, 3 * OVERHEAD), [b""]
    for sizes in batches:
        fresh = [b"%0*d" % (size, size) if size else b"" for size in sizes]
        ring.extend([Cursor(1, seq) for seq, _ in enumerate(fresh, len(wires))], fresh)
        wires += fresh
    assert ring.size <= 3 * OVERHEAD
    start = data.draw(st.integers(0, len(wires) - 1))
    found = ring.after(Cursor(1, start), ring.tip, bound)
    assert (found is None) == (start < ring.base.seq or start == ring.tip.seq)
    if found:
        frames, last = found
        assert frames == b"".join(wires[start + 1 : last.seq + 1])
        assert len(frames) <= bound or last.seq == start + 1


# Bytes


def test_the_fast_way_to_frame_equals_the_slow_one() -> None:
    made = records([delta('" and\n\u2028"'), e.RoundStarted(round=1), CLOSED])
    slow = View("slow", FULL.frames)
    assert encode(FULL, FRAMING, made) == encode(slow, FRAMING, made)
    unknown = Record(Cursor(7, 1), b'{"type":"later.thing","at":1.000000,"x":1}')
    assert encode(FULL, FRAMING, [unknown]) == b"id: 7-1\nevent: later.thing\ndata: " + unknown.body + b"\n\n"


def test_a_chunk_says_its_size_in_hexadecimal() -> None:
    assert ChunkedEventStream().wrap(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_an_entry_is_with_those_who_are_live_in_the_turn_that_brings_it() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        readers = [Reader(broadcast) for _ in range(3)]
        await settle()
        broadcast._deliver(TABLE, records([delta("now")], log.cursor(1)))
        assert [reader.ids()[-1] for reader in readers] == [f"{TERM}-2"] * 3

    perform(scene)


def test_after_a_pass_that_took_long_entries_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, FakeTimeLoop)
        reader = Reader(broadcast)
        await settle()
        write, writes = reader.pipe.write, list[tuple[float, int]]()

        def slowly(data: bytes) -> None:
            loop.pass_time(0.004)
            writes.append((loop.time(), data.count(b"id: ")))
            write(data)

        monkeypatch.setattr(reader.pipe, "write", slowly)
        began = loop.time()
        for seq in range(1, 4):
            broadcast._deliver(TABLE, records([delta("word")], Cursor(TERM, seq)))
        await asyncio.sleep(0.1)
        assert [count for _, count in writes] == [1, 2]
        assert [at - began for at, _ in writes] == pytest.approx([0.004, 0.016])

    perform(scene)


def test_the_more_a_pass_takes_the_longer_the_next_one_waits() -> None:
    assert pause(0.0001, max_delay=0.02) == 0
    assert pause(0.004, max_delay=0.02) == 0.008
    assert pause(0.1, max_delay=0.02) == 0.02
    assert pause(0.1, max_delay=0) == 0


def test_a_stream_that_is_deleted_between_two_looks_is_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        log.say(3)
        async with broadcast.channel(TABLE, FULL, FRAMING) as channel:

            async def gone(*_: object, **__: object) -> list[Record]:
                return []

            monkeypatch.setattr(log, "read", gone)
            within = Cursor(TERM, 2, 1)
            cursor, first = await channel.resume(within)
            assert cursor == channel.head
            assert first.startswith(b"event: reset\n")

    perform(scene)
