"""What a server has to invoke, and with which arguments, for a person who asks `roundtable invoke --list`."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from protocol import codec
from roundtable.cli import console
from roundtable.sdk.refusals import Unreachable


class _Shape(msgspec.Struct):
    properties: dict[str, dict[str, Any]] = {}
    required: list[str] = []


class _Schema(msgspec.Struct):
    """As msgspec writes one: the Struct is among the `$defs`."""

    ref: str = msgspec.field(name="$ref")
    kinds: dict[str, _Shape] = msgspec.field(name="$defs")


class _Tool(msgspec.Struct):
    name: str
    summary: str
    args: _Schema


def lines(tools: list[dict[str, Any]]) -> Iterator[str]:
    """Each tool with its summary and, below, its arguments; then how else a model is asked. Raises `Unreachable`."""
    try:
        known = msgspec.convert(tools, list[_Tool])
    except msgspec.ValidationError as error:
        raise Unreachable("The answer is not that of a roundtable server.", retryable=False) from error
    width = shutil.get_terminal_size().columns - 1
    for tool in known:
        yield console.printable(tool.name)
        for text in (tool.summary, ", ".join(_arguments(tool.args))):
            yield from textwrap.wrap(
                console.printable(text), width, initial_indent="  ", subsequent_indent="  "
            )
    yield "panelist/PROVIDER:MODEL"
    yield "  One model, with the arguments of `complete`; `roundtable models` names them."


def _arguments(schema: _Schema) -> Iterator[str]:
    """`name` where one must be given, `name=default` where none need be; a default of many parts is left out."""
    shape = schema.kinds.get(schema.ref.rpartition("/")[2], _Shape())
    for name, about in shape.properties.items():
        default = about.get("default")
        if name in shape.required:
            yield name
        elif isinstance(default, bool | int | float | str) and default != "":
            yield f"{name}={codec.encode(default).decode()}"
        else:
            yield f"[{name}]"
