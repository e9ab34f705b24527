"""A replay in fake time: everything once, in order, when it is due, and at the viewer's command."""

import asyncio
import contextlib
import json
import math
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol import codec, sse
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.errors import LogDamaged, WrongState
from protocol.parts import parts
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.channel import Left
from roundtable.fanout.framing import FULL
from roundtable.fanout.outlet import PATIENCE, Outlet
from roundtable.fanout.pacing import FASTEST, SLACK, SLOWEST, Score, Tempo
from roundtable.fanout.playback import Playback
from roundtable.log.base import Record
from tests.fake_time import run
from tests.readers import FRAMING, TABLE, MemoryLog, Pipe, delta, play, settle
from tests.tables import AT, TERM

CLOSED = e.TableClosed(reason="max_turns")

times = st.lists(st.floats(0, 1e4), min_size=1, max_size=30).map(sorted)
tempos = st.builds(Tempo, st.floats(SLOWEST, FASTEST), st.floats(0, 60))


# The arithmetic


def schedule(tempo: Tempo, ats: list[float]) -> list[float]:
    """When a viewer who is never late is shown what happened at those times."""
    score, shown = Score(tempo, 0.0), list[float]()
    for at in ats:
        shown.append(score.due(at))
        score.show(at, shown[-1])
    return shown


@given(tempos, times)
def test_distances_are_those_of_the_table_divided_by_speed_and_silences_are_cut(
    tempo: Tempo, ats: list[float]
) -> None:
    shown = schedule(tempo, ats)
    assert shown[0] == 0
    gaps = [later - sooner for sooner, later in pairwise(ats)]
    for gap, (sooner, later) in zip(gaps, pairwise(shown), strict=True):
        assert later - sooner == pytest.approx(min(gap, tempo.max_gap) / tempo.speed, abs=1e-6)


@given(tempos, times, st.floats(0.5, 2))
def test_twice_the_speed_takes_half_as_long(tempo: Tempo, ats: list[float], factor: float) -> None:
    other = schedule(Tempo(tempo.speed * factor, tempo.max_gap), ats)
    assert [at * factor for at in other] == pytest.approx(schedule(tempo, ats), abs=1e-6)


@given(tempos, times, st.data())
def test_a_change_of_speed_takes_effect_from_now_and_loses_nothing_of_the_wait(
    tempo: Tempo, ats: list[float], data: st.DataObject
) -> None:
    score = Score(tempo, 0.0)
    score.show(0.0, 0.0)
    due = score.due(ats[0])
    now = data.draw(st.floats(0, due))
    speed = data.draw(st.floats(SLOWEST, FASTEST))
    score.change(now, speed=speed)
    assert score.due(ats[0]) == pytest.approx(now + (due - now) * tempo.speed / speed, abs=1e-6)


def test_a_pause_lasts_as_long_as_it_lasts() -> None:
    score = Score(Tempo(2.0, 5.0), 0.0)
    score.show(100.0, 0.0)
    score.change(1.0, paused=True)
    assert score.due(104.0) == math.inf
    score.change(50.0, speed=1.0)  # changed while it stands still
    score.change(60.0, paused=True)  # asked for again
    score.change(61.0, paused=False)
    assert score.due(104.0) == 63.0  # two of the four seconds were over


def test_who_is_late_goes_on_from_where_she_is() -> None:
    score = Score(Tempo(), 0.0)
    score.show(0.0, 0.0)
    score.show(1.0, 1.01)
    assert score.due(2.0) == 2.0  # a little is made up for
    score.show(2.0, 30.0)
    assert score.due(3.0) == 31.0 - SLACK


def test_what_is_said_at_the_same_time_is_not_told_backwards() -> None:
    assert schedule(Tempo(), [10.0, 12.0, 11.0, 13.0]) == [0.0, 2.0, 2.0, 3.0]


