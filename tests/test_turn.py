"""One turn against a provider that does what the test says, in fake time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest

from protocol import events as e
from protocol.codec import encode_body
from protocol.errors import ProviderError
from protocol.messages import Cost, Message, StopReason, Usage
from protocol.sse import MAX_LINE
from providers.base import Chunk, Request, Stop, Text, Thinking, ToolCall
from roundtable.log.batch import MAX_RECORD_BYTES
from roundtable.table.asking import ATTEMPTS, CLOSE_WITHIN, MOST, Deadlines
from roundtable.table.merge import MAX_WAITING, Happened, Merge, Source
from roundtable.table.turn import Speaker, TurnRun
from tests.fake_time import run

REQUEST = Request(model="m", system="You are Ada.", messages=(Message("user", "Why? " * 10),))
Step = Chunk | Exception | float
FOREVER = 1e6
DEADLINES = Deadlines()


class Scripted:
    """Each call plays the next script: a chunk is yielded, a number slept, an exception raised; `closing` last."""

    name, local, destination = "test", False, "nobody"

    def __init__(self, *scripts: Sequence[Step], closing: Step = 0.0) -> None:
        self.scripts = list(scripts)
        self.closing = closing
        self.closed = 0

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        try:
            for step in self.scripts.pop(0):
                if isinstance(step, Chunk):
                    yield step
                else:
                    await self._do(step)
        finally:
            self.closed += 1
            await self._do(self.closing)

    async def _do(self, step: Step) -> None:
        if isinstance(step, Exception):
            raise step
        if step:
            assert isinstance(step, float)
            await asyncio.sleep(step)

    async def close(self) -> None:
        pass


def busy(after: float | None = None) -> ProviderError:
    return ProviderError("Busy.", code="rate_limited", retryable=True, retry_after=after)


def turn_of(provider: Scripted, source: Source, deadlines: Deadlines = DEADLINES) -> TurnRun:
    speaker = Speaker(
        "t1", "Ada", provider, REQUEST, ("Ben",), lambda usage: Cost(float(usage.output)), deadlines
    )
    return TurnRun(speaker, source, clock=asyncio.get_running_loop().time)


def play(
    *scripts: Sequence[Step],
    deadlines: Deadlines = DEADLINES,
    closing: Step = 0.0,
    read_after: float | None = None,
) -> tuple[list[e.Event], float]:
    """The events of the turn, and how long it took in fake seconds; until `read_after` nobody takes a word."""
    provider = Scripted(*scripts, closing=closing)

    async def scenario() -> tuple[list[e.Event], float]:
        merge, loop = Merge(asyncio.Event()), asyncio.get_running_loop()
        taken: list[Happened] = []
        if read_after is not None:
            loop.call_later(read_after, lambda: taken.extend(merge.take(10**6)))
        await turn_of(provider, merge.open(), deadlines).run()
        return [item.event for item in [*taken, *merge.take(10**6)]], loop.time()

    events, seconds = run(scenario())
    started = len(scripts) - len(provider.scripts)
    assert provider.closed == started, "every stream that was opened was closed"
    assert [
        event for event in events if isinstance(event, e.TurnCompleted | e.TurnFailed | e.TurnCancelled)
    ] == events[-1:]
    return events, seconds


def stopped(
    *scripts: Sequence[Step], at: float, closing: Step = 0.0
) -> tuple[list[e.Event], tuple[Usage, Cost | None], float]:
    """What a turn told that was stopped then, its bill, and when its task was over."""
    provider = Scripted(*scripts, closing=closing)

    async def scenario() -> tuple[list[e.Event], tuple[Usage, Cost | None], float]:
        merge, loop = Merge(asyncio.Event()), asyncio.get_running_loop()
        source = merge.open()
        turn = turn_of(provider, source)
        task = None
        if at:
            task = asyncio.create_task(turn.run())
            await asyncio.sleep(at)
        told: list[e.Event] = [item.event for _, item in source.waiting]
        bill = turn.stop()
        merge.close(source)
        await (task or turn.run())
        assert not source.waiting, "nothing is told behind the stop"
        return told, bill, loop.time()

    result = run(scenario())
    assert provider.closed == len(scripts) - len(provider.scripts)
    return result


def test_words_thoughts_and_tools_become_events_and_one_end() -> None:
    usage = Usage(input=5, output=7)
    events, _ = play(
        [Thinking("Hm"), Text("Yes"), Text("."), ToolCall("c1", "look", "{}"), Stop("end", usage)]
    )
    assert [type(event) for event in events] == [
        e.TurnThinking,
        e.TurnDelta,
        e.TurnDelta,
        e.TurnTool,
        e.TurnCompleted,
    ]
    end: Any = events[-1]
    assert (end.text, end.stop_reason, end.usage, end.cost) == ("Yes.", "end", usage, Cost(7.0))


def test_a_failure_before_the_first_word_is_tried_again_with_the_servers_patience() -> None:
    events, seconds = play([busy(after=7.0)], [busy()], [Text("At last."), Stop("end")])
    retries = [event for event in events if isinstance(event, e.TurnRetried)]
    assert [retry.attempt for retry in retries] == [2, 3]
    assert retries[0].wait >= 7.0
    assert seconds >= sum(retry.wait for retry in retries) - 0.01
    words, end = events[-2:]
    assert isinstance(words, e.TurnDelta)
    assert isinstance(end, e.TurnCompleted)
    assert words.attempt == end.attempt == ATTEMPTS


@pytest.mark.parametrize(
    "scripts",
    [
        [[busy()]] * ATTEMPTS,
        [[busy(after=3600.0)]],
        [[ProviderError("No.", code="auth")]],
        [[Text("Half a"), busy()]],
        [[Thinking("Hm"), busy()]],
    ],
    ids=["busy every time", "too much patience asked", "no use", "after a word", "after a thought"],
)
def test_it_fails_once_with_what_was_said(scripts: list[list[Step]]) -> None:
    events, _ = play(*scripts)
    end = events[-1]
    assert isinstance(end, e.TurnFailed)
    assert end.text == "".join(step.text for step in scripts[-1] if isinstance(step, Text))
    assert end.error.code in ("rate_limited", "auth")


@pytest.mark.parametrize(
    ("script", "seconds", "said"),
    [
        ([FOREVER], 120, "first word"),
        ([Text("One"), FOREVER], 60, "middle"),
        ([*[Text("."), 59.0] * 30, Stop("end")], 900, "longer than"),
    ],
    ids=["first", "idle", "total"],
)
def test_each_deadline_ends_the_turn_and_says_which(script: list[Step], seconds: float, said: str) -> None:
    events, took = play(script)
    end = events[-1]
    assert isinstance(end, e.TurnFailed)
    assert (end.error.code, said in end.error.detail) == ("timeout", True)
    assert took == pytest.approx(seconds)


def test_a_local_model_may_read_its_prompt_as_long_as_it_needs() -> None:
    events, _ = play([3000.0, Text("Done."), Stop("end")], deadlines=Deadlines(first=0, total=0))
    assert isinstance(events[-1], e.TurnCompleted)


def test_stopped_means_now_with_a_bill_and_no_more_words() -> None:
    told, bill, seconds = stopped([Text("One"), 5.0, Text("two"), FOREVER], at=2.0)
    assert [type(event) for event in told] == [e.TurnDelta]
    assert bill == (Usage(input=15, output=1, estimated=True), Cost(1.0))
    assert seconds == pytest.approx(2.0)


def test_stopped_before_it_began_asks_nobody() -> None:
    told, bill, seconds = stopped(at=0.0)
    assert (told, bill, seconds) == ([], (Usage(), Cost(0.0)), 0.0)


def test_stopped_while_waiting_to_ask_again() -> None:
    told, _, seconds = stopped([busy(after=20.0)], at=1.0)
    assert [type(event) for event in told] == [e.TurnRetried]
    assert seconds == pytest.approx(1.0)


def test_stopped_when_all_was_said_the_bill_is_the_providers() -> None:
    words = [Text("x" * 31)] * (MAX_WAITING // 32)
    told, bill, _ = stopped([*words, Stop("end", Usage(input=5, output=7))], at=1.0)
    assert len(told) == len(words), "its end still waits for room"
    assert bill[0] == Usage(input=5, output=7)


@pytest.mark.parametrize("closing", [FOREVER, ProviderError("Lost.", code="connection", retryable=True)])
def test_a_provider_that_is_slow_or_fails_to_close_holds_up_nobody(closing: Step) -> None:
    script: list[Step] = [Text("One"), FOREVER]
    _, _, seconds = stopped(script, at=1.0, closing=closing)
    assert seconds == pytest.approx(1.0 + (CLOSE_WITHIN if closing == FOREVER else 0))
    events, seconds = play(script, closing=closing)
    assert isinstance(events[-1], e.TurnFailed)
    assert (events[-1].error.code, events[-1].text) == ("timeout", "One")
    assert seconds == pytest.approx(DEADLINES.idle + (CLOSE_WITHIN if closing == FOREVER else 0))


def test_what_could_not_be_handed_over_was_not_said() -> None:
    words = [Text("x" * 31)] * 2_000
    events, seconds = play([*words, Stop("end")], deadlines=Deadlines(total=9.0), read_after=10.0)
    end = events[-1]
    assert isinstance(end, e.TurnFailed)
    assert len(end.text) == sum(len(event.text) for event in events if isinstance(event, e.TurnDelta))
    assert 0 < len(end.text) < MAX_WAITING
    assert seconds == pytest.approx(10.0)


def test_a_chunk_too_large_for_one_event_becomes_several() -> None:
    essay = "word " * 200
    events, _ = play([Text(essay), ToolCall("c1", "look", essay), Stop("end")])
    said = [event.text for event in events if isinstance(event, e.TurnDelta)]
    called = [event for event in events if isinstance(event, e.TurnTool)]
    assert len(said) > 1
    assert ("".join(said), "".join(part.arguments for part in called)) == (essay, essay)
    assert [part.name for part in called] == ["look", *[""] * (len(called) - 1)]


@pytest.mark.parametrize("kind", [Text, Thinking, lambda text: ToolCall("c1", "look", text)])
def test_who_does_not_end_is_cut_before_the_end_is_too_large_for_the_log(
    kind: Callable[[str], Chunk],
) -> None:
    """One chunk may be as large as a frame; of all characters this one takes the most bytes in JSON."""
    provider = Scripted([Text("Well: "), kind("\x01" * MAX_LINE), Text("more"), Stop("end")])

    async def scenario() -> list[e.TurnEvent]:
        merge, taken = Merge(asyncio.Event()), list[Happened]()
        turn = asyncio.create_task(turn_of(provider, merge.open()).run())
        while not turn.done():
            taken += merge.take(10**6)
            await asyncio.sleep(0)
        return [item.event for item in [*taken, *merge.take(10**6)]]

    *told, end = run(scenario())
    assert isinstance(end, e.TurnCompleted)
    assert (end.stop_reason, end.usage.estimated, provider.closed) == ("length", True, 1)
    sizes = [len(getattr(event, "text", "") + getattr(event, "arguments", "")) for event in told]
    assert sum(sizes) == MOST
    assert len(encode_body(end, 0.0)) < MAX_RECORD_BYTES


@pytest.mark.parametrize(
    ("reason", "code"),
    [("length", "empty"), ("content_filter", "content_filter"), ("refusal", "content_filter")],
)
def test_what_silenced_a_model_would_silence_it_again(reason: StopReason, code: str) -> None:
    events, _ = play([Thinking("Hm."), Stop(reason)])
    assert isinstance(events[-1], e.TurnFailed)
    assert (events[-1].error.code, events[-1].error.retryable) == (code, False)


def test_an_empty_answer_is_a_failure_and_an_empty_answer_of_tools_is_not() -> None:
    events, _ = play(*[[Stop("end")]] * ATTEMPTS)
    assert isinstance(events[-1], e.TurnFailed)
    assert events[-1].error.code == "empty"
    events, _ = play([ToolCall("c1", "look", "{}"), Stop("tool_calls")])
    assert isinstance(events[-1], e.TurnCompleted)


def test_a_stream_without_an_end_is_no_answer() -> None:
    events, _ = play([Text("Half")])
    assert isinstance(events[-1], e.TurnFailed)
    assert (events[-1].error.code, events[-1].text) == ("connection", "Half")


def test_a_bug_in_an_adapter_fails_the_turn_and_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    events, _ = play([KeyError("sk-secret")])
    assert isinstance(events[-1], e.TurnFailed)
    assert events[-1].error.code == "internal"
    assert "sk-secret" not in events[-1].error.detail


def test_another_speakers_line_ends_the_turn_there() -> None:
    events, _ = play([Text("[Ada]: Mine.\n[B"), Text("en]: Not mine."), Stop("end")])
    end = events[-1]
    assert isinstance(end, e.TurnCompleted)
    assert (end.text, end.stop_reason) == ("Mine.\n", "stop_sequence")


def test_what_no_provider_counted_is_estimated_and_says_so() -> None:
    events, _ = play([Thinking("1234"), Text("12345"), Stop("end")])
    end = events[-1]
    assert isinstance(end, e.TurnCompleted)
    assert end.usage == Usage(input=15, output=3, thinking=1, estimated=True)


def test_when_the_owner_goes_there_is_no_end_and_the_stream_is_closed() -> None:
    provider = Scripted([Text("One"), FOREVER])

    async def scenario() -> list[e.Event]:
        merge = Merge(asyncio.Event())
        speaker = Speaker("t1", "Ada", provider, REQUEST, (), lambda usage: None)
        task = asyncio.create_task(TurnRun(speaker, merge.open()).run())
        await merge.arrived.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return [item.event for item in merge.take(1000)]

    assert [type(event) for event in run(scenario())] == [e.TurnDelta]
    assert provider.closed == 1
