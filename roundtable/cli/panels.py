"""`roundtable panels`: seats and how a table is held, kept under a name and convened by it."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from protocol import codec
from protocol.errors import Invalid
from protocol.messages import Panelist
from roundtable.cli import arguments, console, remote, seats, wanted
from roundtable.sdk import addresses

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands
    from roundtable.hosting.shown import Kept
    from roundtable.sdk.streams import Streams

_EXAMPLES = f"""\
examples:
  roundtable panels                              all there are
  roundtable panels save review --policy council --rounds 1 \\
      --seat Ada=openai:gpt-5.4 --seat Ben=ollama:llama3.2
  roundtable panels show review
  roundtable panels delete review
  roundtable panels --server http://127.0.0.1:8420
  roundtable ask --panel review "Shall we ship on Friday?"

{seats.EXAMPLES}
They are kept where tables are: in --data, or on the --server that has it open.
Those of the configuration ([panels.NAME]) are listed too, and changed there.
"""
_LIMITS = {
    "max_rounds": "rounds",
    "max_turns": "turns",
    "max_tokens": "tokens",
    "max_seconds": "seconds",
    "max_dollars": "dollars",
}


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "panels", _panels, "keep panels under a name", _EXAMPLES)
    arguments.add_settings(parser)
    parser.add_argument("--server", metavar="URL", help="ask a server instead")
    parser.add_argument("do", metavar="DO", nargs="?", choices=_DO, default="list", help=", ".join(_DO))
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="which")
    seats.add(parser, "who sits there, as provider:model,...")
    wanted.add(parser)
    arguments.add_json(parser, "for programs")


def _panels(args: argparse.Namespace) -> int:
    if (args.do == "list") == bool(args.name):
        needs = "takes no name" if args.name else "needs a name"
        raise Invalid(f"`roundtable panels {args.do}` {needs}.", field="name")
    with remote.hinted():
        return asyncio.run(_done(args))


async def _done(args: argparse.Namespace) -> int:
    async with _opened(args) as streams:
        await _DO[args.do](streams, args)
    return 0


@asynccontextmanager
async def _opened(args: argparse.Namespace) -> "AsyncIterator[Streams]":
    if args.server:
        async with remote.client(addresses.server(args.server)) as client:
            yield client
        return
    from roundtable.sdk.local import local  # noqa: PLC0415 - vendors' SDKs take a while

    config = arguments.settings(args)
    async with local(config.data, config=config, take_over=False) as streams:
        yield streams


async def _list(streams: "Streams", args: argparse.Namespace) -> None:
    kept = await streams.panels()
    if args.json:
        print(codec.encode(kept).decode())
    elif not kept:
        console.tell("no panel is kept here; `roundtable panels save NAME --seat ...` keeps one")
    else:
        rows = [(each.name, each.source, each.policy, _names(each)) for each in kept]
        console.columns([("NAME", "FROM", "POLICY", "SEATS"), *rows])


async def _show(streams: "Streams", args: argparse.Namespace) -> None:
    _print(await streams.panel(args.name), args)


async def _save(streams: "Streams", args: argparse.Namespace) -> None:
    panel = seats.read(args)
    if not panel:
        raise Invalid("A panel has seats: name them with --seat, or --panel provider:model,...", field="seat")
    _print(await streams.save_panel(args.name, panel, **wanted.read(args)), args)


async def _delete(streams: "Streams", args: argparse.Namespace) -> None:
    await streams.delete_panel(args.name)
    console.tell(f"the panel {args.name} is deleted; its tables stay as they are")


_DO = {"list": _list, "save": _save, "show": _show, "delete": _delete}


def _print(kept: "Kept", args: argparse.Namespace) -> None:
    if args.json:
        print(codec.encode(kept).decode())
        return
    limits = [f"{value:g} {_LIMITS[name]}" for name, value in _set(kept.limits)]
    verdict = {None: "as the policy has it", True: "yes", False: "no"}[kept.verdict]
    print(
        f"{kept.name}: {kept.policy}, {', '.join(limits) or 'no limits'}, then {kept.then}; verdict: {verdict}"
    )
    if kept.until is not None:
        until = [name if value is True else f"{name}={value:g}" for name, value in _set(kept.until)]
        print(f"until: {', '.join(until) or 'none'}")
    console.columns([_seat(seat) for seat in kept.panel])


def _seat(seat: Panelist) -> tuple[str, ...]:
    models = ", ".join((seat.model, *seat.fallback))
    return (
        f"  {seat.name}",
        seat.role or "panelist",
        models,
        console.printable(" ".join(seat.persona.split())),
    )


def _set(struct: msgspec.Struct) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in msgspec.structs.asdict(struct).items() if value]


def _names(kept: "Kept") -> str:
    return ", ".join(f"{seat.name} ({seat.role})" if seat.role else seat.name for seat in kept.panel)
