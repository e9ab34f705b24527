"""What a command says beside its output: exit codes, lines on stderr, and the table on the screen."""

import os
import shutil
import sys

from roundtable.terminal import Terminal

FAILED, USAGE, INTERRUPTED = 1, 2, 130
# 128 + SIGPIPE, as a shell reports a program whose reader has gone.
PIPE_CLOSED = 141


def tell(text: str) -> None:
    """One line on stderr."""
    print(f"roundtable: {text}", file=sys.stderr)


def terminal() -> Terminal:
    """A table as text on stdout: in colours and set to the width on a screen, plain in a pipe or with NO_COLOR."""
    out = sys.stdout
    width = shutil.get_terminal_size().columns if out.isatty() else None
    return Terminal(out, width=width, colour=out.isatty() and not os.environ.get("NO_COLOR"))
