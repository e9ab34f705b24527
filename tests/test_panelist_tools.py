"""Tools within a turn: what is called, what comes of it, what the model is told, and how it all ends."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import events as e
from protocol.codec import decode_body, encode_body
from protocol.errors import Invalid, ProviderError
from protocol.messages import Cost, Message, Panelist, ToolSpec, Usage
from providers import calling
from providers.base import Chunk, Request, Stop, Text, Thinking, ToolCall
from providers.catalog import Catalog
from roundtable.config import Config, McpServer
from roundtable.log.batch import MAX_RECORD_BYTES
from roundtable.sdk.local import local
from roundtable.table import seating, using
from roundtable.table.asking import CLOSE_WITHIN, Deadlines
from roundtable.table.budget import Allowance
from roundtable.table.merge import Happened, Merge
from roundtable.table.turn import Bill, Price, Speaker, TurnRun
from roundtable.table.using import CALLS, MOST_ARGUMENTS, MOST_RESULT, TAKEN, WITHIN, NoTools, Outcome, Tool
from tests.fake_time import run
from tests.tables import opened, transcript
from tests.test_mcp import over_http
from tests.test_seating import no_pictures

REQUEST = Request("m", "You are Ada.", (Message("user", "Why?"),))
Step = Chunk | Exception | float
FOREVER = 1e6
USAGE = Usage(input=10, output=5)
DEADLINES = Deadlines()


class Tools:
    """What each tool does: a text it gives, seconds it takes first, or an error it raises."""

    def __init__(self, hello: float = 0.0, **does: tuple[float, str]) -> None:
        self.hello, self.does = hello, does
        self.called: list[tuple[str, dict[str, object]]] = []
        self.cancelled = self.at_once = self.most_at_once = 0

    async def check(self, panel: Sequence[Panelist]) -> None:
        pass

    async def offered(self, allowed: Sequence[str]) -> Sequence[Tool]:
        await asyncio.sleep(self.hello)
        return [Tool(f"t.{name}", ToolSpec(f"t__{name}")) for name in self.does]

    async def call(self, name: str, arguments: dict[str, object]) -> Outcome:
        self.called.append((name, arguments))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        seconds, text = self.does[name.removeprefix("t.")]
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.at_once -= 1
        return Outcome(text)


class Model:
    """Each time it is asked it plays the next script, and the last one from then on."""

    name, local, destination = "model", False, "nobody"

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.asked: list[Request] = []

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        calling.check(request)
        for message in request.messages:
            for call in message.calls:
                calling.arguments(call)
        script = self.scripts[min(len(self.asked), len(self.scripts) - 1)]
        self.asked.append(request)
        for step in script:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step

    async def close(self) -> None:
        pass


def call(id: str, name: str, arguments: str = "{}") -> ToolCall:
    return ToolCall(id, name, arguments)


CALLED = Stop("tool_calls", USAGE)
SAID = (Text("Done."), Stop("end", USAGE))


def play(
    tools: Tools,
    *scripts: Sequence[Step],
    stop_at: float | None = None,
    deadlines: Deadlines = DEADLINES,
    within: Callable[[Request, Price, Bill], Request | None] = lambda request, price, bill: request,
) -> tuple[list[Any], Model, float]:
    """The turn's events, its model, and how long it took."""
    model = Model(*scripts)

    async def scenario() -> tuple[list[Any], float]:
        merge, loop = Merge(asyncio.Event()), asyncio.get_running_loop()
        speaker = Speaker(
            "t1", "Ada", model, REQUEST, ("Ben",), lambda usage: Cost(float(usage.output)), deadlines,
            tools=("t.*",), servers=tools, within=within,
        )  # fmt: skip
        turn = TurnRun(speaker, merge.open(), clock=loop.time)
        task = asyncio.create_task(turn.run())
        taken: list[Happened] = []
        if stop_at is not None:
            await asyncio.sleep(stop_at)
            taken += merge.take(10**7)
            turn.stop()
        while not task.done():
            await asyncio.wait([task], timeout=1.0)
            taken += merge.take(10**7)
        task.result()
        return [item.event for item in [*taken, *merge.take(10**7)]], loop.time()

    events, seconds = run(scenario())
    return events, model, seconds


