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
from protocol import kinds
from protocol.codec import encode, encode_body
from protocol.cursor import Cursor
from protocol.messages import Cost, Failure, Limits, Panelist, Usage
from protocol.transcript import Transcript, fold
from roundtable.deliberation import convergence, reading, verdicts

FOLDER = Path(__file__).with_name("golden")
TERM = 1763675000000
OPENED = 1763675000.25

ADA = Panelist("Ada", "anthropic:claude-sonnet-4-5", "A ward clinician. Asks who is harmed when it fails.")
BEN = Panelist(
    "Ben", "openai:gpt-5.1", "An engineer. Wants the failure rate, then the tail.", {"temperature": 0.4}
)
CLEO = Panelist("Cleo", "ollama:llama3.1:8b")
EVE = Panelist("Eve", "ollama:llama3.1:8b", role="moderator")
DAG = Panelist("Dag", "ollama:llama3.1:8b", role="chair", fallback=["ollama:small"], tools=["files.*"])

BUSY = Failure("rate_limited", "The server asked to slow down.", retryable=True)
SILENT = Failure("empty", "The model spent all the tokens it may use before its first word.")
GONE = Failure("auth", "The server refused the key.")


class Table:
    """Writes a table's entries, each some seconds after the one before."""

    def __init__(
        self,
        *panel: Panelist,
        policy: str = "round_robin",
        then: e.Then = "close",
        verdict: bool = False,
        **limits: float,
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
                verdict=verdict,
            )
        )

    def add(self, event: e.Event, after: float = 0.5) -> None:
        self.at += after
        self.entries.append(e.Entry(Cursor(self.term, len(self.entries) + 1), self.at, event))

    def add_unknown(self, type: str, **members: object) -> None:
        """An event of a version to come."""
        body = encode({"type": type, "at": self.at + 0.25, **members})
        self.add(e.Unknown(type=type, body=body), 0.25)

    def queue(self, panelist: Panelist, round: int, reason: str = "", **more: Any) -> str:
        self.turns += 1
        turn = f"t{self.turns}"
        self.add(e.TurnQueued(turn=turn, panelist=panelist.name, round=round, reason=reason, **more))
        return turn

    def start(self, panelist: Panelist, round: int, reason: str = "", **more: Any) -> str:
        turn = self.queue(panelist, round, reason, **more)
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

    def measure(self) -> None:
        """How far apart the round's positions are, by their words."""
        self.add(convergence.lexical(fold(self.entries)), 0)

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


def tools() -> Table:
    """A panelist uses tools before and between her words: two at once, one that failed, one with a long result, and one
    that is still at work."""
    dag = Panelist("Dag", "ollama:llama3.1:8b", tools=["files.*"])
    table = Table(dag, BEN)
    table.add(e.RoundStarted(round=1))
    turn = table.start(dag, 1)

    def use(call: str, name: str, *parts: str) -> None:
        for place, part in enumerate(parts):
            named = "" if place else name
            table.add(e.TurnTool(turn=turn, panelist="Dag", attempt=1, call=call, name=named, arguments=part))

    def gives(call: str, name: str, text: str, *, error: bool = False, truncated: bool = False) -> None:
        table.add(
            e.TurnToolResult(
                turn=turn, panelist="Dag", attempt=1, call=call, name=name, text=text, error=error,
                truncated=truncated, seconds=0.25,
            )
        )  # fmt: skip

    table.words(turn, dag, "Let me look.")
    use("c1", "files.read", '{"path":', '"a.txt"}')
    use("c2", "files.search", '{"q":"duty 👩‍👩‍👧‍👦"}')
    gives("c2", "files.search", "There is no index.", error=True)
    gives("c1", "files.read", "The doctor carries the duty.")
    use("c3", "files.read", "")
    gives("c3", "files.read", "𝒜" * 2_001, truncated=True)
    table.words(turn, dag, "\n\nThe doctor does.")
    table.complete(turn, dag, "Let me look.\n\nThe doctor does.", Usage(input=300, output=40))
    turn = table.start(dag, 1)
    use("c1", "files.read", '{"path":')
    return table


