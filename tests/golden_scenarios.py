"""Tables told event by event, and the Transcripts they fold to: the golden files shared with `web/test/`.

`python -m tests.golden_scenarios` writes `tests/golden/`. NAME.jsonl holds one message a line, as on the WebSocket;
NAME.transcript.json what they fold to; illegal.json moves that must be refused, each after a scenario's first entries.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from protocol import events as e
from protocol import findings as f
from protocol.codec import encode, encode_body
from protocol.cursor import Cursor
from protocol.messages import Cost, Failure, Limits, Panelist, Usage
from protocol.transcript import Transcript, fold

FOLDER = Path(__file__).with_name("golden")
TERM = 1763675000000
OPENED = 1763675000.25

ADA = Panelist("Ada", "anthropic:claude-sonnet-4-5", "A ward clinician. Asks who is harmed when it fails.")
BEN = Panelist(
    "Ben", "openai:gpt-5.1", "An engineer. Wants the failure rate, then the tail.", {"temperature": 0.4}
)
CLEO = Panelist("Cleo", "ollama:llama3.1:8b")
DAG = Panelist("Dag", "ollama:llama3.1:8b", role="chair", fallback=["ollama:small"], tools=["files.*"])

BUSY = Failure("rate_limited", "The server asked to slow down.", retryable=True)
GONE = Failure("auth", "The server refused the key.")


class Table:
    """Writes a table's entries, each some seconds after the one before."""

    def __init__(
        self, *panel: Panelist, policy: str = "round_robin", then: e.Then = "close", **limits: float
    ) -> None:
        self.entries: list[e.Entry] = []
        self.term = TERM
        self.turns = 0
        self.at = OPENED
        self.add(e.TermBegan(owner="node-1"), 0)
        self.add(
            e.TableOpened(
                table="golden",
                topic="Should a model read every discharge letter?",
                panel=list(panel),
                policy=policy,
                limits=msgspec.convert(limits, Limits),
                then=then,
                seed=7,
            )
        )

    def add(self, event: e.Event, after: float = 0.5) -> None:
        self.at += after
        self.entries.append(e.Entry(Cursor(self.term, len(self.entries) + 1), self.at, event))

    def add_unknown(self, type: str, **members: object) -> None:
        """An event of a version to come."""
        body = encode({"type": type, "at": self.at + 0.25, **members})
        self.add(e.Unknown(type=type, body=body), 0.25)

    def queue(self, panelist: Panelist, round: int, reason: str = "") -> str:
        self.turns += 1
        turn = f"t{self.turns}"
        self.add(e.TurnQueued(turn=turn, panelist=panelist.name, round=round, reason=reason))
        return turn

    def start(self, panelist: Panelist, round: int, reason: str = "") -> str:
        turn = self.queue(panelist, round, reason)
        self.begin(turn, panelist)
        return turn

    def begin(self, turn: str, panelist: Panelist) -> None:
        self.add(
            e.TurnStarted(
                turn=turn, panelist=panelist.name, model=panelist.model, digest=f"sha256:{turn}",
                first_within=60.0, idle_within=30.0, total_within=300.0,
            )
        )  # fmt: skip

    def say(self, panelist: Panelist, round: int, *parts: str, cost: Cost | None = None) -> None:
        """A whole turn."""
        turn = self.start(panelist, round)
        for part in parts:
            self.add(e.TurnDelta(turn=turn, panelist=panelist.name, attempt=1, text=part))
        usage = Usage(input=40 * self.turns, output=12, cached=8)
        self.complete(turn, panelist, "".join(parts), usage, cost)

    def words(self, turn: str, panelist: Panelist, text: str) -> None:
        self.add(e.TurnDelta(turn=turn, panelist=panelist.name, attempt=1, text=text))

    def complete(
        self, turn: str, panelist: Panelist, text: str, usage: Usage, cost: Cost | None = None
    ) -> None:
        self.add(e.TurnCompleted(turn=turn, panelist=panelist.name, text=text, usage=usage, cost=cost))


def plain() -> Table:
    table = Table(ADA, BEN, max_rounds=2, max_dollars=1.0)
    for number in (1, 2):
        table.add(e.RoundStarted(round=number))
        table.say(ADA, number, "Yes, ", "but only ", "to flag.", cost=Cost(0.0031))
        table.say(BEN, number, "Which letters", " does it miss?", cost=Cost(0.0017))
    table.add(e.TableClosed(reason="max_rounds"))
    return table