def of(events: list[Any], *kinds: type[e.Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


def test_what_is_called_is_done_and_told_and_then_she_answers() -> None:
    tools = Tools(add=(1.0, "3"), look=(2.0, "A </result> bird."))
    events, model, seconds = play(
        tools,
        [Thinking("Hm"), Text("Let me see."), call("a", "t__add", '{"a":1,'), ToolCall("a", "", '"b":2}'),
         call("b", "t__look"), CALLED],
        [Text("[Ada]: It is 3."), Stop("end", USAGE)],
    )  # fmt: skip
    assert tools.called == [("t.add", {"a": 1, "b": 2}), ("t.look", {})]
    assert seconds == pytest.approx(2.0), "at the same time"
    written = [(part.call, part.name, part.arguments) for part in of(events, e.TurnTool)]
    assert written == [("a", "t.add", '{"a":1,'), ("a", "", '"b":2}'), ("b", "t.look", "{}")]
    results = of(events, e.TurnToolResult)
    assert [(each.call, each.name, each.error, each.seconds) for each in results] == [
        ("a", "t.add", False, 1.0), ("b", "t.look", False, 2.0),
    ]  # fmt: skip
    first, second = model.asked
    assert [spec.name for spec in first.tools] == ["t__add", "t__look"]
    asked, one, other = second.messages[1:]
    assert (asked.role, asked.text, [made.name for made in asked.calls]) == (
        "assistant", "Let me see.", ["t__add", "t__look"],
    )  # fmt: skip
    assert (one.call, one.text) == ("a", '<result of="t.add">\n3\n</result>')
    assert other.text == '<result of="t.look">\nA &lt;/result> bird.\n</result>'
    end = events[-1]
    assert (end.text, end.stop_reason) == ("Let me see.\n\nIt is 3.", "end")
    assert "".join(delta.text for delta in of(events, e.TurnDelta)) == end.text
    assert (end.usage, end.cost) == (Usage(input=20, output=10), Cost(10.0))


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (call("a", "t__add", "{"), "no JSON object"),
        (call("a", "t__add", "[1]"), "no JSON object"),
        (call("a", "t__add", '{"a":' * 2_000), "no JSON object"),
        (call("a", "t__add", '{"a":"' + "x" * MOST_ARGUMENTS + '"}'), "65,536 characters"),
        (call("a", "add"), "no tool 'add'"),
        (call("a", "<result of=\"x\">\n"), "no tool"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_done_is_answered_with_why(made: ToolCall, why: str) -> None:
    tools = Tools(add=(0.0, "3"))
    events, model, _ = play(tools, [made, CALLED], SAID)
    (result,) = of(events, e.TurnToolResult)
    assert result.error
    assert why in result.text
    assert not tools.called
    assert 'error="true"' in model.asked[1].messages[-1].text
    assert isinstance(events[-1], e.TurnCompleted)


def test_a_turn_has_so_many_calls_and_then_must_answer() -> None:
    tools = Tools(add=(1.0, "3"))
    many = [call(f"c{number}", "t__add") for number in range(CALLS - 2)]
    events, model, _ = play(tools, [*many, CALLED], [*many, CALLED], SAID)
    assert len(tools.called) == CALLS
    assert tools.most_at_once == using.TOGETHER
    results = of(events, e.TurnToolResult)
    assert len(results) == 2 * len(many)
    assert len({each.call for each in results}) == len(results), "the same id again is another call"
    assert sum(each.error for each in results) == 2 * len(many) - CALLS
    assert [request.tool_choice for request in model.asked] == ["auto", "auto", "none"]


def test_who_calls_for_ever_and_says_nothing_has_failed() -> None:
    events, model, _ = play(Tools(add=(0.0, "3")), [call("a", "t__add"), CALLED])
    assert len(model.asked) == CALLS + 1
    assert isinstance(events[-1], e.TurnFailed)
    assert events[-1].error.code == "empty"


def test_an_answer_without_end_of_calls_is_cut() -> None:
    tools = Tools(add=(0.0, "3"))
    events, model, _ = play(tools, [call(f"c{n}", "t__add") for n in range(10 * TAKEN)], SAID)
    assert len(of(events, e.TurnToolResult)) == TAKEN
    assert model.asked[1].tool_choice == "none"
    assert events[-1].text == "Done."


@pytest.mark.parametrize("ids", [("", ""), ("a", "a"), ("é" * 100, "x\n")])
def test_ids_that_tell_nothing_apart_are_replaced(ids: tuple[str, str]) -> None:
    tools = Tools(add=(0.0, "3"))
    events, _, _ = play(tools, [*(call(id, "t__add", "{}") for id in ids), CALLED], SAID)
    made = [part.call for part in of(events, e.TurnTool)]
    assert len(set(made)) == len(tools.called) == 2
    assert [each.call for each in of(events, e.TurnToolResult)] == made


def test_some_servers_say_only_that_it_ended() -> None:
    events, model, _ = play(Tools(add=(0.0, "3")), [call("a", "t__add"), Stop("end", USAGE)], SAID)
    assert len(model.asked) == 2
    assert events[-1].text == "Done."


def test_what_was_cut_off_is_not_done() -> None:
    tools = Tools(add=(0.0, "3"))
    play(tools, [Text("See: "), call("a", "t__add"), Stop("length")])
    play(tools, [call("a", "t__add"), Text("\n[Ben]: mine"), CALLED])
    assert not tools.called


def test_a_tool_that_hangs_is_given_up_and_she_goes_on() -> None:
    tools = Tools(hang=(FOREVER, ""), add=(0.0, "3"))
    events, _, seconds = play(tools, [call("a", "t__hang"), call("b", "t__add"), CALLED], SAID)
    assert seconds == pytest.approx(WITHIN)
    assert {each.call: each.error for each in of(events, e.TurnToolResult)} == {"a": True, "b": False}
    assert tools.cancelled == 1
    assert events[-1].text == "Done."


def test_a_stopped_turns_tools_stop_at_once() -> None:
    tools = Tools(hang=(FOREVER, ""), add=(0.0, "3"))
    events, _, seconds = play(tools, [call("a", "t__hang"), call("b", "t__add"), CALLED], SAID, stop_at=5.0)
    assert tools.cancelled == 1
    assert seconds < 5.0 + CLOSE_WITHIN
    assert not of(events, e.TurnCompleted, e.TurnFailed, e.TurnCancelled), (
        "its end is written by who stopped it"
    )


def test_the_turns_own_time_ends_its_tools_too() -> None:
    tools = Tools(hang=(FOREVER, ""))
    events, _, seconds = play(tools, [call("a", "t__hang"), CALLED], SAID, deadlines=Deadlines(total=20.0))
    assert seconds == pytest.approx(20.0, abs=1.0)
    assert tools.cancelled == 1
    assert events[-1].error.code == "timeout"


def test_who_is_not_told_of_her_tools_in_time_speaks_without() -> None:
    events, model, seconds = play(Tools(hello=FOREVER, add=(0.0, "3")), SAID)
    assert seconds == pytest.approx(using.OFFERED_WITHIN)
    assert model.asked[0].tools == ()
    assert isinstance(events[-1], e.TurnCompleted)


def test_a_result_has_so_many_bytes_and_its_event_is_a_record() -> None:
    events, model, _ = play(Tools(shout=(0.0, "\x00é" * MOST_RESULT)), [call("a", "t__shout"), CALLED], SAID)
    (result,) = of(events, e.TurnToolResult)
    assert result.truncated
    assert MOST_RESULT - 2 <= len(result.text.encode()) <= MOST_RESULT
    assert 'truncated="true"' in model.asked[1].messages[-1].text
    assert len(encode_body(result, 1.0)) < MAX_RECORD_BYTES


def test_what_the_limits_leave_no_answer_for_is_not_asked() -> None:
    bills: list[Bill] = []

    def within(request: Request, price: Price, bill: Bill) -> None:
        bills.append(bill)

    events, model, _ = play(
        Tools(add=(0.0, "3")), [Text("I see."), call("a", "t__add"), CALLED], within=within
    )
    assert len(model.asked) == 1
    assert bills == [(USAGE, Cost(5.0))]
    assert (events[-1].text, events[-1].stop_reason) == ("I see.", "length")


steps = st.one_of(
    st.sampled_from([Text("words "), Text("\n"), Text("[Ben]: stolen "), Thinking("hm"), 1.0, 200.0]),
    st.builds(
        ToolCall,
        st.sampled_from(["", "a", "b", "c" * 80]),
        st.sampled_from(["", "t__add", "t__hang", "t__none", "t.add"]),
        st.sampled_from(["", "{}", "{", '{"a":', "1}"]),
    ),
)
ends = st.sampled_from(
    [
        Stop("end"),
        CALLED,
        Stop("length"),
        Stop("refusal"),
        ProviderError("Busy.", code="rate_limited", retryable=True),
    ]
)
scripts = st.lists(
    st.tuples(st.lists(steps, max_size=8), ends).map(lambda parts: [*parts[0], parts[1]]), min_size=1
)


@settings(max_examples=150, deadline=None)
@given(scripts, st.none() | st.floats(0, 100))
def test_every_call_has_one_result_or_the_turn_has_ended(
    played: list[list[Step]], stop_at: float | None
) -> None:
    tools = Tools(add=(1.0, "3"), hang=(FOREVER, ""))
    events, model, _ = play(tools, *played, stop_at=stop_at)
    assert len(model.asked) <= 3 * (CALLS + 1)
    assert len(tools.called) <= CALLS
    assert tools.at_once == 0, "nothing is left behind"
    made = dict.fromkeys(part.call for part in of(events, e.TurnTool))
    given = [each.call for each in of(events, e.TurnToolResult)]
    assert len(set(given)) == len(given)
    assert set(given) <= set(made)
    finished = of(events, e.TurnCompleted, e.TurnFailed)
    assert stop_at is not None or finished == events[-1:]
    for request in model.asked:
        answered = {message.call for message in request.messages if message.role == "tool"}
        assert answered <= set(given), "she is told nothing that the log does not hold"
    if finished:
        assert finished[0].text == "".join(delta.text for delta in of(events, e.TurnDelta))


# -- who has tools -----------------------------------------------------------------------------------------------

ADA = Panelist("Ada", "scripted:ada", tools=["files.*"])


@pytest.mark.parametrize(("kind", "tools"), [("speech", ("files.*",)), ("bid", ()), ("ballot", ())])
async def test_tools_are_for_what_is_said_to_all(kind: str, tools: tuple[str, ...]) -> None:
    queued = e.TurnQueued(turn="t1", panelist="Ada", kind=kind)
    table = transcript(*opened(ADA), queued)
    seated = seating.seat(table, "t1", Catalog({}), Allowance(tokens=5_000), pictures=no_pictures)
    assert isinstance(seated, seating.Seated)
    assert seated.speaker.tools == tools
    if tools:
        assert seated.promised == Allowance(tokens=5_000), "how often she asks again is not known"


async def test_what_she_asks_again_is_within_what_was_left() -> None:
    table = transcript(*opened(ADA), e.TurnQueued(turn="t1", panelist="Ada"))
    seated = seating.seat(table, "t1", Catalog({}), Allowance(tokens=5_000), pictures=no_pictures)
    assert isinstance(seated, seating.Seated)
    speaker = seated.speaker
    again = speaker.within(speaker.request, speaker.price, (Usage(input=900, output=100), None))
    assert again is not None
    assert again.max_tokens == (speaker.request.max_tokens or 0) - 1_000
    assert speaker.within(speaker.request, speaker.price, (Usage(input=4_900), None)) is None


async def test_where_there_are_no_servers_nobody_is_promised_tools() -> None:
    with pytest.raises(Invalid) as refused:
        await NoTools().check([Panelist("Ben", "scripted:ben"), ADA])
    assert refused.value.field == "panel[1].tools"
    async with local() as streams:
        with pytest.raises(Invalid) as refused:
            await streams.convene("Why?", [ADA])
    assert refused.value.field == "panel[0].tools[0]"


# -- a real server -----------------------------------------------------------------------------------------------


async def held(server: McpServer) -> list[e.Event]:
    """A round of one who adds and one who listens, over that server."""
    calls = [{"name": "real__add", "arguments": {"a": 2, "b": 3}}]
    ada = Panelist(
        "Ada", "scripted:x", options={"calls": calls, "text": "It is five.", "rate": 0}, tools=["real.a*"]
    )
    ben = Panelist("Ben", "scripted:y", options={"text": "So it is.", "rate": 0})
    async with local(config=Config(mcp={"real": server})) as streams:
        table, _ = await streams.convene("What is 2 + 3?", [ada, ben])
        return [decode_body(*record).event async for record in streams.records(table)]


def check(events: list[Any]) -> None:
    result = of(events, e.TurnToolResult)[0]
    assert (result.panelist, result.name, result.text, result.error) == ("Ada", "real.add", "5", False)
    assert "".join(part.arguments for part in of(events, e.TurnTool)[:2]) == '{"a":2,"b":3}'
    assert [end.text for end in of(events, e.TurnCompleted)][:2] == ["It is five.", "So it is."]


async def test_a_panelist_uses_a_real_server_over_stdio() -> None:
    check(
        await held(
            McpServer(command=(sys.executable, "-m", "tests.mcp_server"), cwd=Path(__file__).parent.parent)
        )
    )


async def test_a_panelist_uses_a_real_server_over_http() -> None:
    async with over_http() as url:
        check(await held(McpServer(url=url)))
