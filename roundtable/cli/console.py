"""What a command says beside its output: exit codes, lines on stderr, how far it is, and the table on the screen."""

import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from typing import Self

from roundtable.cli.terminal import Terminal

FAILED, USAGE, INTERRUPTED = 1, 2, 130
# 128 + SIGPIPE, as a shell reports a program whose reader has gone.
PIPE_CLOSED = 141


def tell(text: str) -> None:
    """One line on stderr."""
    print(f"roundtable: {printable(text)}", file=sys.stderr)


def printable(text: str) -> str:
    """Without what moves a cursor: some of the words come from servers and files."""
    return "".join(each for each in text if each == "\n" or unicodedata.category(each) != "Cc")


class Progress:
    """A line on stderr that says how far a longer work is; on a screen only, and after the first second.

    Use it as a context manager: the line is gone at the end.
    """

    # Seconds. What is done sooner needs no word; a line that changes faster cannot be read.
    AFTER, EVERY = 1.0, 0.2

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock() + self.AFTER if sys.stderr.isatty() else float("inf")
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, text: str) -> None:
        now = self._clock()
        if now >= self._next:
            self._next, self._shown = now + self.EVERY, True
            room = shutil.get_terminal_size().columns - 1
            print(f"\r{text[:room]}\x1b[K", end="", file=sys.stderr, flush=True)


def columns(rows: Sequence[tuple[str, ...]]) -> None:
    """Rows on stdout, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def size(count: int) -> str:
    """Bytes for people: `812 bytes`, `4.2 MB`."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


def confirm(question: str) -> bool:
    """Ask on a terminal; without one the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"roundtable: {question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def terminal() -> Terminal:
    """A table as text on stdout: in colours and set to the width on a screen, plain in a pipe or with NO_COLOR."""
    out = sys.stdout
    width = shutil.get_terminal_size().columns if out.isatty() else None
    return Terminal(out, width=width, colour=out.isatty() and not os.environ.get("NO_COLOR"))