def failures() -> Table:
    """A retry that helps, a failure after words, three failures in a row, a key refused; one is left speaking."""
    table = Table(ADA, BEN, CLEO)
    table.add(e.RoundStarted(round=1))
    turn = table.start(ADA, 1)
    table.add(e.TurnRetried(turn=turn, panelist="Ada", attempt=2, error=BUSY, wait=1.5))
    table.add(e.TurnDelta(turn=turn, panelist="Ada", attempt=2, text="At last."), 2)
    table.add(e.TurnCompleted(turn=turn, panelist="Ada", attempt=2, text="At last.", usage=Usage(output=2)))
    for part in ("Half a", "", ""):
        turn = table.start(BEN, 1)
        if part:
            table.add(e.TurnDelta(turn=turn, panelist="Ben", attempt=1, text=part))
        table.add(
            e.TurnFailed(
                turn=turn, panelist="Ben", text=part, error=BUSY, usage=Usage(input=9, estimated=True)
            )
        )
    turn = table.start(CLEO, 1)
    table.add(e.TurnFailed(turn=turn, panelist="Cleo", attempt=1, error=GONE, cost=Cost(0.0)))
    table.say(ADA, 2, "Then I speak alone.", cost=Cost(0.002))
    table.add(e.TableClosed(reason="no_panelists", detail="Ben and Cleo have left."))
    return table


def people() -> Table:
    """Say to all and to one, skip, pause, resume, refusals, stop: each with its key and place in the inbox."""
    table = Table(ADA, BEN)
    table.add(e.RoundStarted(round=1))
    turn = table.start(ADA, 1)
    table.add(e.MessagePosted(message="m1", author="", text="Be brief.", command="key-1", inbox=1))
    table.add(e.TurnDelta(turn=turn, panelist="Ada", attempt=1, text="As I was saying"))
    table.add(e.TurnCancelled(turn=turn, panelist="Ada", text="As I was saying", command="key-2", inbox=2))
    table.add(
        e.MessagePosted(message="m2", author="Rosa", text="Ben, and you?", to="Ben", command="key-3", inbox=3)
    )
    turn = table.queue(BEN, 1, "Rosa asked Ben.")
    table.begin(turn, BEN)
    table.add(e.TablePaused(command="key-4", inbox=4))
    table.add(e.TurnDelta(turn=turn, panelist="Ben", attempt=1, text="I finish."))
    table.add(e.TurnCompleted(turn=turn, panelist="Ben", text="I finish."))
    table.add(
        e.CommandRefused(code="wrong_state", detail="The table is paused already.", command="key-5", inbox=5)
    )
    table.add(e.TableResumed(command="key-6", inbox=6), 30)
    turn = table.queue(ADA, 1)
    table.add(e.TurnCancelled(turn=turn, panelist="Ada", reason="closing"))
    table.add(e.TableClosed(reason="command", command="key-7", inbox=7))
    return table


def rest() -> Table:
    """A table that rests and is woken by a question: its limits count anew."""
    table = Table(ADA, BEN, then="rest", max_rounds=1)
    table.add(e.RoundStarted(round=1))
    table.say(ADA, 1, "Enough.", cost=Cost(0.001))
    table.say(BEN, 1, "Agreed.")
    table.add(e.TableRested(reason="max_rounds"))
    table.add(
        e.MessagePosted(message="m1", author="", text="One more thing?", command="key-1", inbox=1), 3600
    )
    table.add(e.TableResumed(reason="message"), 0)
    table.add(e.RoundStarted(round=2))
    table.say(ADA, 2, "Very well.", cost=Cost(0.001))
    table.add(e.TableRested(reason="max_rounds"))
    return table


def unknown() -> Table:
    """Events of a later version, also from before the table opened to after it closed, change only the cursor."""
    table = Table(ADA, BEN)
    table.add_unknown("person.joined", person="Rosa", nested={"deep": [1, None, "x"]})
    table.add(e.RoundStarted(round=1))
    turn = table.start(ADA, 1)
    table.add_unknown("mood.sensed", turn=turn, panelist="Ada", command="not-ours", stance=0.7)
    table.add(e.TurnDelta(turn=turn, panelist="Ada", attempt=1, text="Hm."))
    table.add_unknown("turn.applauded", turn="t99", panelist="Nobody")
    table.add(e.TurnCompleted(turn=turn, panelist="Ada", text="Hm."))
    table.add(e.TableClosed(reason="max_turns"))
    table.add_unknown("audience.polled", text="None.")
    return table