# The parts of an entry


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(0, 9999)), min_size=1, max_size=20))
def test_parts_are_what_was_said_in_order(said: list[tuple[str, int]]) -> None:
    whole = replace(delta("".join(text for text, _ in said)), chunks=[(len(text), ms) for text, ms in said])
    told = [
        (codec.decode_body(Cursor(1, 1), part.body), part.at) for part in parts(codec.encode_body(whole, AT))
    ]
    for (text, ms), (entry, at) in zip(said, told, strict=True):
        assert entry.event == delta(text)
        assert entry.at == at == pytest.approx(AT + ms / 1000, abs=1e-5)


@pytest.mark.parametrize(
    "body",
    [
        codec.encode_body(delta("Words."), AT),
        codec.encode_body(e.RoundStarted(round=1), AT),
        codec.encode_body(replace(delta("Words."), chunks=[(3, 0)]), AT),  # does not add up
        b'{"type":"later.thing","at":1763675000.0,"chunks":"many"}',
    ],
)
def test_most_entries_are_their_only_part(body: bytes) -> None:
    assert [tuple(part) for part in parts(body)] == [(body, AT)]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"type":"turn.delta","at":1}', b'{"type":"x","at":"\xff"}'])
def test_what_is_no_event_is_damage(body: bytes) -> None:
    with pytest.raises(LogDamaged):
        parts(body)


def test_a_part_keeps_what_a_later_version_added() -> None:
    head = b'{"type":"turn.delta","at":%b,"turn":"t1","panelist":"A","attempt":1,'
    body = head % b"1.5" + b'"text":"ab","chunks":[[1,0],[1,9]],"x":{"y":1}}'
    assert parts(body)[1].body == head % b"1.509000" + b'"text":"b","x":{"y":1}}'


# Playing


class Viewer:
    """A replay over a pipe: what is shown, and when."""

    def __init__(self, log: MemoryLog, broadcast: Broadcast, tempo: Tempo, after: Cursor = ZERO) -> None:
        self.log, self.broadcast = log, broadcast
        self.pipe = Timed()
        self.left: Left | None = None
        self.steering: Playback | None = None
        self._task = asyncio.create_task(self._watch(tempo, after))

    async def _watch(self, tempo: Tempo, after: Cursor) -> None:
        async with self.broadcast.channel(TABLE, FULL, FRAMING) as channel:
            now = asyncio.get_running_loop().time()
            self.steering = Playback(self.log, channel, Score(tempo, now))
            outlet = Outlet(self.pipe, self.pipe.drain)
            self.left = await channel.follow(outlet, after, self.steering.play)

    @property
    def steer(self) -> Playback:
        assert self.steering
        return self.steering

    def frames(self) -> list[tuple[float, sse.Frame]]:
        decoder = sse.Decoder()
        return [(at, frame) for at, wire in self.pipe.writes for frame in decoder.feed(wire)]

    def shown(self) -> list[tuple[float, str]]:
        return [(round(at, 3), frame.id) for at, frame in self.frames() if frame.id]

    def told(self, kind: str) -> list[float]:
        return [round(at, 3) for at, frame in self.frames() if frame.event == kind]

    async def done(self) -> Left | None:
        await self._task
        return self.left


class Timed(Pipe):
    """A pipe that notes when what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[float, bytes]] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append((asyncio.get_running_loop().time(), bytes(data)))
        super().write(data)


Scene = Callable[[MemoryLog, Broadcast], Coroutine[Any, Any, None]]


def perform(scene: Scene) -> None:
    run(play(scene))


def write(log: MemoryLog, *happened: tuple[float, e.Event]) -> None:
    """Entries at so many seconds after the table's beginning, behind those that are there."""
    stream = log.streams_[TABLE]
    for at, event in happened:
        stream.append(Record(Cursor(TERM, len(stream) + 1), codec.encode_body(event, AT + at)))
    log.written.set()


def id(seq: int, part: int = 0) -> str:
    return str(Cursor(TERM, seq, part))


def test_a_table_is_shown_as_it_happened_and_ends() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, (1, delta("a")), (2.5, delta("b")), (62.5, delta("c")), (63, CLOSED))
        viewer = Viewer(log, broadcast, Tempo(speed=2.0, max_gap=10.0))
        assert await viewer.done() == "ended"
        assert viewer.shown() == [(0, id(1)), (0.5, id(2)), (1.25, id(3)), (6.25, id(4)), (6.5, id(5))]

    perform(scene)