def fallback() -> Table:
    """Ada's model is away and another speaks for her; for Ben nobody can, and he has left until he is asked again."""
    ada = Panelist("Ada", "openai:gpt-5.1", fallback=["ollama:small"])
    table = Table(ada, BEN)
    table.add(e.RoundStarted(round=1))
    turn = table.start(ada, 1)
    away = Failure("unavailable", "The server cannot answer now (503).", retryable=True)
    table.add(e.TurnRetried(turn=turn, panelist="Ada", attempt=2, error=away, wait=1.5))
    table.add(e.TurnRetried(turn=turn, panelist="Ada", attempt=3, error=away, model="ollama:small"))
    table.add(e.TurnDelta(turn=turn, panelist="Ada", attempt=3, text="I speak for her."))
    table.add(
        e.TurnCompleted(turn=turn, panelist="Ada", attempt=3, text="I speak for her.", usage=Usage(output=4))
    )
    turn = table.start(BEN, 1)
    table.add(e.TurnRetried(turn=turn, panelist="Ben", attempt=2, error=GONE, model="ollama:small"))
    table.add(e.TurnFailed(turn=turn, panelist="Ben", attempt=2, error=GONE, cost=Cost(0.0)))
    table.say(ada, 2, "Then I speak alone.")
    table.turns += 1
    again = e.TurnQueued(turn="t4", panelist="Ben", round=2, reason="asked", command="key-1", inbox=1)
    table.add(again)
    table.begin("t4", BEN)
    table.complete("t4", BEN, "I am back.", Usage(output=3))
    table.add(e.TableClosed(reason="max_rounds"))
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


def moderated() -> Table:
    """A moderator gives the floor with a question and a reason. Once she cannot be understood, not even when asked
    again, and once a person asks somebody else first; then she ends it."""
    table = Table(ADA, BEN, CLEO, EVE, policy="moderated", max_rounds=3)

    def turn(panelist: Panelist, round: int, text: str, reason: str = "", **more: str) -> dict[str, Any]:
        number = table.start(panelist, round, reason, **more)
        table.words(number, panelist, text)
        table.complete(number, panelist, text, Usage(input=90, output=len(text.split())))
        return {"turn": number, "panelist": panelist.name, "round": round}

    def choose(round: int, speaker: str, question: str, reason: str) -> None:
        choice: dict[str, Any] = {"speaker": speaker, "question": question, "reason": reason}
        who = turn(EVE, round, json.dumps(choice), kind="moderation")
        table.add(f.SpeakerChosen(**who, **choice), 0)

    table.add(e.RoundStarted(round=1))
    choose(1, "Ben", "How many does it miss?", "he asked for figures")
    turn(BEN, 1, "Two of ten.", "Eve: he asked for figures", question="How many does it miss?")
    for again in ("", "once more, in the form asked"):
        who = turn(EVE, 1, "Let us hear the ladies!", again, kind="moderation")
        table.add(f.TurnUnread(**who, kind="moderation", detail="There is no JSON object in the answer."), 0)
    turn(ADA, 1, "Two are too many.", "the moderator named nobody; spoke least so far")
    number = table.start(EVE, 1, kind="moderation")
    table.add(e.MessagePosted(message="m1", author="Rosa", text="Ben?", to="Ben", command="key-1", inbox=1))
    asked = table.queue(BEN, 1, "asked")
    text = '{"speaker": "Cleo", "question": "And you?"}'
    table.complete(number, EVE, text, Usage(input=99, output=2))
    choice = f.SpeakerChosen(turn=number, panelist="Eve", round=1, speaker="Cleo", question="And you?")
    table.add(choice, 0)
    table.begin(asked, BEN)
    table.words(asked, BEN, "Measured in May.")
    table.complete(asked, BEN, "Measured in May.", Usage(input=95, output=3))
    turn(CLEO, 1, "I trust neither.", "named by Eve", question="And you?")
    table.measure()
    table.add(e.RoundStarted(round=2))
    choose(2, "", "", "both numbers are on the table")
    table.add(e.TableClosed(reason="moderator"))
    return table


