"""`roundtable fork`: another future of a table, with changes: held in this terminal, or begun on its server."""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict, replace

from protocol.cursor import Cursor
from protocol.errors import Invalid
from protocol.messages import Limits, Panelist
from protocol.transcript import Transcript, apply
from roundtable.cli import arguments, remote, seats, wanted
from roundtable.cli import held as spoken
from roundtable.sdk import addresses

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands
    from roundtable.sdk.streams import Streams
    from roundtable.sdk.tables import Convened

_EXAMPLES = """\
examples:
  roundtable fork ID --ask "And if it fails?"    held here, as `ask` does
  roundtable fork ID --model Ada=openai:gpt-5.4 --model Ben=ollama:llama3.2
  roundtable fork ID --after 1763675000123-42 --order Ben,Ada --rounds 1
  roundtable fork http://127.0.0.1:8420/t/ID --policy council
  roundtable watch "$(roundtable fork URL --verdict)"

The fork begins with what was said up to --after, or with all of it; what is
not changed is as it was. A table under way goes on. An ID is looked up in
--data and the fork is held in this terminal; an address, or an ID with
--server, is forked there, and the fork's address printed.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "fork", _fork, "hold another future of a table", _EXAMPLES)
    arguments.add_settings(parser)
    parser.add_argument("--server", metavar="URL", help="where the ID is a table's")
    parser.add_argument("table", metavar="ID|URL", help="which table")
    parser.add_argument(
        "--after", metavar="CURSOR", type=arguments.cursor, help="the last entry that both have in common"
    )
    parser.add_argument(
        "--model",
        metavar="NAME=MODEL",
        type=seats.pair("NAME=MODEL", r"[^:]+:.+"),
        action="append",
        default=[],
        help="who speaks on for that seat; may be repeated",
    )
    parser.add_argument(
        "--order", metavar="NAME,...", default="", help="who sits there, in which order; others leave"
    )
    parser.add_argument("--ask", metavar="TEXT", default="", help="what is said first")
    parser.add_argument("--to", metavar="NAME", default="", help="the panelist it is put to")
    parser.add_argument("--topic", metavar="TEXT", help="another question in the first one's place")
    parser.add_argument("--title", metavar="TEXT", help="what the fork is called")
    wanted.add(parser)
    arguments.add_json(parser, "the entries of the fork's log, one JSON object a line; with a server its id")


def _fork(args: argparse.Namespace) -> int:
    if args.server or addresses.is_address(args.table):
        return asyncio.run(_there(args, addresses.table(args.table, args.server or addresses.HERE)))
    return _here(args)


async def _there(args: argparse.Namespace, place: addresses.Place) -> int:
    async with remote.client(place.server) as client:
        made = await client.fork(place.table, **await _changes(client, place.table, args))
    print(made.id if args.json else f"{place.server}/t/{made.id}")
    return 0


def _here(args: argparse.Namespace) -> int:
    config, before = arguments.settings(args), 0

    async def convene(streams: "Streams") -> "Convened":
        nonlocal before
        changes = await _changes(streams, args.table, args)
        made = await streams.fork(args.table, then="close", **changes)
        said = (await streams.transcript(made.id)).turns
        before = sum(turn.status == "completed" for turn in said)
        return made

    with remote.hinted():
        held = spoken.held(config, convene, as_json=args.json)
    return spoken.ended(config, held, before=before)


async def _changes(streams: "Streams", table: str, args: argparse.Namespace) -> dict[str, Any]:
    """What was typed, by the names that `Tables.fork` has. A limit that is not set anew stays."""
    if args.to and not args.ask:
        raise Invalid("--to is for what --ask says.", field="to")
    was = await _at(streams, table, args.after)
    changes = wanted.read(args)
    if changes["limits"] is not None:
        changes["limits"] = _merged(was.limits, changes["limits"])
    if args.model or args.order:
        there = [seat for seat in was.panel if seat.name not in was.removed]
        changes["panel"] = _reseated(there, args.model, args.order)
    return {
        **changes, "after": args.after, "message": args.ask, "to": args.to, "topic": args.topic, "title": args.title
    }  # fmt: skip


async def _at(streams: "Streams", table: str, after: Cursor | None) -> Transcript:
    """The table as it was after that entry."""
    found = await streams.transcript(table)
    if after is None or after.seq >= Cursor.parse(found.cursor).seq:
        return found
    found = Transcript()
    async with aclosing(streams.events(table)) as entries:
        async for entry in entries:
            apply(found, entry)
            if entry.cursor.seq >= after.seq:
                break
    return found


def _merged(was: Limits, asked: Limits) -> Limits:
    return replace(was, **{name: value for name, value in asdict(asked).items() if value is not None})


def _reseated(panel: list[Panelist], models: Sequence[tuple[str, str]], order: str) -> list[Panelist]:
    """With other models, and in the order asked for. Raises `Invalid` for a name that is not there."""
    by_name = {seat.name: seat for seat in panel}
    wanted = [name.strip() for name in order.split(",")] if order else list(by_name)
    for name in (*wanted, *(name for name, _ in models)):
        if name not in by_name:
            raise Invalid(f"Nobody here is called {name!r}; there is {', '.join(by_name)}.", field="panel")
    for name, model in models:
        by_name[name] = replace(by_name[name], model=model)
    return [by_name[name] for name in wanted]
