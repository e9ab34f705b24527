"""An owner dies behind any entry of a table, under every method: whoever takes it over comes to its proper end."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import pytest

from protocol import commands, kinds
from protocol import events as e
from protocol.asked import AskedLimits
from protocol.codec import encode_body
from protocol.findings import BallotCast, BidMade, VerdictGiven, VoteCast
from protocol.messages import Limits
from protocol.transcript import fold
from providers.base import Request
from roundtable import policies
from roundtable.log.base import Record
from tests import fake_time, golden_scenarios
from tests.scene import MemoryLog, Scene, Step

SAID: tuple[Step, ...] = ("Said. ", 1.0, "And more. ")
LONG = 3_000.0  # seconds, in which any of these tables has come to its end


def left(entries: Sequence[e.Entry]) -> Scene:
    """The table that these entries leave without an owner; everybody says the same."""
    opening = next(entry.event for entry in entries if isinstance(entry.event, e.TableOpened))
    scene = Scene(opening.policy, {}, log=MemoryLog())
    scene.opening = opening
    scene.voices.scripts = defaultdict(lambda: SAID)
    scene.log.records = [Record(entry.cursor, encode_body(entry.event, entry.at)) for entry in entries]
    scene.position = fold(entries).inbox
    return scene


async def go_on(scene: Scene) -> None:
    """Take it over, and resume it if it was paused, until it rests or is closed."""
    table = scene.table
    if table.status == "closed":
        return
    await scene.owner.take_over(table)
    if table.limits == Limits() and table.status != "resting":
        scene.tell(
            commands.Extend(AskedLimits(max_turns=len(table.turns) + 8))
        )  # hosts give every table a limit
    if table.status == "paused":
        scene.tell(commands.Resume())
    async with asyncio.timeout(LONG), scene.held():
        pass


def check(entries: list[e.Entry], kept: int) -> None:
    """The table has ended, as has every turn, and what each has said since is hers and read once."""
    assert [entry.cursor.seq for entry in entries] == list(range(1, len(entries) + 1))
    table = fold(entries)
    assert table.status in ("resting", "closed")
    assert not table.of("queued", "started")
    assert not table.hands
    words = defaultdict[str, str](str)
    for event in (entry.event for entry in entries[kept:]):
        if isinstance(event, e.TurnDelta):
            words[event.turn] += event.text
        elif isinstance(event, e.TurnCompleted):
            assert words[event.turn] == event.text
    read = [
        each.finding for each in table.findings if isinstance(each.finding, BidMade | BallotCast | VoteCast)
    ]
    assert len({(each.turn, type(each)) for each in read}) == len(read)
    begun, given = (
        sum(isinstance(entry.event, kind) for entry in entries) for kind in (e.TableConcluding, VerdictGiven)
    )
    assert begun == given


@pytest.mark.parametrize("scenario", golden_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_it_goes_on_behind_every_entry(scenario: Callable[[], Any]) -> None:
    entries = scenario().entries
    first = next(place for place, entry in enumerate(entries, 1) if isinstance(entry.event, e.TableOpened))

    async def play(count: int) -> None:
        scene = left(entries[:count])
        await go_on(scene)
        check(scene.entries, count)

    for count in range(first, len(entries) + 1):
        fake_time.run(play(count))


# By kind of turn, what is said so that every method goes all its way.
FORMS = {
    kinds.BID: '{"urgency": 7}', kinds.BALLOT: '{"ranking": ["Answer B", "Answer A", "Answer C"]}',
    kinds.MODERATION: '{"speaker": "Ben", "question": "Why?"}', kinds.VOTE: '{"vote": "for"}',
    kinds.VERDICT: "## Answer\nIt holds.\n## Dissent\n- Cleo: no.", kinds.ANSWER: "Aye.\n\nPOSITION: Aye.",
    kinds.STANCES: '{"claims": [{"claim": "c1", "text": "It holds.", "by": "Ben"}], "stances": []}',
}  # fmt: skip


def in_form(scene: Scene) -> Callable[[Request], Sequence[Step]]:
    def says(request: Request) -> Sequence[Step]:
        kind = next(turn.kind for turn in scene.table.of("started") if turn.panelist == request.speaker)
        return [FORMS.get(kind, f"{request.speaker} thinks so. "), 0.5]

    return says


def whole(entries: list[e.Entry]) -> list[tuple[str, str, int, str]]:
    """What was said in all, and by whom: at once in any order."""
    return sorted((turn.panelist, turn.kind, turn.round, turn.text) for turn in fold(entries).of("completed"))


@pytest.mark.parametrize("seats", [2, 4])
@pytest.mark.parametrize("policy", policies.OURS)
def test_whoever_takes_over_between_two_turns_comes_to_the_same_end(policy: str, seats: int) -> None:
    appends: list[int] = []

    async def play(entries: list[e.Entry]) -> list[e.Entry]:
        names = ("Ada", "Ben", "Cleo", "Dag", "Eve")[:seats]
        scene = (
            left(entries) if entries else Scene(policy, dict.fromkeys(names, ()), max_rounds=2, max_turns=60)
        )
        scene.voices.scripts = defaultdict(lambda: in_form(scene))
        await (go_on(scene) if entries else scene.play())
        appends[:] = scene.log.appends
        return scene.entries

    entries = fake_time.run(play([]))
    check(entries, 0)
    for count in list(accumulate(appends))[:-1]:  # an append is whole or not there
        again = fake_time.run(play(entries[:count]))
        check(again, count)
        if not fold(entries[:count]).of("started"):
            assert whole(again) == whole(entries), entries[count]
