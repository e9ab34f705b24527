"""Words as they come: in a notebook's cell or a terminal. What a model says is plain text there, and runs nothing."""

import sys
import time
import unicodedata
from collections.abc import Callable
from typing import Any, Protocol, TextIO

# Between two updates of a notebook's cell, each of which sends the whole text again. Seconds.
EVERY = 0.1
# Characters of an answer that a cell shows; of a longer one its end.
MAX_SHOWN = 100_000


class Display(Protocol):
    """`write` adds words, `end` is called once, however it ended."""

    def write(self, text: str) -> None: ...
    def end(self) -> None: ...


def display() -> Display:
    """A notebook's cell where this runs in one, else the terminal."""
    ipython = sys.modules.get("IPython")  # whoever runs in a notebook has it imported
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and hasattr(shell, "kernel"):
        return Cell(sys.modules["IPython.display"])
    return Terminal(sys.stdout)


class Terminal:
    """Words on a text stream."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._written = out, False

    def write(self, text: str) -> None:
        """Show them now."""
        self._out.write(_plain(text))
        self._out.flush()
        self._written = True

    def end(self) -> None:
        """End the line."""
        if self._written:
            self._out.write("\n")
            self._out.flush()


class Cell:
    """One output of a notebook's cell that grows. Only `text/plain`: markup of a model's would run in the page."""

    def __init__(self, ipython: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._display, self._clock = ipython.display, clock
        self._text, self._shown_at = "", clock() - EVERY
        self._handle: Any = None

    def write(self, text: str) -> None:
        """Show them now, or with those that come next."""
        self._text = (self._text + _plain(text))[-MAX_SHOWN:]
        if self._clock() - self._shown_at >= EVERY:
            self._show()

    def end(self) -> None:
        """Show what is left."""
        self._show()

    def _show(self) -> None:
        self._shown_at = self._clock()
        shown = {"text/plain": self._text}
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


def _plain(text: str) -> str:
    """Without what moves a cursor."""
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each) != "Cc")
