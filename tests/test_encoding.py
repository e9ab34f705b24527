"""Views with stages on a channel: whatever readers do, each gets every word once, and one who comes back the rest."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.messages import Cost
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.framing import FULL, View
from roundtable.fanout.ring import OVERHEAD, Ring
from roundtable.fanout.stages import Stages, admitting
from tests.fake_time import run
from tests.readers import TABLE, MemoryLog, Reader, play, settle
from tests.tables import TERM
from tests.test_broadcast import STEPS, Crowd, tiny_bounds

VIEWS = {
    "joined": Stages(hold=0.1),
    "one": Stages(admitting(["turn.*"], ["Ada"])),
    "one, joined": Stages(admitting(["turn.*"], ["Ada"]), hold=0.3),
    "all": Stages(admitting(["turn.*"], ["Ada"]), 0.2, ("cost", "elapsed")),
}


def view(name: str) -> View:
    return FULL._replace(name=name, stages=VIEWS[name])


def said(seq: int) -> e.Event:
    """What stands at a place of the log: words of two, in runs, and every seventh the end of a turn."""
    who: dict[str, Any] = {"turn": f"t{seq // 7}", "panelist": "Ada" if seq // 3 % 2 else "Ben"}
    if seq % 7 == 0:
        return e.TurnCompleted(**who, text="", cost=Cost(1.0))
    return e.TurnDelta(**who, attempt=1, text=f"{seq} ") if seq % 7 > 1 else e.TurnStarted(**who)


def words(log: MemoryLog, name: str, after: int, upto: int) -> list[str]:
    shown = [json.loads(record.body) for record in log.streams_[TABLE][after:upto]]
    mine = [each for each in shown if name == "joined" or each.get("panelist") == "Ada"]
    return [each["text"] for each in mine if each["type"] == "turn.delta"]


def heard(reader: Reader) -> str:
    return "".join(each["text"] for each in reader.told("turn.delta"))


class Viewers(Crowd):
    def __init__(self, log: MemoryLog, broadcast: Broadcast, name: str) -> None:
        super().__init__(log, broadcast)
        self.name = name
        self.readers = [(0, Reader(broadcast, ZERO, view(name)))]

    async def say(self, number: int) -> None:
        at = len(self.log.streams_[TABLE])
        self.log.write(*(said(seq) for seq in range(at + 1, at + number + 1)))

    async def join(self, number: int) -> None:
        start = number % (len(self.log.streams_[TABLE]) + 1)
        after = self.log.cursor(start)
        self.readers.append((start, Reader(self.broadcast, after, view(self.name))))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(VIEWS)),
    st.lists(st.one_of([st.tuples(st.just(step), n) for step, n in STEPS.items()]), min_size=10, max_size=60),
)
def test_every_word_once_whatever_happens(name: str, steps: list[tuple[str, int]]) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        crowd = Viewers(log, broadcast, name)
        for step, number in steps:
            await getattr(crowd, step)(number)
        await crowd.hold(0)
        await crowd.say(1)
        for _, reader in crowd.readers:
            reader.pipe.read()
        await settle()
        for start, reader in crowd.readers:
            seqs = [Cursor.parse(id).seq for id in reader.ids()]
            assert seqs == sorted(set(seqs))
            assert all(seq > start for seq in seqs)
            at = max(start, reader.last_id().seq)
            assert heard(reader) == "".join(words(log, name, start, at))
            if reader.left is None and not reader.pipe.closing and not reader.gone:
                assert heard(reader) == "".join(words(log, name, start, len(log.streams_[TABLE])))

    with tiny_bounds():
        run(play(scene))


@pytest.mark.parametrize("name", VIEWS)
def test_whoever_comes_back_goes_on_where_he_was(name: str) -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        crowd = Viewers(log, broadcast, name)
        seen, at = "", ZERO
        for turn in range(40):
            await crowd.say(turn % 5 + 1)
            reader = Reader(broadcast, at, view(name))
            await crowd.turn(turn % 9)
            if turn % 3 == 0:
                await settle()
            await reader.leave()
            seen += heard(reader)
            at = max(at, reader.last_id())
        last = Reader(broadcast, at, view(name))
        await settle()
        assert seen + heard(last) == heard(crowd.readers[0][1]) == "".join(words(log, name, 0, 999))

    with tiny_bounds():
        run(play(scene))


def test_words_wait_for_each_other_and_nothing_else_waits() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast, ZERO, FULL._replace(name="joined", stages=Stages(hold=3.0)))
        await settle()
        for _ in range(3):
            log.say(1)
            await settle()
        assert reader.told("turn.delta") == []
        log.write(e.TableClosed(reason="max_turns"))
        await settle()
        assert [each["text"] for each in reader.told("turn.delta")] == ["234"]
        assert await reader.done() == "ended"
        assert reader.ids() == [str(log.cursor(seq)) for seq in (1, 4, 5)]

    run(play(scene))


def test_words_that_nobody_follows_are_shown_when_the_time_is_over() -> None:
    async def scene(log: MemoryLog, broadcast: Broadcast) -> None:
        reader = Reader(broadcast, ZERO, FULL._replace(name="joined", stages=Stages(hold=2.0)))
        await settle()
        log.say(2)
        await settle()
        assert reader.told("turn.delta") == []
        for _ in range(4):
            await settle()
        assert [each["text"] for each in reader.told("turn.delta")] == ["23"]

    run(play(scene))


def test_a_ring_stops_at_no_place_where_nobody_can_go_on() -> None:
    cursors = [Cursor(TERM, seq) for seq in range(1, 7)]
    ring = Ring(ZERO, 100 * OVERHEAD)
    ring.extend(cursors, [b"a", b"", b"", b"bcd", b"", b"ef"], {2, 3, 5})
    assert ring.after(ZERO, cursors[-1], 2) == (b"a", cursors[0])
    assert ring.after(cursors[0], cursors[-1], 2) == (b"bcd", cursors[3])
    assert ring.after(cursors[1], cursors[-1], 99) is None
    assert ring.after(cursors[0], cursors[-1], 99) == (b"bcdef", cursors[5])
    small = Ring(ZERO, 4 * OVERHEAD)
    small.extend(cursors, [b"a", b"", b"", b"bcd", b"", b"ef"], {2, 3, 5})
    assert small.base.seq == 4
    assert small.after(cursors[3], cursors[-1], 99) == (b"ef", cursors[5])