def takeover() -> Table:
    """A node dies in mid-sentence: the next owner begins a term, closes the open turn, and the table goes on."""
    table = Table(ADA, BEN)
    table.add(e.RoundStarted(round=1))
    turn = table.start(ADA, 1)
    table.add(e.TurnDelta(turn=turn, panelist="Ada", attempt=1, text="The silent case is"))
    table.term += 40_000
    table.add(e.TermBegan(owner="node-2", lost=2), 40)
    died = Failure("interrupted", "The server stopped in mid-turn.", retryable=True)
    table.add(e.TurnFailed(turn=turn, panelist="Ada", text="The silent case is", error=died), 0)
    table.say(BEN, 1, "She was cut off.")
    table.add(e.TableClosed(reason="max_turns", detail="One turn was asked for."))
    return table


def letters() -> Table:
    """Text that breaks careless readers: astral letters, joined emoji, all line ends, U+2028, and names such as
    `__proto__`; deltas with chunks counted in code points, not in UTF-16 units or bytes."""
    proto = Panelist("__proto__", "scripted:echo", "Says “constructor”.")
    family = "👩‍👩‍👧‍👦"
    builder = Panelist("constructor", "scripted:echo")
    table = Table(proto, builder)
    table.add(e.RoundStarted(round=1))
    turn = table.start(proto, 1)
    parts = ["naïve ", "𝒜 and ", family, "\r\n\r\nline\u2028sep\u0085", "\rend\n", 'a "quote" \\ </script>']
    chunks = [(len(part), 90 * place) for place, part in enumerate(parts[:4])]
    table.add(e.TurnDelta(turn=turn, panelist="__proto__", attempt=1, text="".join(parts[:4]), chunks=chunks))
    table.add(e.TurnDelta(turn=turn, panelist="__proto__", attempt=1, text="".join(parts[4:])))
    table.add(e.TurnCompleted(turn=turn, panelist="__proto__", text="".join(parts)))
    turn = table.start(builder, 1)
    failed = Failure("malformed", "Ein Zeichen war unlesbar: \ufffd.")
    table.add(e.TurnFailed(turn=turn, panelist="constructor", error=failed))
    turn = table.start(proto, 2)
    table.add(e.TurnFailed(turn=turn, panelist="__proto__", error=BUSY))
    table.add(e.MessagePosted(message="m1", author="Жанна", text="日本語?\r\n", command="__proto__", inbox=1))
    return table


def thoughts() -> Table:
    """Thinking and tool calls before words; the last turn is still thinking."""
    table = Table(ADA, BEN)
    table.add(e.RoundStarted(round=1))
    turn = table.start(ADA, 1)
    for part, place in (("Who carries ", 0), ("the duty?", 400)):
        table.add(
            e.TurnThinking(turn=turn, panelist="Ada", attempt=1, text=part, chunks=[(len(part), place)]), 1.5
        )
    table.add(e.TurnTool(turn=turn, panelist="Ada", attempt=1, call="c1", name="search", arguments='{"q":'))
    table.add(e.TurnTool(turn=turn, panelist="Ada", attempt=1, call="c1", arguments='"duty"}'))
    table.add(e.TurnDelta(turn=turn, panelist="Ada", attempt=1, text="The doctor does."))
    usage = Usage(input=120, output=64, thinking=51)
    table.add(
        e.TurnCompleted(turn=turn, panelist="Ada", text="The doctor does.", stop_reason="length", usage=usage)
    )
    turn = table.start(BEN, 1)
    table.add(e.TurnThinking(turn=turn, panelist="Ben", attempt=1, text="Let me see."))
    return table


