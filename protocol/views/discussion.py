"""A table as one text, told while it is held: who speaks is named, and nobody is heard amid another's words, however
many speak at once. With `verdict` only the verdict is told; the rest is there for whoever opens the table. Behind the
chair's words stands what the log says of them: who answered, and who dissents though she does not say so.
"""

from collections.abc import Iterator
from typing import NamedTuple

from protocol import events as e
from protocol import kinds
from protocol.findings import VerdictGiven
from protocol.invocation import Failed
from protocol.messages import Failure, Usage
from protocol.views import verdict
from protocol.views.openai import FinishReason
from protocol.views.words import STOPPED


class Piece(NamedTuple):
    """Words, whose they are, and the turn (or message) they belong to."""

    text: str
    panelist: str
    turn: str


class _Part:
    """One speaker's words that nobody was told yet: no more than the turn may say."""

    def __init__(self, panelist: str, *words: str, over: bool = False) -> None:
        self.panelist, self.over = panelist, over
        self.words = list(words)
        self.begun = False


class Discussion:
    """`hear` every event of a table. `finish` is set at its end, or `failed`: nothing was said that answers."""

    def __init__(self, *, verdict: bool = False) -> None:
        self.finish: FinishReason | None = None
        self.failed: Failed | None = None
        self.usage = Usage()
        self.dollars: float | None = 0.0
        """US dollars by list price; None where that of any turn is unknown."""
        self._verdict = verdict
        self._kinds: dict[str, str] = {}
        self._parts: dict[str, _Part] = {}  # in the order in which they are told
        self._told = False
        self._answered = False
        self._failure: Failure | None = None
        self._chairs: Failure | None = None
        self._missing = ""

    def hear(self, event: e.Event) -> Iterator[Piece]:
        """What is told because of it, at once or of what had to wait."""
        match event:
            case e.TurnQueued():
                self._kinds[event.turn] = event.kind
            case e.TurnStarted() if self._shows(event.turn):
                self._parts.setdefault(event.turn, _Part(event.panelist))
            case e.TurnDelta() if event.turn in self._parts:
                self._parts[event.turn].words.append(event.text)
            case e.TurnCompleted() | e.TurnFailed() | e.TurnCancelled():
                self._end(event)
            case e.MessagePosted() if not self._verdict:
                self._parts[event.message] = _Part(event.author, event.text, over=True)
            case VerdictGiven():
                self._judge(event)
            case e.TableClosed():
                self._close(event)
            case _:
                pass
        yield from self._next()

    def _shows(self, turn: str) -> bool:
        kind = self._kinds.get(turn, kinds.SPEECH)
        return kind == kinds.VERDICT if self._verdict else kinds.is_heard(kind)

    def _next(self) -> Iterator[Piece]:
        """Everything of whoever's turn it is, and of those behind as soon as he is done."""
        while self._parts:
            turn, part = next(iter(self._parts.items()))
            if text := "".join(part.words):
                yield Piece(self._heading(part) + text, part.panelist, turn)
                part.words.clear()
            if not part.over:
                return
            del self._parts[turn]

    def _heading(self, part: _Part) -> str:
        if part.begun or self._verdict or not part.panelist:
            return ""
        part.begun = True
        between, self._told = "\n\n" if self._told else "", True
        return f"{between}**{part.panelist}:** "

    def _end(self, event: e.TurnCompleted | e.TurnFailed | e.TurnCancelled) -> None:
        self._spend(event)
        if isinstance(event, e.TurnFailed):
            self._failure = self._failure or event.error
            if self._kinds.get(event.turn) == kinds.VERDICT:
                self._chairs = event.error
        part = self._parts.get(event.turn)
        if part is None:
            return
        self._answered = self._answered or (isinstance(event, e.TurnCompleted) and bool(event.text.strip()))
        part.words.append(_remark(event))
        part.over = True

    def _judge(self, given: VerdictGiven) -> None:
        """What is told of a verdict beside the chair's words; alone it is no answer."""
        self._missing = given.header if given.missing else ""
        if given.missing and self._verdict and not self._answered:
            return  # not even the words of a chair who was cut off
        remarks = [f"*{given.header}*"]
        remarks += [f"**{each.panelist}** dissents: {each.text}" for each in given.dissent if each.turn]
        remarks += verdict.corrections(given)
        self._parts["verdict"] = _Part("", "\n\n" + "\n\n".join(remarks), over=True)

    def _spend(self, event: e.TurnCompleted | e.TurnFailed | e.TurnCancelled) -> None:
        one, more = self.usage, event.usage
        self.usage = Usage(
            one.input + more.input, one.output + more.output, one.thinking + more.thinking,
            one.cached + more.cached, one.cache_write + more.cache_write, one.estimated or more.estimated,
        )  # fmt: skip
        if event.cost is not None and self.dollars is not None:
            self.dollars += event.cost.dollars
        elif more.input or more.output:
            self.dollars = None

    def _close(self, event: e.TableClosed) -> None:
        for part in self._parts.values():
            part.over = True
        if self._answered:
            cut = event.reason == "max_tokens" or (self._verdict and self._missing)
            self.finish = "length" if cut else "stop"
        elif self._missing and self._verdict:
            retryable = self._chairs is not None and self._chairs.retryable
            self.failed = _failed("no_verdict", self._missing, retryable=retryable)
        elif self._failure is not None:
            self.failed = _failed(self._failure.code, self._failure.detail, retryable=self._failure.retryable)
        elif self._verdict:
            self.failed = _failed("no_verdict", "The table came to no verdict.")
        else:
            why = event.detail or f"The table was closed ({event.reason}) before anybody had said anything."
            self.failed = _failed("empty", why)


def _failed(code: str, detail: str, *, retryable: bool = False) -> Failed:
    return Failed(id="", t=0, code=code, detail=detail, retryable=retryable)


def _remark(event: e.TurnCompleted | e.TurnFailed | e.TurnCancelled) -> str:
    """How a turn ended, where that is not its own full stop."""
    if isinstance(event, e.TurnFailed):
        return _aside(event.text, f"failed: {event.error.detail}")
    if isinstance(event, e.TurnCancelled):
        return _aside(event.text, "was stopped here") if event.text else ""
    if event.stop_reason in STOPPED:
        return _aside(event.text, STOPPED[event.stop_reason])
    return ""


def _aside(text: str, remark: str) -> str:
    return f"{' ' if text else ''}*({remark.rstrip('.')})*"