def raise_hand() -> Table:
    """The floor goes to the greatest claim: by a bid, by one that cannot be read, by one of a model that says nothing
    and keeps its seat; when all bid nothing twice in a row it is over."""
    table = Table(ADA, BEN, CLEO, policy="raise_hand", max_rounds=3)

    def speak(panelist: Panelist, round: int, text: str, reason: str = "") -> None:
        number = table.start(panelist, round, reason)
        table.words(number, panelist, text)
        table.complete(number, panelist, text, Usage(input=90, output=len(text.split())))

    def bid(round: int, *made: tuple[Panelist, str]) -> None:
        """All queued, then all started; no text is a failure."""
        turns = [table.queue(panelist, round, kind="bid") for panelist, _ in made]
        for turn, (panelist, _) in zip(turns, made, strict=True):
            table.begin(turn, panelist)
        for turn, (panelist, text) in zip(turns, made, strict=True):
            if not text:
                table.add(e.TurnFailed(turn=turn, panelist=panelist.name, error=SILENT))
                continue
            table.words(turn, panelist, text)
            table.complete(turn, panelist, text, Usage(input=80, output=1))
            read(turn, panelist, text, round)

    def read(turn: str, panelist: Panelist, text: str, round: int) -> None:
        who: dict[str, Any] = {"turn": turn, "panelist": panelist.name, "round": round}
        if text[0] == "{":
            made = json.loads(text)
            table.add(f.BidMade(**who, urgency=made["urgency"], about=made.get("about", "")), 0)
        elif text == "PASS":
            table.add(f.BidMade(**who, urgency=0), 0)
        else:
            table.add(f.TurnUnread(**who, kind="bid", detail="There is no JSON object in the answer."), 0)

    table.add(e.RoundStarted(round=1))
    speak(ADA, 1, "A model should only flag.")
    bid(1, (BEN, '{"urgency": 3}'), (CLEO, '{"urgency": 8, "about": "the tail"}'))
    speak(CLEO, 1, "The tail decides.", "bid 8 of 10: the tail")
    bid(1, (ADA, "Me!"), (BEN, ""))
    speak(BEN, 1, "Then measure it.", "no bid; spoke least so far")
    table.measure()
    table.add(e.RoundStarted(round=2))
    bid(2, (ADA, '{"urgency": 0}'), (CLEO, "PASS"))
    speak(ADA, 2, "We will.", "no bid")
    bid(2, (BEN, '{"urgency": 0}'), (CLEO, '{"urgency": 0}'))
    table.add(e.TableClosed(reason="passes"))
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


_ROUNDS = {
    1: """{"claims": [{"claim": "c1", "text": "A model may flag letters.", "by": "Ada"},
  {"claim": "c2", "text": "The failure rate is known.", "by": "Cleo"}],
 "stances": [{"panelist": "Ada", "claim": "c1", "stance": "support", "quote": "but only to flag"},
  {"panelist": "Ben", "claim": "c1", "stance": "support", "quote": "this he never said"},
  {"panelist": "Cleo", "claim": "c1", "stance": "oppose"},
  {"panelist": "Ben", "claim": "c2", "stance": "oppose", "reason": "nobody measured it", "quote": "Nobody knows"},
  {"panelist": "Cleo", "claim": "c2", "stance": "support"}]}""",
    2: """```json
{"stances": [{"panelist": "Ada", "claim": "c2", "stance": "unsure", "quote": "Ben has a point"},
  {"panelist": "Ben", "claim": "c1", "stance": "oppose", "quote": "Fine, then", "moved_by": "Cleo",
   "new_argument": false},
  {"panelist": "Cleo", "claim": "c2", "stance": "oppose", "moved_by": "Ben", "new_argument": true}]}
```""",
}
_SYNTHESIS = """\
## Answer
Not yet: first measure what it misses.

## Where they agree
- c2: Nobody knows the failure rate (against: Ben, Cleo; for: Ada)

## Where they disagree
- c1: A model may flag letters. (for: Ada, Ben; against: Cleo)

## Dissent
None.

## Confidence
Medium. One number would settle it.
"""


