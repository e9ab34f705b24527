"""`roundtable ask`: one table held in this terminal."""

import argparse
import sys
from typing import TYPE_CHECKING

from protocol.errors import Invalid
from roundtable.cli import arguments, console, seats, wanted
from roundtable.cli import held as spoken

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands
    from roundtable.sdk.streams import Streams
    from roundtable.sdk.tables import Convened

_EXAMPLES = f"""\
examples:
  roundtable ask "Is a hot dog a sandwich?"
  roundtable ask --panel openai:gpt-5.4,ollama:llama3.2 "Tabs or spaces?"
  roundtable ask --policy council --panel review "Shall we ship on Friday?"
  roundtable ask --policy debate --no-verdict "This house prefers tabs."
  roundtable ask --file report.pdf --verdict "What did they overlook?"
  roundtable ask --rounds 8 --until passes,convergence=0.2 "What is a table?"
  roundtable ask --off-record "Should I take the offer?"
  cat draft.md | roundtable ask --max-dollars 0.10 - >opinions.txt

{seats.EXAMPLES}
Without --panel and --seat the panel is made of what `roundtable models` calls
usable. `roundtable policies` says what each method is for, `roundtable panels`
keeps a panel. Without --rounds there are two, or as many as the method has.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "ask", _ask, "hold one table in this terminal", _EXAMPLES)
    arguments.add_settings(parser)
    parser.add_argument("question", help="what the table is about; - reads it from standard input")
    seats.add(parser, "who sits there, as provider:model,...; or the name of a kept panel")
    wanted.add(parser)
    parser.add_argument("--title", metavar="TEXT", default="", help="what the table is called")
    parser.add_argument(
        "--file", metavar="FILE", action="append", default=[], help="lay a file on the table; may be repeated"
    )
    parser.add_argument("--off-record", action="store_true", help="keep nothing of it on this machine")
    arguments.add_json(parser, "the entries of the log, one JSON object a line")


def _ask(args: argparse.Namespace) -> int:
    config, topic = arguments.settings(args), _topic(args.question)
    panel, saved, asked = seats.read(args), seats.saved(args), wanted.read(args)
    if args.rounds is None and not saved:
        asked["limits"] = wanted.limits(wanted.rounds(args.policy), args.max_dollars)

    async def convene(streams: "Streams") -> "Convened":
        try:
            return await streams.convene(
                topic, panel or None, saved=saved or None, title=args.title, files=args.file,
                record=not args.off_record, then="close", **asked,
            )  # fmt: skip
        except Invalid as error:
            if error.field != "saved":
                raise
            raise Invalid(_no_panel(saved, args.off_record), field="panel") from error

    held = spoken.held(config, convene, record=not args.off_record, as_json=args.json)
    if not (panel or saved) and all(seat.model.startswith("scripted:") for seat in held.transcript.panel):
        console.tell(
            "these were scripted voices, for no model can be used here; `roundtable models` says why"
        )
    return spoken.ended(config, held, record=not args.off_record)


def _no_panel(name: str, off_record: bool) -> str:
    told = f"There is no panel {name[:60]!r}, and no model, which is provider:model."
    if off_record:
        return f"{told} Off the record, only the configuration's panels are known."
    return f"{told} `roundtable panels` lists those there are."


def _topic(argument: str) -> str:
    try:
        topic = sys.stdin.buffer.read().decode() if argument == "-" else argument.encode().decode()
    except UnicodeError as error:
        raise Invalid("The question is not valid UTF-8.", field="question") from error
    if not topic.strip():
        raise Invalid("There is no question. Put it in quotes, or pipe it in with -.", field="question")
    return topic
