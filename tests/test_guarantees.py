"""What every table holds, under every policy, whatever its voices do, a person asks, and however slow the log is."""

import asyncio
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol import codec, commands
from protocol import events as e
from protocol.asked import AskedLimits, AskedSeat
from protocol.errors import ProviderError
from protocol.findings import (
    BallotCast,
    BidMade,
    BudgetWarned,
    ClaimMade,
    SpeakerChosen,
    StanceTaken,
    SummaryMade,
    TallyCounted,
    TurnUnread,
    VerdictGiven,
)
from protocol.kinds import (
    ANSWER,
    ATTACK,
    BALLOT,
    BID,
    CLOSING,
    OPENING,
    PROPOSAL,
    REBUTTAL,
    REVISION,
    SPEECH,
    STANCES,
    VOTE,
    is_heard,
)  # fmt: skip
from protocol.messages import Until
from protocol.transcript import Transcript, Turn, apply, fold
from roundtable import policies
from roundtable.deliberation.record import placed
from roundtable.hosting.snapshots import Snapshots
from roundtable.table import seating
from roundtable.table.yielding import TOKENS, WITHIN
from tests import fake_time
from tests.scene import FOREVER, STREAM, InTurn, MemoryLog, Scene, Step

# Under these nobody speaks twice in a row while another is present.
ALTERNATING = ("floor_time", "moderated", "raise_hand")
AT_ONCE = ("parallel", "delphi", "council")
# Turns of these kinds are held at the same time.
TOGETHER = {"debate": VOTE, "red_team": ATTACK, "raise_hand": BID}
SEATS = ("Ada", "Ben", "Cleo", "Dag")
EVE: tuple[Step, ...] = ("Said. ", 1.0, "And more. ")
Ended = e.TurnCompleted | e.TurnFailed | e.TurnCancelled

broken = (
    ProviderError("Busy.", code="rate_limited", retryable=True, retry_after=2.0),
    ProviderError("No key.", code="auth"),
    RuntimeError("A bug."),
)
RECORD = (
    '{"claims": [{"claim": "c1", "text": "It holds.", "by": "Ben"}], "stances": [{"panelist": "Ada", "claim": "c1", '
    '"stance": "support"}, {"panelist": "Ben", "claim": "c1", "stance": "oppose", "quote": "one"}]}\n'
)
SYNTHESIS = """
## Answer
It holds.
## Where they agree
- c1: It holds (for: Ada, Ben, Dag)
## Dissent
- Cleo: no.
"""
steps = st.sampled_from(
    [
        "one ",
        "two ",
        "[Ben]: stolen ",
        "\n",
        "words " * 40,
        0.0,
        0.01,
        3.0,
        FOREVER,
        *broken,
        RECORD,
        SYNTHESIS,
        '{"ranking": ["Answer C", "Answer A", "B"]}',
        '{"speaker": "Ben"}',
        '{"speaker": null}',
        '{"urgency": 7}',
        '{"urgency": 0}',
        "PASS",
        '{"vote": "for"}',
        '{"vote": "against"}',
        "POSITION: As Ben says, and Dag.",
    ]
)
scripts = st.lists(st.lists(steps, max_size=6), min_size=1, max_size=4)
TALK: tuple[commands.ANY, ...] = (
    commands.Say("Hm?"), commands.Say("Ada?", to="Ada"), commands.Say("Cleo?", to="Cleo"),
    commands.Say("Well.", author="Rosa"), commands.Pause(), commands.Resume(), commands.Retry("t1"),
    commands.Retry("t3"), *(commands.Cancel(f"t{number}") for number in range(1, 8)), commands.Skip(),
    commands.Skip("Ben"), commands.BargeIn(), commands.BargeIn("Stop!"),
    commands.BargeIn("You?", to="Ben", author="Rosa"), commands.RaiseHand(), commands.RaiseHand("Rosa"),
    commands.LowerHand(), commands.LowerHand("Rosa"), commands.Title("Another"), commands.StressTest(),
)  # fmt: skip
STEERING: tuple[commands.ANY, ...] = (
    *(command(name) for command in (commands.Mute, commands.Unmute, commands.Remove) for name in ("Ada", "Ben")),
    commands.Add(AskedSeat("Ada", "voice:Ada")), commands.Add(AskedSeat("Eve", "voice:Eve")),
    commands.Swap("Ada", AskedSeat("Ada", "voice:Eve")), commands.Swap("Ben", AskedSeat("Eve", "voice:Eve")),
    commands.Swap("Eve", AskedSeat("Ben", "voice:Ben", role="chair")),
    commands.Extend(AskedLimits(max_turns=3)), commands.Extend(AskedLimits(max_seconds=20.0)),
    commands.Conclude(),
)  # fmt: skip
pauses = st.sampled_from([0.0, 0.01, 1.0, 40.0])
talk = st.lists(st.tuples(st.sampled_from(TALK), pauses), max_size=8)
orders = st.lists(st.tuples(st.sampled_from(TALK + STEERING), pauses), max_size=8)
limits = st.fixed_dictionaries(
    {"max_turns": st.integers(1, 9)},
    optional={"max_rounds": st.integers(1, 3), "max_tokens": st.integers(1, 4_000),
              "max_seconds": st.sampled_from([0.5, 30.0])},
)  # fmt: skip