def parallel() -> Table:
    """Two rounds of three who speak at once, word by word in between; in the first Ben fails and is asked by name while
    Ada still speaks, in the second Cleo is cancelled."""
    table = Table(ADA, BEN, CLEO, policy="parallel", max_rounds=2)
    seats = (ADA, BEN, CLEO)

    def round(number: int) -> list[str]:
        table.add(e.RoundStarted(round=number))
        turns = [table.queue(panelist, number) for panelist in seats]
        for turn, panelist in zip(turns, seats, strict=True):
            table.begin(turn, panelist)
        return turns

    ada, ben, cleo = round(1)
    table.words(ada, ADA, "Only ")
    table.words(cleo, CLEO, "Both ")
    table.words(ben, BEN, "Nei")
    table.add(
        e.TurnFailed(turn=ben, panelist="Ben", text="Nei", error=BUSY, usage=Usage(input=9, estimated=True))
    )
    table.words(ada, ADA, "to flag.")
    table.add(e.MessagePosted(message="m1", author="Rosa", text="Ben?", to="Ben", command="key-1", inbox=1))
    answer = table.start(BEN, 1, "asked")
    table.words(cleo, CLEO, "must read.")
    table.words(answer, BEN, "Neither.")
    table.complete(ada, ADA, "Only to flag.", Usage(input=40, output=3), Cost(0.001))
    table.complete(answer, BEN, "Neither.", Usage(input=52, output=1), Cost(0.002))
    table.complete(cleo, CLEO, "Both must read.", Usage(input=41, output=3))
    ada, ben, cleo = round(2)
    table.words(cleo, CLEO, "Ben is")
    table.words(ben, BEN, "Ada forgets ")
    table.words(ada, ADA, "Ben is right.")
    table.add(e.TurnCancelled(turn=cleo, panelist="Cleo", text="Ben is", command="key-2", inbox=2))
    table.complete(ada, ADA, "Ben is right.", Usage(input=90, output=3), Cost(0.001))
    table.words(ben, BEN, "the night shift.")
    table.complete(ben, BEN, "Ada forgets the night shift.", Usage(input=91, output=5), Cost(0.002))
    table.add(e.TableClosed(reason="max_rounds"))
    return table


def floor_time() -> Table:
    """The floor goes to whoever spoke least, and never twice in a row; one who is asked answers first."""
    table = Table(ADA, BEN, CLEO, policy="floor_time", max_turns=5)

    def turn(panelist: Panelist, round: int, text: str, output: int, reason: str = "") -> None:
        number = table.start(panelist, round, reason)
        table.words(number, panelist, text)
        table.complete(number, panelist, text, Usage(input=40, output=output))

    table.add(e.RoundStarted(round=1))
    turn(ADA, 1, "A long opening.", 30)
    turn(BEN, 1, "Short.", 2, "spoke least so far, 0 tokens")
    table.add(e.MessagePosted(message="m1", author="Rosa", text="Ada?", to="Ada", command="key-1", inbox=1))
    turn(ADA, 1, "Yes.", 2, "asked")
    turn(CLEO, 1, "Listening.", 3, "spoke least so far, 0 tokens")
    table.add(e.RoundStarted(round=2))
    turn(BEN, 2, "Again I.", 4, "spoke least so far, 2 tokens")
    table.add(e.TableClosed(reason="max_turns"))
    return table


def thread() -> Table:
    """A thread: it rests until it is spoken to, a message to all is answered by all in order and one to Ben by Ben;
    two in a row are answered together, and one answer is cancelled while it waits and then asked for again."""
    table = Table(ADA, BEN, policy="reply", then="rest")

    def post(number: int, text: str, to: str = "") -> None:
        said = e.MessagePosted(
            message=f"m{number}", author="Rosa", text=text, to=to, command=f"key-{number}", inbox=number
        )
        table.add(said)
        if number in (1, 2):
            table.add(e.TableResumed(reason="message"), 0)

    def answer(turn: str, panelist: Panelist, text: str) -> None:
        table.begin(turn, panelist)
        table.words(turn, panelist, text)
        table.complete(turn, panelist, text, Usage(input=9, output=3))

    table.add(e.TableRested(reason="answered"), 0)
    post(1, "Does it read them?")
    ada, ben = table.queue(ADA, 0), table.queue(BEN, 0)
    answer(ada, ADA, "It does.")
    answer(ben, BEN, "Not all.")
    table.add(e.TableRested(reason="answered"))
    post(2, "Which not, Ben?", "Ben")
    ben = table.queue(BEN, 0, "asked")
    table.begin(ben, BEN)
    table.words(ben, BEN, "Those")
    post(3, "And how many?")
    ada, again = table.queue(ADA, 0), table.queue(BEN, 0)
    post(4, "Be brief.")
    table.complete(ben, BEN, "Those", Usage(input=20, output=1))
    answer(ada, ADA, "Three.")
    table.add(e.TurnCancelled(turn=again, panelist="Ben", command="key-5", inbox=5))
    table.add(e.TableRested(reason="answered"))
    table.add(e.TableResumed(reason="retry"))
    ben = f"t{table.turns + 1}"
    table.turns += 1
    table.add(e.TurnQueued(turn=ben, panelist="Ben", reason="asked", command="key-6", inbox=6), 0)
    answer(ben, BEN, "Two.")
    table.add(e.TableRested(reason="answered"))
    return table


