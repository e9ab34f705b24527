"""The command line: what it takes, what it prints, how it exits. The work is done elsewhere.

Exit codes: 0 done, 1 it failed, 2 it was called wrongly, 130 ended by Ctrl-C. What can be foreseen fails with one line
on stderr.
"""

import argparse
import asyncio
import io
import logging
import os
import re
import shlex
import shutil
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol import codec
from protocol.errors import CallerError, Invalid, RoundtableError
from roundtable import __version__
from roundtable.config import Config, load

if TYPE_CHECKING:
    from providers.survey import ProviderStatus
    from roundtable.log.base import Record

# Rounds of `ask`: an answer, and one reply to the others.
ROUNDS = 2
FAILED, USAGE, INTERRUPTED = 1, 2, 130
# 128 + SIGPIPE, as a shell reports a program whose reader has gone.
PIPE_CLOSED = 141

_SERVE = """\
examples:
  roundtable serve --open                        on this machine, and show the lobby
  roundtable serve --port 0 --data /srv/tables   a free port; keep the tables there
  ROUNDTABLE_SECRET=... roundtable serve --host 0.0.0.0    for others, who need the secret
"""
_ASK = """\
examples:
  roundtable ask "Is a hot dog a sandwich?"
  roundtable ask --panel anthropic:claude-sonnet-5,ollama:llama3.2 "Tabs or spaces?"
  roundtable ask --seat Ada=openai:gpt-5.4 --seat Ben=scripted:sceptic --rounds 3 "Why sleep?"
  cat draft.md | roundtable ask --max-dollars 0.10 - >opinions.txt

Without --panel and --seat the panel is made of what `roundtable models` calls usable.
"""
_MAIN = """\
Language models talking at one table: everything said is kept, and can be watched, resumed and replayed.

  roundtable serve --open     the tables in a browser
  roundtable ask "QUESTION"   one table in this terminal
  roundtable models           who can speak here, and what is missing for the others
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
        _tell(error.detail)
        return USAGE if isinstance(error, CallerError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        _tell(f"Cannot write: {error.strerror}.")
        return FAILED
    return code


def _tell(text: str) -> None:
    print(f"roundtable: {text}", file=sys.stderr)


# -- serve -------------------------------------------------------------------------------------------------------


def _serve(args: argparse.Namespace) -> int:
    if args.redis is not None:
        raise Invalid("--redis is not in this version yet; tables are kept in --data on this machine.")
    if args.workers < 1:
        raise Invalid("--workers is at least 1.")
    if args.workers > 1:
        raise Invalid(
            "--workers above 1 needs --redis, which is not in this version yet: "
            "a data directory belongs to one process."
        )
    config = _config(args, host=args.host, port=args.port)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("roundtable").setLevel(logging.INFO)

    def listening(url: str) -> None:
        print(f"listening on {url}", flush=True)
        if args.open:
            _open(url)

    from roundtable.edge.app import serve  # noqa: PLC0415 - the web framework takes a while, and `ask` needs none

    asyncio.run(serve(config, listening))
    return 0


def _open(url: str) -> None:
    """Show the lobby, if there is a screen; a browser in the terminal would take it over."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    here = re.sub(r"//(0\.0\.0\.0|\[::\])", "//127.0.0.1", url)
    threading.Thread(target=webbrowser.open, args=(here,), daemon=True).start()


# -- ask ---------------------------------------------------------------------------------------------------------


def _ask(args: argparse.Namespace) -> int:
    from roundtable import ask  # noqa: PLC0415 - as above: vendors' SDKs
    from roundtable.terminal import Terminal  # noqa: PLC0415

    config = _config(args)
    seats = [*args.seat, *_seats(args.panel)]
    question = ask.Question(_topic(args.question), seats, args.rounds, args.max_dollars)
    out = sys.stdout
    width = shutil.get_terminal_size().columns if out.isatty() else None
    terminal = Terminal(out, width=width, colour=out.isatty() and not os.environ.get("NO_COLOR"))

    def show(record: "Record") -> None:
        if args.json:
            # As everywhere on the wire: the logged body, with its cursor as `id` in front.
            print(f'{{"id":"{record.cursor}",{record.body.decode()[1:]}', flush=True)
        else:
            terminal.show(codec.decode_body(*record).event)

    held = asyncio.run(ask.hold(config, question, show))
    if not args.json:
        terminal.spent(held.transcript.spent)
    if not seats and all(panelist.model.startswith("scripted:") for panelist in held.transcript.panel):
        _tell("these were scripted voices, for no model can be used here; `roundtable models` says why")
    _tell(
        f"the table is kept: `roundtable serve --data {shlex.quote(str(config.data))}` has it at /t/{held.table}"
    )
    if held.interrupted:
        return INTERRUPTED
    return 0 if any(turn.status == "completed" for turn in held.transcript.turns) else FAILED


