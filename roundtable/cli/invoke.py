"""`roundtable invoke`: a tool or a model on a server, step by step as it runs. Who leaves ends it."""

import argparse
import asyncio
import shutil
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from protocol import codec
from protocol.errors import Invalid
from roundtable.cli import arguments, console, offered, remote

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands
    from roundtable.client import Event

_EXAMPLES = """\
examples:
  roundtable invoke --list           what there is, and its arguments
  roundtable invoke panelist/ollama:llama3.2 --arg prompt="Tabs or spaces?"
  roundtable invoke vector_markov --arg steps=1000 --arg dim=16
  roundtable invoke complete --args '{"model": "scripted:x", "prompt": "Why?"}'
  roundtable invoke vector_markov --arg seed=7 --json | jq .entropy
  roundtable invoke invocation/ID    one that runs already; Ctrl-C leaves it

A lost connection is made again, and goes on where it was. Ctrl-C ends what was
begun here. A value is JSON where it can be read as such, else text. What is
told beside the steps (such as entropy) is shown with --json.
"""
# By kind of address, what is asked of it.
_TYPES = {"tool": "run", "panelist": "complete", "invocation": "follow"}


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "invoke", _invoke, "run a tool or a model on a server", _EXAMPLES)
    parser.add_argument("address", nargs="?", help="tool/NAME or NAME, panelist/MODEL, invocation/ID")
    parser.add_argument("--list", action="store_true", help="show the server's tools and their arguments")
    remote.add_server(parser)
    parser.add_argument(
        "--arg", metavar="NAME=VALUE", type=_arg, action="append", default=[], help="one argument"
    )
    parser.add_argument("--args", metavar="JSON", type=_args, default={}, help="all arguments as one object")
    arguments.add_json(parser, "what happens, one JSON object a line")


def _arg(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE, such as steps=1000")
    try:
        return name, msgspec.json.decode(value)
    except codec.UNREADABLE:
        return name, value


def _args(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except codec.UNREADABLE as error:
        raise argparse.ArgumentTypeError(f"no JSON object: {error}") from error


def _invoke(args: argparse.Namespace) -> int:
    if args.list:
        return asyncio.run(_list(args))
    if not args.address:
        raise Invalid("Name what to invoke; `roundtable invoke --list` shows what there is.", field="address")
    address = args.address if "/" in args.address else f"tool/{args.address}"
    kind, _, name = address.partition("/")
    if kind == "roundtable" and name:
        raise Invalid(f"A table is followed by {remote.again('watch', name)}.", field="address")
    if kind not in _TYPES or not name:
        known = "tool/NAME, panelist/MODEL or invocation/ID; `--list` shows the tools"
        raise Invalid(f"{address[:60]!r} cannot be invoked: an address is {known}.", field="address")
    try:
        return asyncio.run(_run(args, address, _TYPES[kind]))
    except Invalid as error:
        name = error.field.removeprefix("args.")
        if name == error.field or name in error.detail:
            raise
        raise Invalid(f"{name}: {error.detail}", field=error.field) from error


async def _list(args: argparse.Namespace) -> int:
    async with remote.client(args.server) as client:
        tools = await client.tools()
    for line in offered.lines(tools) if not args.json else map(_json, tools):
        print(line)
    return 0


def _json(value: Any) -> str:
    return codec.encode(value).decode()


async def _run(args: argparse.Namespace, address: str, type: str) -> int:
    showing = _Lines() if args.json else _Showing()

    def link(why: str) -> None:
        showing.end()
        console.tell(f"{why} Trying again." if why else "connected again.")

    async with (
        remote.client(args.server, link) as client,
        aclosing(client.stream(address, type, args.args | dict(args.arg))) as events,
    ):
        last = ""
        async for event in events:
            showing.show(event)
            last = event.type
    showing.end()
    return 0 if last == "converge" else console.FAILED


class _Lines:
    """Everything, for machines."""

    def show(self, event: "Event") -> None:
        head = {"cursor": str(event.cursor), "type": event.type, "at": event.at}
        print(_json({**head, **event.data}), flush=True)

    def end(self) -> None:
        """A line is always whole."""


class _Showing:
    """Words as they come; a step without words in one line; how it ended on stderr."""

    def __init__(self) -> None:
        self._open = self._spoke = False
        self._width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def show(self, event: "Event") -> None:
        match event.type:
            case "step" if event.text:
                print(console.printable(event.text), end="", flush=True)
                self._open = self._spoke = True
            case "step":
                self._line(_json(event.data))
            case "converge":
                if not self._spoke:
                    self._line(_json(event.data["final"]), whole=True)
                self._told(f"done ({event.data['reason']}).")
            case "error":
                self._told(f"it failed: {event.data['detail']}")
            case "cancelled":
                self._told(f"it was cancelled ({event.data['reason']}).")
            case "queued":
                self._told("it waits for its turn.")
            case _:
                pass  # what was asked, pauses, and numbers beside the steps

    def end(self) -> None:
        """Finish the line that is open."""
        if self._open:
            print(flush=True)
            self._open = False

    def _line(self, text: str, *, whole: bool = False) -> None:
        self.end()
        print(text if whole else text[: self._width], flush=True)

    def _told(self, text: str) -> None:
        self.end()
        console.tell(text)