def steered() -> Table:
    """Everything that a person may change while a table is held, and everything that is found out about it."""
    table = Table(ADA, BEN, max_rounds=2)
    table.add(e.TableTitled(title="Letters", command="key-1", inbox=1))
    table.add(e.RoundStarted(round=1))
    table.add(f.RoundForecast(round=1, tokens_in=300, tokens_out=120, dollars=0.01))
    turn = table.start(ADA, 1)
    table.add(e.TurnRetried(turn=turn, panelist="Ada", attempt=2, error=BUSY, model="ollama:other"))
    table.add(e.TurnTool(turn=turn, panelist="Ada", attempt=2, call="c1", name="files.read", arguments="{}"))
    result = e.TurnToolResult(
        turn=turn, panelist="Ada", attempt=2, call="c1", name="files.read", text="Three.", seconds=0.2
    )
    table.add(result)
    table.add(e.HandRaised(author="Rosa", within=60.0, command="key-2", inbox=2))
    table.words(turn, ADA, "Three letters. And")
    table.add(e.TurnYielding(turn=turn, panelist="Ada", within=2.0, tokens=200, command="key-3", inbox=3))
    table.add(
        e.TurnCancelled(turn=turn, panelist="Ada", attempt=2, text="Three letters. And", reason="barge_in")
    )
    table.add(e.MessagePosted(message="m1", author="Rosa", text="Which?", command="key-4", inbox=4))
    table.add(e.HandLowered(author="Rosa", reason="said"))
    table.add(e.PanelChanged(change="muted", panelist="Ada", command="key-5", inbox=5))
    table.add(e.PanelChanged(change="unmuted", panelist="Ada", command="key-6", inbox=6))
    table.add(e.PanelChanged(change="added", panelist="Cleo", seat=CLEO, command="key-7", inbox=7))
    table.add(e.PanelChanged(change="swapped", panelist="Ben", seat=DAG, command="key-8", inbox=8))
    other = msgspec.structs.replace(ADA, model="ollama:other")
    table.add(e.PanelChanged(change="swapped", panelist="Ada", seat=other, command="key-9", inbox=9))
    table.add(e.PanelChanged(change="removed", panelist="Dag", command="key-10", inbox=10))
    material = e.MaterialAdded(
        material="d1", name="letters.csv", media_type="text/csv", form="text", size=9, sha256="ab", text="3;old;new",
        author="Rosa", command="key-13", inbox=13,
    )  # fmt: skip
    table.add(material)
    table.add(e.LimitsChanged(limits=Limits(max_rounds=4), command="key-11", inbox=11))
    table.say(CLEO, 1, "The old ones.")
    _find(table)
    table.add(e.TableClosed(reason="command"))
    return table


def _find(table: Table) -> None:
    who: dict[str, Any] = {"turn": "t2", "panelist": "Cleo", "round": 1}
    table.add(f.TurnUnread(**who, kind="bid", detail="No number."))
    table.add(f.SpeakerChosen(**who, speaker="Ada", question="Why?", reason="She has not said."))
    table.add(f.BidMade(**who, urgency=7, about="The tail."))
    table.add(f.VoteCast(**who, choice="for", reason="It helps.", stage="before"))
    table.add(f.BallotCast(**who, ranking=["Ada", "Cleo"], shown=["Cleo", "Ada"]))
    tally = f.TallyCounted(
        round=1, kind="ballot", scores={"Ada": 1.0, "Cleo": 0.0}, winner="Ada", condorcet="Ada",
        pairs=[f.Pair("Ada", "Cleo", 1, 1)], ballots=1,
    )  # fmt: skip
    table.add(tally)
    table.add(f.ClaimMade(round=1, claim="c1", text="Old letters suffice.", by="Cleo", turn="t2"))
    table.add(f.StanceTaken(**who, claim="c1", stance="support", reason="She said so."))
    table.add(f.Entropy(round=1, value=0.25, method="lexical", voices=2))
    table.add(f.Converge(round=1, value=0.25, threshold=0.3, method="lexical"))
    table.add(f.SummaryMade(**who, through=20, text="Cleo: the old ones."))
    table.add(f.BudgetWarned(name="max_rounds", used=3.2, limit=4.0))
    table.add(f.BudgetDegraded(measure="fewer_rounds", detail="One round less."))
    table.add(e.TableConcluding(reason="command", command="key-12", inbox=12))
    claim = f.Claim("Old letters suffice.", supports=["Cleo"])
    verdict = f.VerdictGiven(
        header="1 of 2 answered.", answer="The old ones.", claims=[claim], dissent=[f.Dissent("Ada", "No.")],
        confidence="low", chair="Cleo", turn="t2", source="stances", answered=["Cleo"], silent={"Ada": "cut"},
        tally=tally,
    )  # fmt: skip
    table.add(verdict)