def test_words_that_were_logged_together_are_shown_apart() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, (1, replace(delta("abc"), chunks=[(1, 0), (1, 200), (1, 300)])), (2, CLOSED))
        viewer = Viewer(log, broadcast, Tempo())
        assert await viewer.done() == "ended"
        assert viewer.shown()[1:] == [(1.0, id(2, 1)), (1.2, id(2, 2)), (1.3, id(2)), (2.0, id(3))]

    perform(scene)


def test_a_table_that_is_open_goes_on_live() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, (1, delta("a")), (2, delta("b")))
        viewer = Viewer(log, broadcast, Tempo())
        await asyncio.sleep(1.5)
        write(log, (2.5, delta("c")))  # while the replay is under way
        await asyncio.sleep(10)
        assert viewer.shown() == [(0, id(1)), (1, id(2)), (2, id(3)), (2.5, id(4))]
        now = asyncio.get_running_loop().time()
        write(log, (99, delta("d")))
        await settle()
        assert viewer.shown()[4:] == [(round(now, 3), id(5))]
        with pytest.raises(WrongState):
            viewer.steer.change(speed=2.0)

    perform(scene)


def test_silences_have_heartbeats() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, (100, delta("a")), (101, CLOSED))
        viewer = Viewer(log, broadcast, Tempo(speed=1.0, max_gap=35.0))
        assert await viewer.done() == "ended"
        assert viewer.told("hb") == [0, 10, 20, 30]
        assert viewer.shown()[1] == (35, id(2))

    perform(scene)


def test_a_long_table_is_read_page_by_page_and_told_whole() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, *[(number / 100, delta(str(number))) for number in range(1000)], (10, CLOSED))
        viewer = Viewer(log, broadcast, Tempo(speed=FASTEST))
        assert await viewer.done() == "ended"
        assert [shown for _, shown in viewer.shown()] == [id(seq) for seq in range(1, 1003)]
        assert viewer.shown()[-1][0] == pytest.approx(0.1, abs=0.01)
        assert log.reads > 1002 / 64

    perform(scene)


def test_a_viewer_who_does_not_read_is_waited_for_and_then_goes_on_at_the_same_pace() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, *[(number, delta(str(number))) for number in range(1, 30)], (30, CLOSED))
        viewer = Viewer(log, broadcast, Tempo())
        await asyncio.sleep(2.5)
        viewer.pipe.stall()
        await asyncio.sleep(20)
        assert len(viewer.pipe.buffer) < 300  # one frame waits, not twenty
        viewer.pipe.read()
        assert await viewer.done() == "ended"
        shown = viewer.shown()
        assert [cursor for _, cursor in shown] == [id(seq) for seq in range(1, 32)]
        assert shown[-1][0] == 30 + 22.5 - SLACK - 4  # what was due at 4 came at 22.5

    perform(scene)


def test_a_viewer_who_never_reads_again_is_cut_off() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, *[(number, delta(str(number))) for number in range(1, 300)])
        viewer = Viewer(log, broadcast, Tempo())
        await asyncio.sleep(2.5)
        viewer.pipe.stall()
        await asyncio.sleep(PATIENCE + 2)
        assert await viewer.done() == "stalled"

    perform(scene)


def test_a_node_that_closes_does_not_wait_for_a_silence_to_end() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, (100, delta("a")))
        viewer = Viewer(log, broadcast, Tempo(max_gap=60.0))
        await asyncio.sleep(1)
        await broadcast.close()
        assert await viewer.done() == "draining"
        assert asyncio.get_running_loop().time() == pytest.approx(1, abs=0.1)

    perform(scene)


# Steering


def test_speed_pause_and_play() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, *[(number, delta(str(number))) for number in range(1, 6)], (6, CLOSED))
        viewer = Viewer(log, broadcast, Tempo())
        await asyncio.sleep(1.5)
        viewer.steer.change(speed=2.0)
        await asyncio.sleep(1.0)
        viewer.steer.change(paused=True)
        await asyncio.sleep(20)
        viewer.steer.change(paused=False)
        assert await viewer.done() == "ended"
        assert viewer.told("replay") == [1.5, 2.5, 22.5]
        assert viewer.shown() == [
            (0, id(1)), (1, id(2)), (1.75, id(3)), (2.25, id(4)), (22.75, id(5)), (23.25, id(6)), (23.75, id(7)),
        ]  # fmt: skip

    perform(scene)