def verdict() -> Table:
    """A table that puts on record who stands where: two move, one of them without a new argument. The chair has one on
    the wrong side and leaves one out."""
    table = Table(ADA, BEN, CLEO, DAG, verdict=True, max_rounds=2)
    for number, lines in enumerate(
        (("Yes, but only to flag.", "Nobody knows what it misses.", "No. The rate is known."),
         ("Ben has a point. Flag them all the same.", "Fine, then.", "Then it is not known.")), start=1,
    ):  # fmt: skip
        table.add(e.RoundStarted(round=number))
        for panelist, line in zip((ADA, BEN, CLEO), lines, strict=True):
            table.say(panelist, number, line, cost=Cost(0.001))
        _read(table, kinds.STANCES, _ROUNDS[number])
    table.add(e.TableConcluding(reason="max_rounds"))
    _read(table, kinds.VERDICT, _SYNTHESIS)
    table.add(e.TableClosed(reason="max_rounds"))
    return table


def stances() -> Table:
    """The chair needs a second try to keep the record, and then fails in the verdict: there is none, and what is on
    record stands. One panelist never answered."""
    table = Table(ADA, BEN, CLEO, DAG, verdict=True, max_rounds=1)
    table.add(e.RoundStarted(round=1))
    table.say(ADA, 1, "Yes, but only to flag.")
    table.say(BEN, 1, "Nobody knows what it misses.")
    late = table.start(CLEO, 1)
    slow = Failure("timeout", "No first word within 120 s.", retryable=True)
    table.add(e.TurnFailed(turn=late, panelist="Cleo", error=slow), 120)
    _read(table, kinds.STANCES, "Ada is for it.")
    _read(table, kinds.STANCES, _ROUNDS[1])
    table.add(e.TableConcluding(reason="max_rounds"))
    turn = table.queue(DAG, 1, "the discussion is over: max_rounds", kind=kinds.VERDICT)
    table.begin(turn, DAG)
    table.words(turn, DAG, "## Answer\nNot")
    table.add(e.TurnFailed(turn=turn, panelist="Dag", text="## Answer\nNot", error=BUSY))
    held = fold(table.entries)
    table.add(verdicts.given(held, held.turn(turn), "the chair failed"))
    table.add(e.TableClosed(reason="max_rounds"))
    return table


def _read(table: Table, kind: str, text: str) -> None:
    """The chair's turn, and what its owner reads in it."""
    turn = table.queue(DAG, fold(table.entries).round, kind=kind)
    table.begin(turn, DAG)
    table.words(turn, DAG, text)
    table.complete(turn, DAG, text, Usage(input=90, output=40))
    for finding in reading.unwritten(fold(table.entries)):
        table.add(finding, 0)


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
    table.add(f.SummaryMade(**who, through="t2", text="Cleo: the old ones."))
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


