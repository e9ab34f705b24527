"""A table as text, event by event: names, words set to the width, failures said plainly. Reads and decides nothing."""

import unicodedata
from typing import TextIO

from protocol import events as e
from protocol import kinds
from protocol.findings import ClaimMade, StanceTaken, VerdictGiven
from protocol.messages import Panelist
from protocol.transcript import Spent
from protocol.views import verdict, words
from roundtable.cli import asides
from roundtable.cli.spotlight import Spotlight

INDENT = "  "
# A line longer than this is hard to read, however wide the screen (Bringhurst: 66 characters, 75 at most).
MEASURE = 76
# ANSI colours for seats; red is kept for failures, white and black are somebody's background.
_SEATS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
_BOLD, _DIM, _RED = 1, 2, 31


class Terminal:
    """Writes one table to `out`. `width` is in columns (None: lines are left as they are)."""

    def __init__(self, out: TextIO, *, width: int | None, colour: bool) -> None:
        self._out, self._colour = out, colour
        self._wrap = Wrap(min(width, MEASURE) if width else None)
        self._codes: dict[str, int] = {}
        self._spotlight = Spotlight()
        self._moves = verdict.Moves()
        self._paperwork: set[str] = set()
        self._why: dict[str, str] = {}  # by turn, until it begins
        self._in_aside = False
        self._open: tuple[str, str] = ("", "")  # whose turn the cursor is in, and whether speech or thought

    def show(self, event: e.Event) -> None:
        """Write what the event means to a person; most of the time that is nothing or a few words. Of those who speak
        at once, one is shown after the other."""
        if self._is_words(event):
            for shown in self._spotlight.follow(event):
                self._show(shown)
        self._out.flush()

    def _is_words(self, event: e.Event) -> bool:
        """Whether the event is of anything but a turn whose answer is read by the table, and by nobody else."""
        if isinstance(event, e.TurnQueued) and not kinds.is_heard(event.kind):
            self._paperwork.add(event.turn)
        return not (isinstance(event, e.TurnEvent) and event.turn in self._paperwork)

    def _show(self, event: e.Event) -> None:
        if isinstance(event, ClaimMade | StanceTaken):
            self._note(self._moves.hear(event))
        elif isinstance(event, VerdictGiven):
            self._judge(event)
        else:
            self._tell(event)

    def _tell(self, event: e.Event) -> None:
        match event:
            case e.TableOpened():
                self._opened(event.topic, event.panel)
            case e.TurnQueued():
                self._why[event.turn] = asides.why(event)
            case e.TurnStarted():
                self._enter(event, "speech")
            case e.TurnThinking():
                self._enter(event, "thought")
                self._write(self._wrap.feed(event.text), _DIM)
            case e.TurnDelta():
                self._enter(event, "speech")
                self._write(self._wrap.feed(event.text))
            case e.TurnRetried():
                self._note(f"{event.panelist}: {event.error.detail} Asking again in {event.wait:.0f} s.")
            case e.TurnCompleted() | e.TurnFailed() | e.TurnCancelled():
                self._ended(event)
            case e.MessagePosted():
                self._name(event.author or "Someone", _BOLD)
                self._paragraph(event.text)
            case e.TableClosed():
                self._note(
                    f"The table is closed: {words.REASONS.get(event.reason, event.reason)}. {event.detail}"
                )
            case _:  # most of the rest is for machines
                self._note(asides.note(event))
                self._quietly(asides.quiet(event))

    def end(self) -> None:
        """Finish the line that is open, so that something else may be said."""
        self._leave()
        self._out.flush()

    def spent(self, spent: Spent) -> None:
        """The last line: what it took."""
        self._leave()
        self._note(words.spent(spent))
        self._out.flush()

    def _judge(self, given: VerdictGiven) -> None:
        """What the log says of a verdict; the answer itself was shown as the chair wrote it."""
        self._note(f"Verdict: {given.header}", _BOLD)
        for each in given.dissent:
            self._name(
                f"{each.panelist} dissents, {verdict.whose(each)}", self._codes.get(each.panelist, _BOLD)
            )
            self._paragraph(each.text)
        for claim in given.claims:
            self._note(claim.text, 0)
            for side, names in verdict.sides(claim):
                self._write(self._wrap.paragraph(f"{side}: {', '.join(names)}"), _DIM)
        for text in (verdict.source(given), *verdict.corrections(given), verdict.confidence(given)):
            self._note(text)

    def _opened(self, topic: str, panel: list[Panelist]) -> None:
        for seat, panelist in enumerate(panel):
            self._codes[panelist.name] = _SEATS[seat % len(_SEATS)]
        self._write(self._wrap.paragraph(topic), _BOLD)
        for panelist in panel:
            self._write(f"{INDENT}{_plain(panelist.name)}", self._codes[panelist.name])
            self._write(f"  {_plain(panelist.model)}\n", _DIM)

    def _ended(self, event: e.TurnCompleted | e.TurnFailed | e.TurnCancelled) -> None:
        match event:
            case e.TurnFailed():
                self._note(f"{event.panelist} failed: {event.error.detail}", _RED)
            case e.TurnCancelled():
                self._note(f"{event.panelist} was cut short.")
            case e.TurnCompleted(text=""):
                self._note(f"{event.panelist} said nothing.")
            case e.TurnCompleted(stop_reason=reason) if reason in words.STOPPED:
                self._note(f"{event.panelist}: {words.STOPPED[reason]}.")
            case _:
                self._leave()

    def _enter(self, event: e.TurnEvent, kind: str) -> None:
        """Be in this turn. Words of another turn, or thoughts, end the paragraph and begin one under a name."""
        if self._open == (event.turn, kind):
            return
        same = self._open[0] == event.turn
        self._leave()
        if not same:
            self._name(event.panelist, self._codes.get(event.panelist, _BOLD))
            self._write(self._wrap.paragraph(self._why.pop(event.turn, "")), _DIM)
        self._open = (event.turn, kind)

    def _leave(self) -> None:
        self._write(self._wrap.end(), _DIM if self._open[1] == "thought" else 0)
        self._open = ("", "")

    def _name(self, name: str, code: int) -> None:
        self._leave()
        self._write(f"\n{_plain(name)}", code)
        self._write("\n")

    def _note(self, text: str, code: int = _DIM) -> None:
        if text:
            self._leave()
            self._write("\n" + self._wrap.paragraph(text.strip()), code)

    def _quietly(self, text: str) -> None:
        """A line of its own, close to others like it."""
        if text:
            self._leave()
            self._write(("" if self._in_aside else "\n") + self._wrap.paragraph(text), _DIM)
            self._in_aside = True

    def _paragraph(self, text: str) -> None:
        self._write(self._wrap.paragraph(text))

    def _write(self, text: str, code: int = 0) -> None:
        if text:
            self._in_aside = False
            self._out.write(f"\x1b[{code}m{text}\x1b[0m" if code and self._colour else text)