tables = st.tuples(
    limits, st.fixed_dictionaries({}, optional={"verdict": st.booleans(), "until": st.just(Until())})
).map(lambda parts: parts[0] | parts[1])


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
        scene = Scene(policy, dict(zip(SEATS, voices, strict=False)), log=MemoryLog(lambda: slow), **limits)
        await to_its_end(scene, asked, dies_after)

    fake_time.run(play())


async def to_its_end(scene: Scene, asked: list[tuple[commands.ANY, float]], dies_after: int | None) -> None:
    """Play the scene, with these commands, and check all that every table holds."""
    scene.voices.scripts = dict.fromkeys((*SEATS, "Eve"), EVE) | dict(scene.voices.scripts)
    await scene.owner.begin(scene.opening)
    owner = asyncio.create_task(scene.owner.run())
    for number, (command, after) in enumerate(asked):
        if number == dies_after:
            owner = await next_owner(scene, owner)
        await asyncio.sleep(after)
        owner = await _tell(scene, owner, command)
    owner = await _tell(scene, owner, commands.Resume())
    await asyncio.wait([owner], timeout=3_000.0)
    owner = await _tell(scene, owner, commands.Close())
    await owner
    await _check(scene, scene.log)


async def _tell(scene: Scene, owner: asyncio.Task[None], command: commands.ANY) -> asyncio.Task[None]:
    """At rest nobody owns it."""
    scene.tell(command)
    return await next_owner(scene, owner) if owner.done() else owner


async def next_owner(scene: Scene, owner: asyncio.Task[None]) -> asyncio.Task[None]:
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
    _in_order(scene, table, entries)
    _rules(scene, entries)
    if scene.policy == "delphi":
        _nameless(scene)
    _yields(entries)
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
            assert verdict.answer in table.turn(verdict.turn).text
            assert table.turn(verdict.turn).panelist == verdict.chair
        _sources(table, verdict)
    _record(table, {str(entry.event.command) for entry in entries if isinstance(entry.event, e.TurnQueued)})


def _sources(table: Transcript, verdict: VerdictGiven) -> None:
    """Whatever a verdict says is somebody's word, and nobody stands where her stance is not."""
    assert bool(verdict.claims) == bool(verdict.source)
    sides = [{*claim.supports, *claim.opposes, *claim.unsure} for claim in verdict.claims]
    assert all(names <= set(verdict.answered) for names in sides)
    assert {each.panelist for each in verdict.dissent} <= set(verdict.answered)
    for each in verdict.dissent:
        words = " ".join(table.turn(each.turn).text.split()) if each.turn else ""
        assert not each.turn or each.text.removesuffix(" \u2026") in words
    if verdict.source == "stances":
        taken = {(each.panelist, each.claim): each.stance for each in table.found(StanceTaken)}
        for made, claim in zip(table.found(ClaimMade), verdict.claims, strict=True):
            assert all(taken[name, made.claim] == "support" for name in claim.supports)
            assert all(taken[name, made.claim] == "oppose" for name in claim.opposes)


def _record(table: Transcript, again: set[str]) -> None:
    """Stances are of those who spoke in that round; and a table asks for no more than two that come to nothing, beside
    those that a person has tried again."""
    for stance in table.found(StanceTaken):
        assert any(
            (turn.panelist, turn.round) == (stance.panelist, stance.round) and is_heard(turn.kind)
            for turn in table.of("completed")
        )
    lost = [each for each in table.found(TurnUnread, sitting=False) if each.kind == STANCES]
    retried = sum(1 for key in table.commands if key in again)
    assert len(lost) <= 2 + retried


written = st.sampled_from(
    [[RECORD], [3.0, RECORD], [SYNTHESIS], [2.0, SYNTHESIS, 2.0], ["I would rather not."], [broken[0]], [broken[1]],
     [FOREVER], [SYNTHESIS, broken[2]], ["{" * 50]]
)  # fmt: skip
meanwhile = st.sampled_from(
    [commands.Say("And?"), commands.Say("Ben?", to="Ben"), commands.Say("Cleo?", to="Cleo"), commands.Pause(),
     commands.Resume(), commands.Retry("t3"), commands.Retry("t4"),
     *(commands.Cancel(f"t{number}") for number in range(3, 9))]
)  # fmt: skip


@pytest.mark.parametrize("policy", policies.OURS)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(written, min_size=1, max_size=6),
    st.lists(st.tuples(meanwhile, st.sampled_from([0.0, 0.5, 2.0, 4.0])), max_size=5),
    st.tuples(st.booleans(), st.integers(1, 3), st.sampled_from([None, 4, 7])),
    st.none() | st.integers(0, 4),
)
def test_a_verdict_is_never_made_up(
    policy: str,
    chair: list[list[Step]],
    asked: list[tuple[commands.ANY, float]],
    limits: tuple[bool, int, int | None],
    dies_after: int | None,
) -> None:
    seated, rounds, turns = limits  # a chair of its own, or Ada chairs

    async def play() -> None:
        own, said = list[Step](["one ", 1.0, "two "]), list[Step]([0.5, "No, one. "])
        voices: dict[str, list[Step]] = {
            "Ada": InTurn(own, *chair),
            "Ben": said,
            "Cleo": InTurn(said, *chair),
        }
        scene = Scene(
            policy,
            voices,
            verdict=True,
            max_rounds=rounds,
            max_turns=turns,
            roles={"Cleo": "chair"} if seated else {},
        )
        await scene.owner.begin(scene.opening)
        owner = asyncio.create_task(scene.owner.run())
        for number, (command, after) in enumerate(asked):
            await asyncio.sleep(after)
            if number == dies_after:
                owner = await next_owner(scene, owner)
            scene.tell(command)
        scene.tell(commands.Resume())
        await asyncio.wait([owner], timeout=30_000.0)
        assert owner.done(), "every wait has a deadline"
        _turns(scene.entries)
        _verdict(scene.table, scene.entries)

    fake_time.run(play())


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
        _has_the_floor(table, event)
        if isinstance(event, e.TurnStarted):
            sent = seating.projected(table, event.turn, event.room)
            assert event.digest == sent.digest(), "what she was sent can be computed from the log"
        apply(table, entry)
        if isinstance(event, e.TurnStarted):
            assert event.panelist not in speaking, "one turn at a time each"
            reason, kind = table.turn(event.turn).reason, table.turn(event.turn).kind
            under_way = {turn.kind for turn in table.of("started")}
            assert not speaking or scene.policy in AT_ONCE or under_way == {TOGETHER.get(scene.policy)}
            speech = kind == SPEECH
            if scene.policy in ALTERNATING and len(table.present()) > 1 and reason != "asked" and speech:
                assert event.panelist != last
            if scene.policy == "council":
                _council(table, event.turn)
            _order_of(scene.policy, table, table.turn(event.turn))
            _order_of(scene.policy, table, table.turn(event.turn))
            speaking.add(event.panelist)
            last = event.panelist if speech else last
        elif isinstance(event, e.TurnQueued) and scene.policy in ("moderated", "raise_hand"):
            _given_for_a_reason(table, table.turn(event.turn))
        elif isinstance(event, Ended):
            speaking.discard(event.panelist)
            if isinstance(event, e.TurnCancelled) and event.reason == "swapped":
                last = ""  # it is another who speaks under that name
        elif isinstance(event, e.RoundStarted):
            assert not speaking, "a round is over when all its turns have ended"
            assert event.round == table.round


def _given_for_a_reason(table: Transcript, turn: Turn) -> None:
    """Who speaks was named by a moderator, bid for it, or has it by a reason that says why neither."""
    if turn.kind != SPEECH or turn.reason == "asked":
        return
    if table.policy == "moderated" and "spoke least so far" not in turn.reason:
        chosen = table.found(SpeakerChosen)[-1]
        assert chosen.question == turn.question
        assert turn.panelist == chosen.speaker or _handed_on(table, turn)
        assert turn.reason in (f"named by {chosen.panelist}", f"{chosen.panelist}: {chosen.reason}")
    if turn.reason.startswith("bid ") and not _handed_on(table, turn):
        mine = [bid for bid in table.found(BidMade) if bid.panelist == turn.panelist]
        assert turn.reason.startswith(f"bid {mine[-1].urgency} of 10")
    opens = len(table.sitting()) == 1 or _handed_on(table, turn)
    assert turn.reason or opens, "only who opens a sitting needs no reason"


def _handed_on(table: Transcript, turn: Turn) -> bool:
    """Whether it was asked of another first, in whose place she sits."""
    return any(each.reason == "swapped" and each.question == turn.question for each in table.sitting())