SCENARIOS: tuple[Callable[[], Table], ...] = (
    plain, failures, people, rest, unknown, takeover, letters, thoughts, parallel, floor_time, thread, steered,
)  # fmt: skip

# Name of the fault -> (scenario, how many of its entries come first, the event that may not follow).
ILLEGAL: dict[str, tuple[Callable[[], Table], int, e.Event]] = {
    "opened twice": (plain, 2, e.TableOpened(table="x", topic="", panel=[], policy="", limits=Limits())),
    "a round before opening": (plain, 1, e.RoundStarted(round=1)),
    "a turn out of order": (plain, 3, e.TurnQueued(turn="t2", panelist="Ada")),
    "a turn for a stranger": (plain, 3, e.TurnQueued(turn="t1", panelist="Dag")),
    "words before the turn started": (plain, 4, e.TurnDelta(turn="t1", panelist="Ada", attempt=1, text="x")),
    "words under another's name": (plain, 5, e.TurnDelta(turn="t1", panelist="Ben", attempt=1, text="x")),
    "words after the end": (plain, 9, e.TurnDelta(turn="t1", panelist="Ada", attempt=1, text="x")),
    "an end twice": (plain, 9, e.TurnCompleted(turn="t1", panelist="Ada", text="x")),
    "a turn that never was": (plain, 9, e.TurnStarted(turn="t7", panelist="Ada")),
    "a turn without a number": (plain, 9, e.TurnStarted(turn="__proto__", panelist="Ada")),
    "closed over an open turn": (plain, 6, e.TableClosed(reason="command")),
    "rested over an open turn": (plain, 6, e.TableRested(reason="max_rounds")),
    "anything after the end": (plain, 27, e.MessagePosted(message="m9", author="", text="Late.")),
    "resumed while open": (plain, 9, e.TableResumed()),
    "someone seated twice": (steered, 3, e.PanelChanged(change="added", panelist="Ada", seat=ADA)),
    "a stranger muted": (steered, 3, e.PanelChanged(change="muted", panelist="Cleo")),
    "a swap without a seat": (steered, 3, e.PanelChanged(change="swapped", panelist="Ada")),
    "a turn for who left": (steered, 23, e.TurnQueued(turn="t2", panelist="Ben")),
    "a new turn while paused": (people, 14, e.TurnQueued(turn="t3", panelist="Ada")),
}


def message(entry: e.Entry) -> bytes:
    """An entry as a client gets it in one piece: its id, then its body."""
    return b'{"id":"%s",%b' % (str(entry.cursor).encode(), encode_body(entry.event, entry.at)[1:])


def files() -> dict[str, str]:
    """Every golden file's name and text."""
    result = {}
    for scenario in SCENARIOS:
        entries = scenario().entries
        result[f"{scenario.__name__}.jsonl"] = "".join(message(entry).decode() + "\n" for entry in entries)
        result[f"{scenario.__name__}.transcript.json"] = _pretty(encode(fold(entries)))
    result["illegal.json"] = _pretty(encode([_illegal_case(name) for name in ILLEGAL]))
    return result


def illegal(name: str) -> tuple[Transcript, e.Entry]:
    """A Transcript, and the entry that may not follow it."""
    scenario, count, event = ILLEGAL[name]
    transcript = fold(scenario().entries[:count])
    return transcript, e.Entry(Cursor(TERM, count + 1), transcript.at + 1, event)


def _illegal_case(name: str) -> dict[str, object]:
    scenario, count, _ = ILLEGAL[name]
    move = msgspec.Raw(message(illegal(name)[1]))
    return {"name": name, "scenario": scenario.__name__, "after": count, "message": move}


def _pretty(data: bytes) -> str:
    return json.dumps(json.loads(data), ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json*"):
        old.unlink()
    for name, text in files().items():
        (FOLDER / name).write_text(text, newline="")


if __name__ == "__main__":
    main()
