"""`roundtable ask`: one table held in this terminal."""

import argparse
import asyncio
import re
import shlex
import sys
from typing import TYPE_CHECKING

from protocol import codec
from protocol.errors import Invalid
from roundtable import exporting, policies
from roundtable.cli import arguments, console, journal

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands
    from roundtable.log.base import Record

POLICY = "round_robin"
# An answer, and one reply to the others.
ROUNDS = 2
_EXAMPLES = """\
examples:
  roundtable ask "Is a hot dog a sandwich?"
  roundtable ask --panel openai:gpt-5.4,ollama:llama3.2 "Tabs or spaces?"
  roundtable ask --seat Ada=openai:gpt-5.4 --seat Ben=scripted:sceptic "Why?"
  roundtable ask --policy parallel "What did we overlook?"
  roundtable ask --off-record "Should I take the offer?"
  roundtable ask --verdict "Shall we ship on Friday?"
  cat draft.md | roundtable ask --max-dollars 0.10 - >opinions.txt

Without --panel and --seat the panel is made of what `roundtable models` calls
usable.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "ask", _ask, "hold one table in this terminal", _EXAMPLES)
    arguments.add_settings(parser)
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
    parser.add_argument(
        "--policy",
        metavar="NAME",
        default=POLICY,
        help=f"who speaks when: {', '.join(policies.OURS)} (the default: {POLICY}), or an installed one",
    )
    parser.add_argument("--rounds", metavar="N", type=int, default=ROUNDS, help=f"(default: {ROUNDS})")
    parser.add_argument(
        "--max-dollars", metavar="X", type=float, help="end the table when it has cost so much"
    )
    parser.add_argument(
        "--verdict",
        action=argparse.BooleanOptionalAction,
        help="come to a verdict in the end, or not (the default: as the policy has it)",
    )
    parser.add_argument("--off-record", action="store_true", help="keep nothing of it on this machine")
    arguments.add_json(parser, "the entries of the log, one JSON object a line")


def _ask(args: argparse.Namespace) -> int:
    from roundtable.cli import holding  # noqa: PLC0415 - vendors' SDKs take a while

    config = arguments.settings(args)
    seats = [*args.seat, *_seats(args.panel)]
    question = holding.Question(
        _topic(args.question),
        seats,
        args.rounds,
        args.max_dollars,
        args.policy,
        not args.off_record,
        args.verdict,
    )
    terminal = console.terminal()
    journal.begin("roundtable: %(message)s")

    def show(record: "Record") -> None:
        if args.json:
            print(exporting.line(record).decode(), flush=True)
        else:
            terminal.show(codec.decode_body(*record).event)

    held = asyncio.run(holding.hold(config, question, show))
    if not args.json:
        terminal.spent(held.transcript.spent)
    if not seats and all(panelist.model.startswith("scripted:") for panelist in held.transcript.panel):
        console.tell(
            "these were scripted voices, for no model can be used here; `roundtable models` says why"
        )
    if args.off_record:
        console.tell("the table was off the record: nothing of it is kept")
    else:
        data = shlex.quote(str(config.data))
        console.tell(f"the table is kept: `roundtable serve --data {data}` has it at /t/{held.table}")
    if held.interrupted:
        return console.INTERRUPTED
    return 0 if any(turn.status == "completed" for turn in held.transcript.turns) else console.FAILED


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