def council() -> Table:
    """Three answer at once and rank the answers twice; Cleo's first ballot cannot be read. The chair sums up, the
    table rests, and a stress test finds that the winner owes it to the length of her answer."""
    table = Table(ADA, BEN, CLEO, policy="council", then="rest")
    table.add(e.RoundStarted(round=1))
    said = {
        ADA.name: "Only to flag.",
        BEN.name: "Yes: where nobody reads them, with a name on it.",
        CLEO.name: "No.",
    }
    turns = [(table.queue(panelist, 1, kind="answer"), panelist) for panelist in (ADA, BEN, CLEO)]
    for turn, panelist in turns:
        table.begin(turn, panelist)
    for turn, panelist in turns:
        table.words(turn, panelist, said[panelist.name])
        table.complete(turn, panelist, said[panelist.name], Usage(input=60, output=6))
    for wave in _BALLOTS:
        _rank(table, wave)
    pairs = [f.Pair("Ada", "Cleo", 2, 2), f.Pair("Ben", "Ada", 2, 2), f.Pair("Ben", "Cleo", 2, 2)]
    tally = f.TallyCounted(
        round=1, kind="ballot", scores={"Ada": 1.0, "Ben": 2.0, "Cleo": 0.0}, winner="Ben", condorcet="Ben",
        pairs=pairs, ballots=6, twice=3,
    )  # fmt: skip
    table.add(tally, 0)
    table.add(e.TableConcluding(reason="ranked"), 0)
    text = "Yes, with a name on it. Minority report: Cleo would not."
    turn = table.start(ADA, 1, "the discussion is over: ranked", kind="verdict")
    table.words(turn, ADA, text)
    table.complete(turn, ADA, text, Usage(input=120, output=12))
    verdict = f.VerdictGiven(
        round=1,
        header="3 of 3 answered.",
        answer=text,
        chair="Ada",
        turn=turn,
        answered=list(said),
        tally=tally,
    )
    table.add(verdict, 0)
    table.add(e.TableRested(reason="ranked"), 0)
    table.add(e.StressRequested(command="key-1", inbox=1), 60)
    _stress(table)
    table.add(e.TableRested(reason="ranked"), 0)
    return table


Order = list[str]
# Waves of ballots: who, the answers as she was shown them, and her ranking; None where she said something else.
_BALLOTS: list[list[tuple[Panelist, Order, Order | None]]] = [
    [(ADA, ["Cleo", "Ben", "Ada"], ["Ben", "Ada", "Cleo"]), (BEN, ["Ada", "Cleo", "Ben"], ["Ada", "Ben", "Cleo"]),
     (CLEO, ["Ben", "Ada", "Cleo"], None)],
    [(ADA, ["Ada", "Ben", "Cleo"], ["Ada", "Ben", "Cleo"]), (BEN, ["Ben", "Cleo", "Ada"], ["Ben", "Ada", "Cleo"]),
     (CLEO, ["Ben", "Ada", "Cleo"], ["Cleo", "Ben", "Ada"])],
    [(CLEO, ["Cleo", "Ada", "Ben"], ["Ben", "Cleo", "Ada"])],
]  # fmt: skip


def _form(ranking: Order, shown: Order) -> str:
    return encode({"ranking": [f"Answer {'ABC'[shown.index(name)]}" for name in ranking]}).decode()


def _rank(table: Table, wave: list[tuple[Panelist, Order, Order | None]]) -> None:
    turns = [table.start(panelist, 1, "ranks the answers", kind="ballot") for panelist, _, _ in wave]
    for turn, (panelist, shown, ranking) in zip(turns, wave, strict=True):
        table.complete(turn, panelist, _form(ranking, shown) if ranking else "All good.", Usage(output=9))
        who: dict[str, Any] = {"turn": turn, "panelist": panelist.name, "round": 1}
        if ranking:
            table.add(f.BallotCast(**who, ranking=ranking, shown=shown), 0)
        else:
            table.add(f.TurnUnread(**who, kind="ballot", detail="There is no JSON object in the answer."), 0)


def _stress(table: Table) -> None:
    shown = ["Cleo", "Ben", "Ada"]
    judged = {
        "as_shown": (shown, ["Ben", "Ada", "Cleo"]),
        "order_swapped": (shown[::-1], ["Ben", "Ada", "Cleo"]),
        "lengths_equalised": (shown, ["Ada", "Ben", "Cleo"]),
        "self_excluded": (shown[:2], ["Ben", "Cleo"]),
    }
    for name, (order, ranking) in judged.items():
        turn = table.start(ADA, 1, f"stress test: {name.replace('_', ' ')}", kind="judgement")
        table.complete(turn, ADA, _form(ranking, order), Usage(output=9))
        found = f.JudgementGiven(
            turn=turn, panelist="Ada", round=1, variation=name, ranking=ranking, shown=order
        )
        table.add(found, 0)
    variations = [f.Variation(name, ranking[0], "Ada") for name, (_, ranking) in judged.items()]
    variations += [f.Variation(rule, "Ben") for rule in ("borda", "condorcet", "plurality")]
    table.add(f.StressTested(round=1, winner="Ben", survives=False, variations=variations), 0)


