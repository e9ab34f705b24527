"""Commands that talk to a server: its address, the secret, and what to do when it asks for one."""

import argparse
import os
import shlex
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from protocol.errors import CallerError, LogUnavailable
from providers.presets import is_loopback
from roundtable.cli import console
from roundtable.sdk import addresses

if TYPE_CHECKING:
    from roundtable.client import Client


def add_server(parser: argparse.ArgumentParser) -> None:
    """`--server`, for those who name a table by its id."""
    parser.add_argument(
        "--server", metavar="URL", default=addresses.HERE, help=f"(default: {addresses.HERE})"
    )


@asynccontextmanager
async def client(server: str, link: Callable[[str], None] = lambda _: None) -> "AsyncIterator[Client]":
    """A client with the secret of ROUNDTABLE_SECRET: an argument would stand in the list of processes."""
    from roundtable.client import Client  # noqa: PLC0415 - aiohttp takes a while

    secret = os.environ.get("ROUNDTABLE_SECRET", "")
    if secret and server.startswith("http:") and not is_loopback(server):
        host = urlsplit(server).hostname
        console.tell(f"the secret goes to {host} unencrypted; use https:// where the server has it")
    try:
        async with Client(server, secret=secret, patience=None, link=link) as made:
            yield made
    except CallerError as error:
        if error.code == "unauthorized" and not secret:
            raise CallerError(
                "This server asks for its secret: set ROUNDTABLE_SECRET.", code=error.code
            ) from error
        raise


@contextmanager
def hinted() -> Iterator[None]:
    """For commands that work on a data directory, or on the server that has it open: say so where one has."""
    try:
        yield
    except LogUnavailable as error:
        if error.code != "log_in_use":
            raise
        raise LogUnavailable(
            f"{error.detail} A server is asked with --server URL.", code=error.code
        ) from error


def again(*words: str) -> str:
    """A command to be typed."""
    return f"`roundtable {shlex.join(words)}`"
