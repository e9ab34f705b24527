"""`roundtable serve`: the tables for browsers and programs, until it is told to stop."""

import argparse
import asyncio
import logging
import os
import re
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

from protocol.errors import Invalid
from roundtable.cli import arguments

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable serve --open            on this machine, and show the lobby
  roundtable serve --port 0 --data /srv/tables
                                     a free port; keep the tables there
  ROUNDTABLE_SECRET=... roundtable serve --host 0.0.0.0
                                     for others, who need the secret
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "serve", _serve, "serve tables to browsers and programs", _EXAMPLES)
    arguments.add_settings(parser)
    parser.add_argument("--host", help="address to listen on; others than loopback need ROUNDTABLE_SECRET")
    parser.add_argument("--port", type=int, help="0 picks a free one (default: 8420)")
    parser.add_argument("--redis", metavar="URL", help="not in this version yet")
    parser.add_argument(
        "--workers", metavar="N", type=int, default=1, help="processes; above 1 needs --redis"
    )
    parser.add_argument("--open", action="store_true", help="show the lobby in a browser")


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
    config = arguments.settings(args, host=args.host, port=args.port)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("roundtable").setLevel(logging.INFO)

    def listening(url: str) -> None:
        print(f"listening on {url}", flush=True)
        if args.open:
            _open(url)

    from roundtable.edge.app import serve  # noqa: PLC0415 - the web framework takes a while

    asyncio.run(serve(config, listening))
    return 0


def _open(url: str) -> None:
    """Show the lobby, if there is a screen; a browser in the terminal would take it over."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    here = re.sub(r"//(0\.0\.0\.0|\[::\])", "//127.0.0.1", url)
    threading.Thread(target=webbrowser.open, args=(here,), daemon=True).start()
