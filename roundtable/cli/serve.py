"""`roundtable serve`: the tables for browsers and programs, until it is told to stop."""

import argparse
import asyncio
import logging
import os
import re
import sys
import threading
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.errors import Invalid
from roundtable.cli import arguments, journal
from roundtable.cli.console import FAILED
from roundtable.config import Config
from roundtable.workers import LISTENING, CannotStart, Workers, reserve

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable serve --open            on this machine, and show the lobby
  roundtable serve --port 0 --data /srv/tables
                                     a free port; keep the tables there
  roundtable serve --config roundtable.toml
                                     with settings; the README lists them
  ROUNDTABLE_SECRET=... roundtable serve --host 0.0.0.0
                                     for others, who need the secret
  roundtable serve --redis unix:///run/redis.sock --workers 4
                                     many processes, here or elsewhere

An OpenAI client's base URL is http://HOST:PORT/v1; /openapi.json says what else
there is.

With --redis the tables are kept there, any node serves any of them, and when
one dies another goes on. A URL with a password is better set as
ROUNDTABLE_REDIS, where no list of processes shows it.
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    parser = arguments.command(commands, "serve", _serve, "serve tables to browsers and programs", _EXAMPLES)
    arguments.add_settings(parser)
    parser.add_argument("--host", help="address to listen on; others than loopback need ROUNDTABLE_SECRET")
    parser.add_argument("--port", type=int, help="0 picks a free one (default: 8420)")
    arguments.add_redis(parser)
    arguments.add_volatile(parser)
    parser.add_argument(
        "--workers",
        metavar="N",
        type=int,
        default=1,
        help="processes that share the port; above 1 needs --redis",
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)  # this is one of them
    parser.add_argument("--open", action="store_true", help="show the lobby in a browser")


def _serve(args: argparse.Namespace) -> int:
    config = arguments.settings(
        args, host=args.host, port=args.port, redis=args.redis, redis_volatile=args.redis_volatile
    )
    if args.workers < 1:
        raise Invalid("--workers is at least 1.", field="workers")
    if args.workers > 1 and not config.redis:
        raise Invalid(
            "--workers above 1 needs --redis: a data directory belongs to one process.", field="workers"
        )
    journal.begin("%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("roundtable").setLevel(logging.INFO)
    # Standard error on a full disk is no reason to write a traceback per line.
    logging.raiseExceptions = False

    def listening(url: str) -> None:
        print(f"{LISTENING}{url}", flush=True)
        if args.open:
            _open(url)

    if args.workers > 1:
        return _serve_by_workers(args, config, listening)
    from roundtable.edge.server import serve  # noqa: PLC0415 - the web framework takes a while

    asyncio.run(serve(config, listening, worker=args.worker))
    return 0


def _serve_by_workers(args: argparse.Namespace, config: Config, listening: Callable[[str], None]) -> int:
    with reserve(config.host, config.port) as held:
        port = held.getsockname()[1]
        command = [sys.executable, "-m", "roundtable.cli", "serve", "--worker", "--port", str(port)]
        for flag in ("host", "data", "config"):
            if getattr(args, flag) is not None:
                command += [f"--{flag}", str(getattr(args, flag))]
        if config.redis_volatile:
            command.append("--redis-volatile")
        os.environ["ROUNDTABLE_REDIS"] = config.redis  # an argument could be read by everyone on the machine
        try:
            asyncio.run(Workers(command, args.workers).run(listening))
        except CannotStart as error:
            return error.code if error.code > 0 else FAILED
    return 0


def _open(url: str) -> None:
    """Show the lobby, if there is a screen; a browser in the terminal would take it over."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    here = re.sub(r"//(0\.0\.0\.0|\[::\])", "//127.0.0.1", url)
    threading.Thread(target=webbrowser.open, args=(here,), daemon=True).start()