Said = tuple[Panelist, str, str]
"""Who says what, and the reason for which she has the floor."""


def _turn(table: Table, round: int, kind: str, said: Said) -> str:
    return _at_once(table, round, kind, said)[0]


def _at_once(table: Table, round: int, kind: str, *said: Said) -> list[str]:
    """Turns of several who speak at the same time."""
    turns = [table.queue(who, round, reason, kind=kind) for who, _, reason in said]
    for turn, (who, _, _) in zip(turns, said, strict=True):
        table.begin(turn, who)
    for turn, (who, text, _) in zip(turns, said, strict=True):
        table.words(turn, who, text)
        table.complete(turn, who, text, Usage(input=40, output=5), Cost(0.001))
    return turns


def _vote(table: Table, round: int, stage: str, *choices: tuple[Panelist, str]) -> None:
    said = [(who, f'{{"vote": "{choice}"}}', f"votes {stage} the debate") for who, choice in choices]
    for turn, (who, choice) in zip(_at_once(table, round, "vote", *said), choices, strict=True):
        read: dict[str, Any] = {"turn": turn, "panelist": who.name, "round": round}
        if choice == "perhaps":
            table.add(
                f.TurnUnread(**read, kind="vote", detail="'perhaps' is none of for, against, undecided.")
            )
        else:
            table.add(f.VoteCast(**read, choice=choice, stage=stage))


def _verdict(table: Table, panelist: Panelist, round: int, reason: str, text: str, **found: Any) -> None:
    """The chair's, and the table's end."""
    table.add(e.TableConcluding(reason=reason))
    turn = _turn(table, round, "verdict", (panelist, text, f"the discussion is over: {reason}"))
    table.add(f.VerdictGiven(round=round, answer=text, chair=panelist.name, turn=turn, **found))
    table.add(e.TableClosed(reason=reason))


def debate() -> Table:
    """Two sides and one who is undecided; a vote is read at the second time, and one is moved."""
    table = Table(ADA, BEN, CLEO, policy="debate", max_rounds=3)
    table.add(e.RoundStarted(round=1))
    _vote(table, 1, "before", (ADA, "for"), (BEN, "perhaps"), (CLEO, "undecided"))
    _vote(table, 1, "before", (BEN, "against"))
    pro, con = "for the motion", "against the motion"
    _turn(table, 1, "opening", (ADA, "Nobody reads them all.", pro))
    _turn(table, 1, "opening", (BEN, "Nobody answers for it.", con))
    table.add(f.Entropy(round=1, value=0.8, method="lexical", voices=2))
    table.add(e.RoundStarted(round=2))
    _turn(table, 2, "speech", (CLEO, "Who signs? Who pays?", "undecided, asks both sides"))
    _turn(table, 2, "rebuttal", (ADA, "The ward signs.", pro))
    _turn(table, 2, "rebuttal", (BEN, "It never has.", con))
    table.add(f.Entropy(round=2, value=0.85, method="lexical", voices=3))
    table.add(e.RoundStarted(round=3))
    _turn(table, 3, "closing", (ADA, "Flag, and let them sign.", pro))
    _turn(table, 3, "closing", (BEN, "Then they need not read.", con))
    _vote(table, 3, "after", (ADA, "for"), (BEN, "against"), (CLEO, "for"))
    tally = f.TallyCounted(
        round=3, kind="vote", scores={"for": 2.0, "against": 1.0, "undecided": 0.0}, winner="for",
        swing={"for": 1, "against": 0, "undecided": -1}, ballots=3,
    )  # fmt: skip
    table.add(tally)
    table.add(f.Entropy(round=3, value=0.75, method="lexical", voices=2))
    header, answered = "3 of 3 answered.", ["Ada", "Ben", "Cleo"]
    _verdict(table, ADA, 3, "max_rounds", "For, by one.", header=header, answered=answered, tally=tally)
    return table


