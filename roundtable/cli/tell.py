"""`roundtable tell`: one command to a table on a server, and what came of it."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from protocol import codec, commands
from protocol.errors import Invalid
from protocol.messages import Limits
from roundtable.cli import arguments, console, remote
from roundtable.sdk import addresses

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands
    from roundtable.client import Client
    from roundtable.sdk.tables import Outcome

    _Do = Callable[[Client], Awaitable[Outcome]]

_EXAMPLES = """\
examples:
  roundtable tell URL say "But why?" --to Ada
  roundtable tell ID barge_in "One moment." --author Rosa
  roundtable tell ID mute Ada               and unmute, skip, remove
  roundtable tell ID add Dag ollama:llama3.2 --persona "A cook."
  roundtable tell ID swap Ada Ada openai:gpt-5.1
  roundtable tell ID extend max_rounds=6 max_dollars=2
  roundtable tell ID put report.pdf         a file, for all to read
  roundtable tell ID retry t7               and cancel
  roundtable tell ID verdict                and pause, resume, close, title,
                                            raise_hand, lower_hand
"""
_KINDS: dict[str, type[commands.Command]] = {
    str(kind.__struct_config__.tag): kind for kind in commands.ANY.__args__
}
# Not a command of the table's: the file is sent, and what is in it is told by who reads it there.
_PUT = "put"


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "tell", _tell, "steer a table on a server", _EXAMPLES)
    parser.add_argument("table", metavar="URL", help="the table's address, or its id")
    known = (*_KINDS, _PUT)
    parser.add_argument("command", metavar="COMMAND", choices=known, help=", ".join(known))
    parser.add_argument("words", metavar="WORD", nargs="*", help="what it is about")
    for name, summary in (("to", "the panelist it is put to"), ("author", "under whose name"),
                          ("persona", "what the new seat is told to be")):  # fmt: skip
        parser.add_argument(f"--{name}", metavar="TEXT", help=summary)
    remote.add_server(parser)
    arguments.add_json(parser, "the entry that is its effect, as JSON")


def _tell(args: argparse.Namespace) -> int:
    place = addresses.table(args.table, args.server)
    if args.command == _PUT:
        file, author = _file(args), args.author or ""
        return asyncio.run(_send(place, lambda client: client.put(place.table, file, author=author), args))
    told = command(args)
    return asyncio.run(_send(place, lambda client: client.command(place.table, told), args))


async def _send(place: addresses.Place, do: "_Do", args: argparse.Namespace) -> int:
    async with remote.client(place.server) as client:
        entry = (await do(client)).entry
    if entry is None:
        console.tell("accepted; the table comes to it in a moment")
    elif args.json:
        print(codec.message(entry.cursor, codec.encode_body(entry.event, entry.at)).decode())
    else:
        console.tell(f"done: {codec.event_type(entry.event)} at {entry.cursor}")
    return 0


def _file(args: argparse.Namespace) -> str:
    if len(args.words) != 1 or args.to is not None:
        raise Invalid("put takes one file, and is put to nobody.", field="words")
    return str(args.words[0])


def command(args: argparse.Namespace) -> commands.ANY:
    """What was typed: words fill what the command is about in order, a seat taking two. Raises `Invalid`."""
    words = iter(args.words)
    fields = msgspec.structs.fields(_KINDS[args.command])
    members = {field.name: _member(field.name, words, args) for field in fields}
    if left := list(words):
        raise Invalid(f"{args.command} takes no {left[0]!r}.", field="words")
    given = {name: value for name, value in members.items() if value is not None}
    if (args.to is not None and "to" not in given) or (args.author is not None and "author" not in given):
        raise Invalid(f"{args.command} is put to nobody and has no author.", field="words")
    try:
        return codec.decode_command(codec.encode({"type": args.command, **given}))
    except Invalid as error:
        raise Invalid(_plain(error, args.command), field=error.field) from error


def _plain(error: Invalid, command: str) -> str:
    """What is wrong in the words of who typed it, where a decoder speaks of objects and fields."""
    member = error.field.rpartition(".")[2]
    if "missing required" in error.detail:
        return f"{command} needs its {member}; `roundtable tell --help` has examples."
    if error.field.startswith("limits.") and "unknown field" in error.detail:
        names = ", ".join(field.name for field in msgspec.structs.fields(Limits))
        return f"There is no limit {member!r}; there is {names}."
    return error.detail


def _member(name: str, words: Iterator[str], args: argparse.Namespace) -> Any:
    match name:
        case "to" | "author":
            return getattr(args, name)
        case "seat":
            seat = {"name": next(words, None), "model": next(words, None), "persona": args.persona}
            return {key: value for key, value in seat.items() if value is not None}
        case "limits":
            return dict(map(_limit, words))
        case _:
            return next(words, None)


def _limit(word: str) -> tuple[str, Any]:
    name, _, value = word.partition("=")
    try:
        return name, msgspec.json.decode(value)
    except codec.UNREADABLE as error:
        raise Invalid(f"{word!r} is not LIMIT=NUMBER, such as max_rounds=6.", field="limits") from error