def _council(table: Transcript, turn: str) -> None:
    """Nobody ranks before all have answered, more often than twice and once more each, or after the count."""
    begun = table.turn(turn)
    sitting = [each for each in table.sitting() if each.reason != "asked"]
    if begun.kind == BALLOT and begun.reason != "asked":
        assert not [each for each in sitting if each.kind == ANSWER and each.status in ("queued", "started")]
        assert sum(each.kind == BALLOT and each.panelist == begun.panelist for each in sitting) <= 4
        assert not table.found(TallyCounted)
    tallies = table.found(TallyCounted)
    assert [tally.ballots for tally in tallies] == [len(table.found(BallotCast))] * (len(tallies) > 0)


def _order_of(policy: str, table: Transcript, turn: Turn) -> None:
    """What came before a turn that begins, where the policy has an order of kinds."""
    own = [each for each in table.sitting() if each.reason != "asked"]
    if turn not in own:
        return
    if policy == "debate":
        _debated(own, turn)
    elif policy == "red_team":
        _attacked(own, turn)


def _debated(own: list[Turn], turn: Turn) -> None:
    """Openings before rebuttals before closings, votes before and after them all and at the most two at a time each;
    the sides of the openings alternate."""
    before = {each.kind for each in own if each.seq < turn.seq}
    if turn.kind == VOTE:
        assert not {OPENING, REBUTTAL} & {each.kind for each in own if each.status in ("queued", "started")}
        assert sum(each.kind == VOTE and each.panelist == turn.panelist for each in own) <= 4
    assert turn.kind != OPENING or not {REBUTTAL, CLOSING} & before
    assert turn.kind not in (REBUTTAL, CLOSING) or OPENING in before
    dealt = [each.reason for each in own if each.kind == OPENING]
    if "cancelled" not in [each.status for each in own]:
        assert all(side != following for side, following in pairwise(dealt))


def _attacked(own: list[Turn], turn: Turn) -> None:
    """Nobody attacks what was not proposed, or herself, and a revision answers an attack."""
    done = [each for each in own if each.status == "completed" and each.text.strip()]
    proposals = [each for each in done if each.kind == PROPOSAL]
    if turn.kind == ATTACK:
        assert proposals
        assert turn.reason == f"attacks what {proposals[-1].panelist} proposed" or len(proposals) > 1
        assert turn.reason != f"attacks what {turn.panelist} proposed"
    elif turn.kind == REVISION:
        assert any(each.kind == ATTACK and each.round == turn.round for each in done)
        assert turn.panelist in [each.panelist for each in proposals]


def _nameless(scene: Scene) -> None:
    """Under Delphi no prompt before the verdict's holds another's name."""
    names = {panelist.name for panelist in scene.opening.panel}
    for request in scene.voices.asked:
        prompt = "\n".join([request.system, *(message.text for message in request.messages)])
        if not request.system.startswith("You serve"):
            assert not [name for name in names - {request.speaker} if re.search(rf"\b{name}\b", prompt)]


def _has_the_floor(table: Transcript, event: e.Event) -> None:
    """Who begins may speak, within the limits, and while no person waits to; who yields ends soon."""
    if isinstance(event, e.TurnStarted):
        limit = table.limits.max_turns
        assert limit is None or table.spent.turns - table.base.turns <= limit
        assert event.panelist not in (*table.muted, *table.removed)
        assert not table.hands or table.concluding
    elif isinstance(event, e.TableRested | e.TableClosed):
        assert not table.hands


def _yields(entries: list[e.Entry]) -> None:
    """Who was asked to yield says so many tokens at the most, for so long."""
    since, said = dict[str, float](), dict[str, int]()
    for entry in entries:
        match event := entry.event:
            case e.TurnYielding():
                since[event.turn], said[event.turn] = entry.at, 0
            case e.TurnDelta() if event.turn in since:
                said[event.turn] += len(event.text.split())
                assert said[event.turn] <= TOKENS
                assert entry.at - since[event.turn] <= WITHIN + 1.0, (
                    "an append is under way for half a second"
                )
            case _:
                pass


async def _snapshots(log: MemoryLog, entries: list[e.Entry]) -> None:
    found = await Snapshots(log).of(STREAM)  # type: ignore[arg-type]
    assert found == fold(entries)
    held = await log.checkpoint(STREAM)
    assert held is not None
    assert held.body == codec.encode(fold(entries))


@example([[3.0], []], [(commands.Say("Hm?"), 0.0), (commands.Cancel("t2"), 1.0)], {}, (0.0, None))
@example([[3.0], []], [(commands.Say("Hm?"), 0.0), (commands.Say("Ha?"), 1.0)], {}, (0.0, None))
@example([[3.0]], [(commands.Say("Hm?"), 0.0), (commands.Say("Ha?"), 1.0)], {"max_turns": 1}, (0.0, None))
@example([["A"], ["B"]], [(commands.Say("Hm?"), 0.0), (commands.StressTest(), 0.01)], {}, (0.0, None))
@settings(max_examples=80, deadline=None)
@given(
    scripts,
    talk,
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
                owner = await next_owner(scene, owner)
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
