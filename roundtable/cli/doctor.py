"""`roundtable doctor`: what is set, what works, and how to mend what does not."""

import argparse
import asyncio
import logging
import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from protocol import codec
from protocol.errors import Invalid
from roundtable.cli import arguments, console
from roundtable.cli.finding import Finding
from roundtable.cli.terminal import MEASURE
from roundtable.config import Config

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable doctor                               with what `serve` would use
  roundtable doctor --config roundtable.toml --redis redis://localhost
  roundtable doctor --json | jq '.[] | select(.state != "ok")'

Exit code 1 when something must be mended; a warning is none. No secret is
shown, and no vendor is called.
"""
_COLOURS = {"ok": "32", "warning": "33", "wrong": "1;31"}
_MARKS = {"ok": "ok", "warning": "warn", "wrong": "WRONG"}
# What would be logged of a trouble is a finding here.
_UNHEARD = logging.NullHandler()
# Columns of the first two words.
_WHAT, _STATE = 12, 7


def add(commands: "Commands") -> None:
    """Its arguments."""
    summary = "look whether everything is as it should be, and say how to mend it"
    parser = arguments.command(commands, "doctor", _doctor, summary, _EXAMPLES)
    arguments.add_settings(parser)
    arguments.add_redis(parser)
    arguments.add_json(parser, "for programs")


def _doctor(args: argparse.Namespace) -> int:
    logging.getLogger("roundtable").addHandler(_UNHEARD)
    findings = asyncio.run(_examine(args))
    if args.json:
        print(codec.encode(findings).decode())
    else:
        _show(findings)
    return console.FAILED if any(each.state == "wrong" for each in findings) else 0


async def _examine(args: argparse.Namespace) -> list[Finding]:
    from roundtable.cli import checks, store_checks  # noqa: PLC0415 - they import what they look at

    config, settings = _settings(args)
    findings = [checks.program(), settings]
    if config.redis:
        findings.append(await store_checks.redis(config))
    else:
        findings += await asyncio.to_thread(lambda: list(store_checks.directory(config.data)))
    findings += [checks.page(), checks.door(config), checks.port(config), checks.open_files(config)]
    findings += await checks.models(config) + checks.model_folders(config)
    findings += await checks.panels(config) + await checks.tool_servers(config)
    findings += await checks.embeddings(config)
    return findings + checks.packages()


def _settings(args: argparse.Namespace) -> tuple[Config, Finding]:
    """What is set; with a setting that is wrong, what holds without the file."""
    try:
        config = arguments.settings(args, redis=args.redis)
    except Invalid as error:
        args.config = None
        return arguments.settings(args, redis=args.redis), Finding(
            "settings", "wrong", error.detail, "What follows is without that file."
        )
    set_by = [f"{args.config}"] if args.config else []
    set_by += [
        name for name in ("ROUNDTABLE_DATA", "ROUNDTABLE_REDIS", "ROUNDTABLE_SECRET") if os.environ.get(name)
    ]
    return config, Finding("settings", "ok", f"from {', '.join(set_by)}" if set_by else "as they come")


def _show(findings: list[Finding]) -> None:
    out = sys.stdout
    coloured = out.isatty() and not os.environ.get("NO_COLOR")
    width = max(40, min(shutil.get_terminal_size().columns, MEASURE)) if out.isatty() else MEASURE
    for each in findings:
        mark = _MARKS[each.state].ljust(_STATE)
        if coloured:
            mark = f"\x1b[{_COLOURS[each.state]}m{mark}\x1b[0m"
        lines = textwrap.wrap(console.printable(each.detail), width - _WHAT - _STATE, break_on_hyphens=False)
        hints = textwrap.wrap(console.printable(each.hint), width - _WHAT - _STATE, break_on_hyphens=False)
        print(f"{each.what.ljust(_WHAT)}{mark}{lines[0] if lines else ''}")
        for line in [*lines[1:], *hints]:
            print(f"{' ' * (_WHAT + _STATE)}{line}")
    print()
    print(_verdict(findings))


def _verdict(findings: list[Finding]) -> str:
    wrong = sum(each.state == "wrong" for each in findings)
    warnings = sum(each.state == "warning" for each in findings)
    if not wrong and not warnings:
        return "All is well."
    told = [f"{wrong} to be mended"] if wrong else []
    return ", ".join([*told, *([f"{warnings} to look at"] if warnings else [])]).capitalize() + "."
