"""What a server has to invoke, and with which arguments, for a person who asks `roundtable invoke --list`."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from protocol import codec
from roundtable.cli import console


def lines(tools: list[dict[str, Any]]) -> Iterator[str]:
    """Each tool with its summary and, below, its arguments; then how else a model is asked."""
    width = shutil.get_terminal_size().columns - 1
    for tool in tools:
        yield console.printable(str(tool.get("name", "")))
        for text in (str(tool.get("summary", "")), ", ".join(_arguments(tool.get("args")))):
            yield from textwrap.wrap(
                console.printable(text), width, initial_indent="  ", subsequent_indent="  "
            )
    yield "panelist/PROVIDER:MODEL"
    yield "  One model, with the arguments of `complete`; `roundtable models` names them."


def _arguments(schema: Any) -> Iterator[str]:
    """`name` where one must be given, `name=default` where none need be; a default of many parts is left out."""
    match schema:
        case {"$ref": str(ref), "$defs": dict(kinds)}:
            schema = kinds.get(ref.rpartition("/")[2])
    match schema:
        case {"properties": dict(properties), "required": list(required)}:
            for name, about in properties.items():
                default = about.get("default") if isinstance(about, dict) else None
                plain = isinstance(default, bool | int | float | str) and default != ""
                optional = f"{name}={codec.encode(default).decode()}" if plain else f"[{name}]"
                yield name if name in required else optional