def _topic(argument: str) -> str:
    try:
        topic = sys.stdin.buffer.read().decode() if argument == "-" else argument.encode().decode()
    except UnicodeError as error:
        raise Invalid("The question is not valid UTF-8.", field="question") from error
    if not topic.strip():
        raise Invalid("There is no question. Put it in quotes, or pipe it in with -.", field="question")
    return topic


def _seats(models: str) -> list[tuple[str, str]]:
    """Seats named after their models, as far as names allow; twice the same model is numbered."""
    seats: list[tuple[str, str]] = []
    for model in filter(None, models.split(",")):
        short = model.partition(":")[2].rpartition("/")[2]
        base = re.sub(r"[^\w. -]+", " ", short).strip()[:36] or model[:36]
        taken = sum(name.split(" #")[0] == base for name, _ in seats)
        seats.append((f"{base} #{taken + 1}" if taken else base, model))
    return seats


def _seat(text: str) -> tuple[str, str]:
    name, equals, model = text.partition("=")
    if not equals or ":" not in model:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=provider:model, such as Ada=openai:gpt-5.4")
    return name.strip(), model.strip()


# -- models ------------------------------------------------------------------------------------------------------


def _models(args: argparse.Namespace) -> int:
    survey = asyncio.run(_survey(_config(args)))
    if args.json:
        print(codec.encode(survey).decode())
        return 0
    rows = [("PROVIDER", "USABLE", "WHO SEES IT", "MODELS, OR WHAT IS MISSING")]
    for status in survey:
        usable = "yes" if status.usable else "no"
        told = ", ".join(status.models) if status.usable else ""
        told = told or ". ".join(filter(None, (status.detail, status.hint)))
        rows.append((status.name, usable, status.destination, told))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print("  ".join((*cells, row[3])).rstrip())
    return 0


async def _survey(config: Config) -> "list[ProviderStatus]":
    from providers.catalog import Catalog  # noqa: PLC0415

    catalog = Catalog(os.environ, config.providers, model_folders=config.model_folders)
    try:
        return await catalog.survey()
    finally:
        await catalog.close()


# -- arguments ---------------------------------------------------------------------------------------------------


def _config(args: argparse.Namespace, **flags: Any) -> Config:
    return load(args.config, {"data": args.data, **flags}, os.environ)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="roundtable", description=_MAIN, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"roundtable {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--data", metavar="DIR", help="where tables are kept (default: ~/.local/share/roundtable)"
    )
    shared.add_argument("--config", metavar="FILE", type=Path, help="settings in TOML")

    def command(name: str, run: Any, summary: str, examples: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            parents=[shared],
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=run)
        return sub

    _serve_arguments(command("serve", _serve, "serve tables to browsers and programs", _SERVE))
    _ask_arguments(command("ask", _ask, "hold one table in this terminal", _ASK))
    models = command("models", _models, "show who can speak here, and what is missing for the others")
    models.add_argument("--json", action="store_true", help="for programs")
    return parser


def _serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on; others than loopback need ROUNDTABLE_SECRET")
    parser.add_argument("--port", type=int, help="0 picks a free one (default: 8420)")
    parser.add_argument("--redis", metavar="URL", help="not in this version yet")
    parser.add_argument(
        "--workers", metavar="N", type=int, default=1, help="processes; above 1 needs --redis"
    )
    parser.add_argument("--open", action="store_true", help="show the lobby in a browser")


def _ask_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", help="what the table is about; - reads it from standard input")
    parser.add_argument(
        "--panel", metavar="MODEL,...", default="", help="who sits there, as provider:model,..."
    )
    parser.add_argument(
        "--seat",
        metavar="NAME=MODEL",
        type=_seat,
        action="append",
        default=[],
        help="one seat; may be repeated",
    )
    parser.add_argument("--rounds", metavar="N", type=int, default=ROUNDS, help=f"(default: {ROUNDS})")
    parser.add_argument(
        "--max-dollars", metavar="X", type=float, help="end the table when it has cost so much"
    )
    parser.add_argument("--json", action="store_true", help="the entries of the log, one JSON object a line")


if __name__ == "__main__":
    sys.exit(main())
