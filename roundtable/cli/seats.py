"""Who sits at a table, as typed: models, named seats, and what else is said of a seat by its name."""

import argparse
import re
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from protocol.errors import Invalid
from protocol.messages import Panelist

EXAMPLES = """\
seats:
  --seat Ada=openai:gpt-5.4 --seat Ben=ollama:llama3.2
  --fallback Ada=openai:gpt-5.1            who speaks when her model cannot
  --persona "Ben=A cook who has seen it all."
  --role Cleo=chair                        writes the verdict, and nothing else
  --role Dag=moderator                     gives the floor (--policy moderated)
  --tool "Ada=files.*"                     of an MCP server that is configured
"""
_Pair = tuple[str, str]


def add(parser: argparse.ArgumentParser, panel: str) -> None:
    """Its arguments; `panel` says what `--panel` takes."""
    parser.add_argument("--panel", metavar="MODEL,...", default="", help=panel)
    for name, what, summary in (
        ("seat", "MODEL", "one seat; may be repeated, as the next four"),
        ("persona", "TEXT", "what that seat is told to be"),
        ("role", "ROLE", "what that seat does only: chair or moderator"),
        ("fallback", "MODEL", "who speaks for that seat when its model cannot"),
        ("tool", "SERVER.TOOL", "what that seat may use"),
    ):
        kind = pair(f"NAME={what}", r"[^:]+:.+" if what == "MODEL" else r".+")
        parser.add_argument(
            f"--{name}", metavar=f"NAME={what}", type=kind, action="append", default=[], help=summary
        )


def saved(args: argparse.Namespace) -> str:
    """The name of a kept panel, where `--panel` is one and no model. Raises `Invalid` when there are seats as well."""
    name: str = "" if ":" in args.panel else args.panel.strip()
    if name and any((args.seat, args.persona, args.role, args.fallback, args.tool)):
        raise Invalid(f"The panel {name!r} has its seats; leave --panel out to name others.", field="panel")
    return name


def read(args: argparse.Namespace) -> list[Panelist]:
    """The seats that were typed, in order. Raises `Invalid` for what is said of a seat that is not there."""
    panel = [Panelist(name, model) for name, model in (*args.seat, *_named(args.panel))]
    for member, given in (("persona", args.persona), ("role", args.role)):
        for name, value in given:
            seat = _place(panel, name, member)
            panel[seat] = replace(panel[seat], **{member: value})
    for member, given in (("fallback", args.fallback), ("tools", args.tool)):
        for name, value in given:
            seat = _place(panel, name, member)
            panel[seat] = replace(panel[seat], **{member: [*getattr(panel[seat], member), value]})
    for role in (seat.role for seat in panel):
        if role not in ("", "chair", "moderator"):
            raise Invalid(f"{role!r} is no role; there is chair and moderator.", field="role")
    return panel


def _place(panel: list[Panelist], name: str, member: str) -> int:
    names = [seat.name for seat in panel]
    if name not in names:
        there = ", ".join(names) or "nobody; name seats with --seat"
        raise Invalid(f"There is no seat {name!r}; there is {there}.", field=member)
    return names.index(name)


def _named(models: str) -> Iterator[_Pair]:
    """Seats named after their models, as far as names allow; twice the same model is numbered."""
    taken: dict[str, int] = {}
    for model in filter(None, models.split(",") if ":" in models else ()):
        short = model.partition(":")[2].rpartition("/")[2]
        base = re.sub(r"[^\w. -]+", " ", short).strip()[:36] or model[:36]
        taken[base] = taken.get(base, 0) + 1
        yield (f"{base} #{taken[base]}" if taken[base] > 1 else base), model


def pair(form: str, value: str) -> Callable[[str], _Pair]:
    """The type of an argument in that `form`, whose value is as the pattern has it."""

    def read(text: str) -> _Pair:
        name, equals, rest = text.partition("=")
        if not equals or not name.strip() or not re.fullmatch(value, rest.strip(), re.DOTALL):
            hint = ", such as Ada=openai:gpt-5.4" if form.endswith("MODEL") else ""
            raise argparse.ArgumentTypeError(
                f"{text!r} is not {form.replace('MODEL', 'provider:model')}{hint}"
            )
        return name.strip(), rest.strip()

    return read
