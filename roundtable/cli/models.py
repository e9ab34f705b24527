"""`roundtable models`: who can speak here."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from protocol import codec
from roundtable.cli import arguments, console
from roundtable.config import Config

if TYPE_CHECKING:
    from providers.catalog import Catalog
    from providers.survey import ProviderStatus
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable models
  roundtable models --json | jq -r '.[] | select(.usable).name'
"""


def add(commands: "Commands") -> None:
    """Its arguments."""
    summary = "show who can speak here, and what is missing for the others"
    parser = arguments.command(commands, "models", _models, summary, _EXAMPLES)
    arguments.add_settings(parser)
    arguments.add_json(parser, "for programs")


@asynccontextmanager
async def opened(config: Config) -> "AsyncIterator[Catalog]":
    """The catalog that a server would have."""
    from providers.catalog import Catalog  # noqa: PLC0415 - vendors' SDKs take a while

    catalog = Catalog(os.environ, config.providers, model_folders=config.model_folders)
    try:
        yield catalog
    finally:
        await catalog.close()


async def survey(config: Config) -> "list[ProviderStatus]":
    """What every provider says of itself, now."""
    async with opened(config) as catalog:
        return await catalog.survey()


def _models(args: argparse.Namespace) -> int:
    found = asyncio.run(survey(arguments.settings(args)))
    if args.json:
        print(codec.encode(found).decode())
        return 0
    rows = [("PROVIDER", "USABLE", "WHO SEES IT", "MODELS, OR WHAT IS MISSING")]
    for status in found:
        usable = "yes" if status.usable else "no"
        told = ", ".join(status.models) if status.usable else ""
        told = told or ". ".join(filter(None, (status.detail, status.hint)))
        rows.append((status.name, usable, status.destination, told))
    console.columns(rows)
    return 0
