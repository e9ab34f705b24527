"""The command line: one file per command, each with `add` (what it takes) and a function that runs it.

Exit codes: 0 done, 1 it failed, 2 it was called wrongly, 130 ended by Ctrl-C, 141 nobody reads what it writes. What can
be foreseen fails with one line on stderr. The work is done elsewhere; vendors' SDKs and the web framework take a while
to import, so a command imports what it needs when it runs.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from protocol.errors import CallerError, RoundtableError
from roundtable import __version__
from roundtable.cli import (
    ask,
    backup,
    copy,
    doctor,
    export,
    fork,
    invoke,
    models,
    panels,
    policies,
    replay,
    restore,
    serve,
    tell,
    watch,
)
from roundtable.cli.console import FAILED, INTERRUPTED, PIPE_CLOSED, USAGE
from roundtable.cli.console import tell as complain

_COMMANDS = (
    serve, ask, fork, watch, tell, invoke, replay, export,
    models, policies, panels, doctor, backup, restore, copy,
)  # fmt: skip
_MAIN = """\
Language models talking at one table: everything said is kept, and can be
watched, resumed and replayed.

  roundtable serve --open     the tables in a browser
  roundtable ask "QUESTION"   one table in this terminal
  roundtable fork ID          another future of it
  roundtable watch URL        a table on a server, as it happens
  roundtable tell URL say X   something to it: say, pause, mute, verdict ...
  roundtable invoke TOOL      a tool or a model on a server, step by step
  roundtable export ID        a table as a file
  roundtable models           who can speak here, and what others lack
  roundtable policies         how a table can be held, and what for
  roundtable panels           seats that are kept under a name
  roundtable doctor           whether everything is as it should be

`roundtable COMMAND --help` has examples of each.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.run is None:
        parser.print_help(sys.stderr)
        return USAGE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter stops nobody
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more on its way out; give it something that takes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except RoundtableError as error:
        complain(error.detail)
        return USAGE if isinstance(error, CallerError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        complain(f"Cannot write: {error.strerror}.")
        return FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="roundtable", description=_MAIN, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"roundtable {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser
