"""`roundtable policies`: the ways to hold a table, and what each is for."""

import argparse
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

import msgspec

from protocol import codec
from protocol.messages import Until
from roundtable import policies
from roundtable.cli import arguments
from roundtable.policies import TurnPolicy

if TYPE_CHECKING:
    from roundtable.cli.arguments import Commands

_EXAMPLES = """\
examples:
  roundtable policies
  roundtable ask --policy debate "This house prefers tabs."
  roundtable policies --json | jq -r '.[] | select(.verdict).name'

Those of installed packages are listed last.
"""


class _Line(msgspec.Struct):
    name: str
    title: str
    summary: str
    least: int
    verdict: bool
    until: Until


def add(commands: "Commands") -> None:
    """Its arguments."""
    summary = "show how a table can be held, and what for"
    parser = arguments.command(commands, "policies", _policies, summary, _EXAMPLES)
    arguments.add_json(parser, "for programs")


def _policies(args: argparse.Namespace) -> int:
    found = [_line(policy) for name, policy in policies.available().items() if name != policies.REPLY]
    if args.json:
        print(codec.encode(found).decode())
        return 0
    width = min(80, shutil.get_terminal_size().columns) - 1
    for line in found:
        print(f"{line.name}  ({line.title})")
        for text in filter(None, (line.summary, _facts(line))):
            print(textwrap.fill(text, width, initial_indent="  ", subsequent_indent="  "))
    return 0


def _line(policy: TurnPolicy) -> _Line:
    name = policy.name
    return _Line(
        name, policy.title, policy.summary, policies.least(name), policies.concludes(name), policies.until(name)
    )  # fmt: skip


def _facts(line: _Line) -> str:
    set_: dict[str, Any] = msgspec.structs.asdict(line.until)
    until = [name if value is True else f"{name}={value:g}" for name, value in set_.items() if value]
    told = (
        f"Takes {line.least} panelists or more." if line.least > 1 else "",
        "Comes to a verdict." if line.verdict else "",
        f"Until {', '.join(until)}." if until else "",
    )
    return " ".join(filter(None, told))