def test_seeking_goes_there_at_once_and_is_told_first() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, *[(number, delta(str(number))) for number in range(1, 6)], (6, CLOSED))
        viewer = Viewer(log, broadcast, Tempo())
        await asyncio.sleep(1.5)
        viewer.steer.seek(Cursor(TERM, 5), b"")
        await asyncio.sleep(0.5)
        viewer.steer.seek(Cursor(TERM, 1), FRAMING.notice(b"first", b"{}"))
        assert await viewer.done() == "ended"
        events = [frame.event for _, frame in viewer.frames() if frame.event != "hb"]
        words = ["turn.delta"] * 5
        assert events == ["term.began", "turn.delta", "replay", "turn.delta", "replay", "first", *words,
                          "table.closed", "end"][: len(events)]  # fmt: skip
        assert viewer.shown()[2:5] == [(1.5, id(6)), (2.0, id(2)), (3.0, id(3))]

    perform(scene)


@pytest.mark.parametrize("turns", range(12))
def test_seeking_at_any_point_of_reading_skips_nothing(turns: int) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        write(log, *[(number, delta(str(number))) for number in range(1, 9)], (9, CLOSED))
        viewer = Viewer(log, broadcast, Tempo())
        await settle()
        viewer.steer.seek(Cursor(TERM, 3), b"")
        for _ in range(turns):
            await asyncio.sleep(0)
        viewer.steer.seek(Cursor(TERM, 1), b"")
        assert await viewer.done() == "ended"
        check(viewer, 10)

    perform(scene)


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.floats(0, 3)),
    st.tuples(st.just("speed"), st.floats(SLOWEST, FASTEST)),
    st.tuples(st.just("pause"), st.just(0.0)),
    st.tuples(st.just("play"), st.just(0.0)),
    st.tuples(st.just("seek"), st.integers(0, 20).map(float)),
    st.tuples(st.just("say"), st.just(0.0)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_however_it_is_steered_what_follows_a_place_is_what_is_in_the_log(
    steps: list[tuple[str, float]],
) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        words = replace(delta("abc"), chunks=[(1, 0), (1, 200), (1, 300)])
        write(log, *[(number, words) for number in range(1, 21)])
        viewer = Viewer(log, broadcast, Tempo(speed=4.0))
        await asyncio.sleep(0.1)
        for step, value in steps:
            try:
                await steer(log, viewer, step, value)
            except WrongState:
                break
        with contextlib.suppress(WrongState):
            viewer.steer.change(paused=False)
        await asyncio.sleep(1000)
        write(log, (999, CLOSED))
        assert await viewer.done() == "ended"
        check(viewer, len(log.streams_[TABLE]))

    perform(scene)


async def steer(log: MemoryLog, viewer: Viewer, step: str, value: float) -> None:
    match step:
        case "wait":
            await asyncio.sleep(value)
        case "say":
            write(log, (30, delta("more")))
        case "speed":
            viewer.steer.change(speed=value)
        case "pause" | "play":
            viewer.steer.change(paused=step == "pause")
        case _:
            viewer.steer.seek(Cursor(TERM, int(value)) if value else ZERO, b"")


def check(viewer: Viewer, last: int) -> None:
    """From each notice on, the log follows without a gap or a repetition, part by part, and to its end at last."""
    place = ZERO
    for _, frame in viewer.frames():
        if frame.event == "replay":
            place = Cursor.parse(json.loads(frame.data)["after"])
        elif frame.id:
            shown = Cursor.parse(frame.id)
            if place.part:
                assert shown == Cursor(TERM, place.seq, (place.part + 1) % 3)
            else:
                assert (shown.seq, shown.part in (0, 1)) == (place.seq + 1, True)
            place = shown
    assert place == Cursor(TERM, last)