class Wrap:
    """Words in as they come, lines of at most `width` columns out. A word is held until it is whole."""

    def __init__(self, width: int | None) -> None:
        self._room = max(10, width - len(INDENT)) if width else 1 << 30
        self._column = 0  # of the line under way, without the indent
        self._fresh = True  # nothing but blanks stands on the line
        self._blanks = self._word = ""
        self._cells = 0  # columns of the word

    def feed(self, text: str) -> str:
        """What can be written now."""
        return "".join(self._letter(letter) for letter in text)

    def end(self) -> str:
        """The rest, and a line end if the line is not empty."""
        rest = self._place()
        if not self._fresh:
            return rest + self._break()
        self._blanks = ""
        return rest

    def paragraph(self, text: str) -> str:
        """A whole text, ended."""
        return self.feed(text) + self.end()

    def _letter(self, letter: str) -> str:
        if letter == "\n":
            return self._place() + self._break()
        if letter.isspace():
            out = self._place()
            self._blanks += "    " if letter == "\t" else " "
            return out
        if unicodedata.category(letter) == "Cc":
            return ""  # whoever may move the cursor can forge what was said
        cells = _cells(letter)
        out = ""
        if self._cells + cells > self._room:
            out = self._place()
        self._word += letter
        self._cells += cells
        # East Asian writing has no blanks; a line may break after any of its characters.
        return out + (self._place() if cells == 2 else "")

    def _place(self) -> str:
        if not self._word:
            return ""
        out = ""
        if self._column + len(self._blanks) + self._cells > self._room and not self._fresh:
            out = self._break()
        if self._fresh:
            out += INDENT
        out += self._blanks + self._word
        self._column += len(self._blanks) + self._cells
        self._fresh, self._blanks, self._word, self._cells = False, "", "", 0
        return out

    def _break(self) -> str:
        self._column, self._fresh, self._blanks = 0, True, ""
        return "\n"


def _cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _plain(text: str) -> str:
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cc")