def delphi() -> Table:
    """Two blind rounds, of which the second is near enough; the first is measured by a model that costs money, the
    second by one whose price is unknown."""
    table = Table(ADA, BEN, CLEO, policy="delphi")
    measured: dict[str, Any] = {"method": "embedding", "voices": 3, "tokens": 60}
    table.add(e.RoundStarted(round=1))
    first = (ADA, "POSITION: 40%.", ""), (BEN, "POSITION: 10%.", ""), (CLEO, "POSITION: Half.", "")
    _at_once(table, 1, "answer", *first)
    small = f.Entropy(round=1, value=0.4, model="openai:small", cost=Cost(0.0001), **measured)
    table.add(small)
    table.add(e.RoundStarted(round=2))
    _at_once(table, 2, "answer", *((who, "POSITION: 40%.", "") for who, _, _ in first))
    table.add(f.Entropy(round=2, value=0.0, model="house:large", **measured))
    table.add(f.Converge(round=2, value=0.0, threshold=0.2, method="embedding"))
    header, answered = "3 of 3 answered.", ["Ada", "Ben", "Cleo"]
    _verdict(table, ADA, 2, "convergence", "40%.", header=header, answered=answered)
    return table


def red_team() -> Table:
    """The first who proposes fails, the next is attacked by two at once, revises, and then all pass."""
    table = Table(ADA, BEN, CLEO, policy="red_team")
    table.add(e.RoundStarted(round=1))
    turn = table.start(ADA, 1, "proposes", kind="proposal")
    table.add(e.TurnFailed(turn=turn, panelist="Ada", error=BUSY))
    _turn(table, 1, "proposal", (BEN, "Flag the letters.", "proposes"))
    attacks = "attacks what Ben proposed"
    _at_once(table, 1, "attack", (ADA, "At night nobody looks.", attacks), (CLEO, "PASS", attacks))
    _turn(table, 1, "revision", (BEN, "Ada: accepted. Flag, and call.", "revises"))
    table.add(f.Entropy(round=1, value=0.9, method="lexical", voices=3))
    table.add(e.RoundStarted(round=2))
    _at_once(table, 2, "attack", (ADA, "PASS", attacks), (CLEO, "PASS", attacks))
    table.add(f.Entropy(round=2, value=0.0, method="lexical", voices=2))
    header, answered = "3 of 3 answered.", ["Ada", "Ben", "Cleo"]
    _verdict(table, ADA, 2, "passes", "Flag, and call.", header=header, answered=answered)
    return table


def floor() -> Table:
    """Two hands, one after the other; somebody absent is given the floor again; a verdict after the rest."""
    table = Table(ADA, BEN, then="rest", max_rounds=2)
    table.add(e.RoundStarted(round=1))
    turn = table.start(BEN, 1)
    table.add(e.TurnFailed(turn=turn, panelist="Ben", error=GONE))
    table.say(ADA, 1, "Three letters.")
    table.add(e.HandRaised(author="Rosa", within=60.0, command="key-1", inbox=1))
    table.add(e.HandRaised(author="Kim", within=60.0, command="key-2", inbox=2))
    table.add(e.HandLowered(author="Rosa", reason="timeout"), 60)
    again = e.TurnQueued(turn="t3", panelist="Ben", round=1, reason="asked", command="key-3", inbox=3)
    table.add(again)
    table.turns += 1
    table.add(e.HandLowered(author="Kim", reason="command", command="key-4", inbox=4))
    table.begin("t3", BEN)
    table.complete("t3", BEN, "Two.", Usage(input=60, output=2))
    table.add(e.HandRaised(author="Rosa", within=60.0, command="key-5", inbox=5))
    table.add(e.HandLowered(author="Rosa", reason="ended"))
    table.add(e.TableRested(reason="max_rounds"))
    table.add(e.TableTitled(title="Letters", command="key-6", inbox=6))
    table.add(e.TableResumed(reason="verdict"), 30)
    table.add(e.TableConcluding(reason="command", command="key-7", inbox=7))
    header = "2 of 2 answered; there is no chair, no synthesis."
    table.add(f.VerdictGiven(round=1, header=header, missing="there is no chair", answered=["Ada", "Ben"]))
    table.add(e.TableRested(reason="command"))
    return table


