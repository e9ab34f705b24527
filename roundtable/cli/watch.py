"""`roundtable watch`: a table on a server as it happens. Who leaves changes nothing at the table."""

import argparse
import asyncio
from typing import TYPE_CHECKING

from protocol import codec
from protocol.cursor import ZERO, Cursor
from protocol.errors import NotFound
from roundtable import exporting
from roundtable.cli import arguments, console, remote
from roundtable.sdk import addresses
from roundtable.sdk.following import Reset

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands
    from roundtable.client import Client
    from roundtable.log.base import Record
    from roundtable.sdk.addresses import Place

_EXAMPLES = """\
examples:
  roundtable watch http://127.0.0.1:8420/t/ID    the page's address
  roundtable watch ID --after now                what comes from here on
  ROUNDTABLE_SECRET=... roundtable watch https://example.org/t/ID
  roundtable watch ID --json | jq -r 'select(.type=="turn.completed").text'

A lost connection is made again, and goes on where it was. Ctrl-C leaves; the
table goes on.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "watch", _watch, "show a table on a server as it happens", _EXAMPLES)
    parser.add_argument("table", metavar="URL", help="the table's address, or its id")
    remote.add_server(parser)
    parser.add_argument(
        "--after",
        metavar="CURSOR",
        type=_after,
        default=ZERO,
        help="go on after this entry; now: what comes from here on",
    )
    arguments.add_json(parser, "the entries of the log, one JSON object a line")


def _after(text: str) -> Cursor | None:
    return None if text == "now" else arguments.cursor(text)


def _watch(args: argparse.Namespace) -> int:
    place = addresses.table(args.table, args.server)
    watching = _Watching(place, as_json=args.json)
    try:
        asyncio.run(watching.run(args.after))
    except KeyboardInterrupt:
        watching.left()
        return console.INTERRUPTED
    return 0


class _Watching:
    """One table on the screen, over resets."""

    def __init__(self, place: "Place", *, as_json: bool) -> None:
        self._place, self._as_json = place, as_json
        self._terminal = console.terminal()
        self._at = ""

    async def run(self, after: Cursor | None) -> None:
        """Show it to its end."""
        async with remote.client(self._place.server, self._link) as client:
            while True:
                try:
                    async for record in client.records(self._place.table, after):
                        self._show(record)
                    break
                except Reset as reset:
                    self._reset(reset)
                    after = ZERO
            await self._spent(client)

    def left(self) -> None:
        """What to say to who leaves."""
        self._terminal.end()
        after = ["--after", self._at] if self._at else []
        url = f"{self._place.server}/t/{self._place.table}"
        console.tell(f"you left, the table goes on; come back with {remote.again('watch', url, *after)}")

    def _show(self, record: "Record") -> None:
        self._at = str(record.cursor)
        if self._as_json:
            print(exporting.line(record).decode(), flush=True)
        else:
            self._terminal.show(codec.decode_body(*record).event)

    def _reset(self, reset: "Reset") -> None:
        if self._as_json:
            told = {"type": "reset", "reason": reset.reason, "cursor": str(reset.cursor)}
            print(codec.encode(told).decode(), flush=True)
        else:
            self._terminal.end()
            console.tell("the log no longer has what was shown; the table as it stands, from the start:")
            self._terminal = console.terminal()

    async def _spent(self, client: "Client") -> None:
        try:
            spent = (await client.transcript(self._place.table)).spent
        except NotFound:
            console.tell("the table was deleted.")
            return
        if not self._as_json:
            self._terminal.spent(spent)

    def _link(self, why: str) -> None:
        self._terminal.end()
        console.tell(f"{why} Trying again." if why else "connected again.")
