"""How a command line is taken apart: a command's parser, and the arguments that several commands share."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol.cursor import Cursor
from protocol.errors import Invalid
from roundtable.config import Config, load

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

Run = Callable[[argparse.Namespace], int]


def command(
    commands: "Commands", name: str, run: Run, summary: str, examples: str = ""
) -> argparse.ArgumentParser:
    """The parser of one more command; `run` does it and returns the exit code."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_settings(parser: argparse.ArgumentParser) -> None:
    """`--data` and `--config`, which `settings` reads."""
    parser.add_argument(
        "--data", metavar="DIR", help="where tables are kept (default: ~/.local/share/roundtable)"
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings in TOML")


def settings(args: argparse.Namespace, **flags: Any) -> Config:
    """What is set, flags first. Raises `Invalid` naming the key."""
    return load(args.config, {"data": args.data, **flags}, os.environ)


def add_redis(parser: argparse.ArgumentParser) -> None:
    """`--redis`, for `settings`."""
    parser.add_argument("--redis", metavar="URL", help="tables are there: redis://, rediss:// or unix://")


def add_volatile(parser: argparse.ArgumentParser) -> None:
    """`--redis-volatile`, for those who write there."""
    parser.add_argument(
        "--redis-volatile",
        action="store_true",
        default=None,
        help="accept a Redis that may lose what it is given (appendonly no)",
    )


def add_json(parser: argparse.ArgumentParser, summary: str) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help=summary)


def cursor(text: str) -> Cursor:
    """The type of an argument that is a cursor."""
    try:
        return Cursor.parse(text)
    except Invalid as error:
        raise argparse.ArgumentTypeError(error.detail) from error