def summaries() -> Table:
    """A round is summed up, the next summary fails; each turn tells what its prompt had room for."""
    table = Table(ADA, BEN, max_rounds=3)

    def turn(panelist: Panelist, round: int, text: str, kind: str = "speech", **given: Any) -> str:
        table.turns += 1
        who: dict[str, Any] = {"turn": f"t{table.turns}", "panelist": panelist.name}
        table.add(e.TurnQueued(**who, kind=kind, round=round))
        table.add(e.TurnStarted(**who, model=panelist.model, digest=f"sha256:{who['turn']}", **given))
        table.words(who["turn"], panelist, text)
        table.complete(who["turn"], panelist, text, Usage(input=given["length"] // 4, output=9), Cost(0.001))
        return str(who["turn"])

    for number in (1, 2, 3):
        table.add(e.RoundStarted(round=number))
        turn(ADA, number, "A long speech.", room=6000, length=900 * number)
        turn(BEN, number, "Another.", room=32000, length=1000 * number, most=800)
        if number == 1:
            made = turn(ADA, 1, "Ada spoke at length.", "summary", room=100000, length=2100, most=1200)
            table.add(
                f.SummaryMade(turn=made, panelist="Ada", round=1, through="t1", text="Ada spoke at length.")
            )
        if number == 2:
            failed = table.start(BEN, 2)
            table.add(e.TurnFailed(turn=failed, panelist="Ben", error=BUSY))
    table.add(e.TableClosed(reason="max_rounds"))
    return table


def money() -> Table:
    """A forecast, a turn cut at the cap, a warning, a round that is not begun, and a cheaper chair."""
    table = Table(ADA, BEN, max_dollars=0.02)
    table.add(e.RoundStarted(round=1))
    table.add(f.RoundForecast(round=1, tokens_in=900, tokens_out=500, dollars=0.009))
    table.say(ADA, 1, "Dear words.", cost=Cost(0.012))
    turn = table.start(BEN, 1)
    table.words(turn, BEN, "Cut he")
    cut = e.TurnCompleted(
        turn=turn, panelist="Ben", text="Cut he", stop_reason="length",
        usage=Usage(input=90, output=2, cached=64, cache_write=20, estimated=True), cost=Cost(0.0045),
    )  # fmt: skip
    table.add(cut)
    table.add(f.BudgetWarned(round=1, name="max_dollars", used=0.0165, limit=0.02))
    fewer = "Another round and the verdict would cost some $0.0210; $0.0035 is left."
    table.add(f.BudgetDegraded(round=1, measure="fewer_rounds", detail=fewer))
    table.add(e.TableConcluding(reason="max_dollars"))
    dear = "The verdict would cost some $0.0060 with Ada; $0.0035 is left. Ben writes it."
    table.add(f.BudgetDegraded(round=1, measure="cheaper_chair", detail=dear, panelist="Ben"))
    table.say(BEN, 1, "In short.", cost=Cost(0.002))
    table.add(f.VerdictGiven(
        round=1, header="2 of 2 answered.", answer="In short.", chair="Ben", turn="t3", answered=["Ada", "Ben"]
    ))  # fmt: skip
    table.add(e.TableClosed(reason="max_dollars"))
    return table


SCENARIOS: tuple[Callable[[], Table], ...] = (
    plain, failures, people, rest, unknown, takeover, letters, thoughts, parallel, floor_time, thread, steered,
    moderated, raise_hand, council, verdict, stances, debate, delphi, red_team, floor,
    summaries, money, tools, fallback,
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
    "a swap for one who sits here": (steered, 3, e.PanelChanged(change="swapped", panelist="Ada", seat=BEN)),
    "a turn for who left": (steered, 23, e.TurnQueued(turn="t2", panelist="Ben")),
    "a test of a table that is held": (plain, 9, e.StressRequested()),
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
