"""Every tool by its address. Ours are a file and a line in `edge/app.py`; other packages' are entry points.

tool/NAME                  a tool
panelist/PROVIDER:MODEL    one model, asked once (the tool `complete` with its model given)
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

import msgspec

from protocol import codec
from protocol.errors import Invalid, NotFound
from roundtable.tools.base import Context, Told, Tool

GROUP = "roundtable.tools"
TOOL, PANELIST, ROUNDTABLE = "tool", "panelist", "roundtable"


class Toolbox:
    """The tools of this node; those of other packages come after ours and replace none."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in (*tools, *(point.load()() for point in entry_points(group=GROUP))):
            self._tools.setdefault(tool.name, tool)

    @property
    def tools(self) -> Mapping[str, Tool]:
        """By name."""
        return self._tools

    def prepare(self, address: str, args: Mapping[str, Any]) -> tuple[Tool, Any]:
        """The tool at an address and its arguments, checked. Raises `NotFound`, and `Invalid` naming `args.…`."""
        kind, _, name = address.partition("/")
        given = dict(args)
        if kind == PANELIST and name:
            kind, name, given = TOOL, "complete", {**given, "model": name}
        elif kind == ROUNDTABLE and name:
            kind, name, given = TOOL, "table", {**given, "table": name}
        if kind != TOOL or name not in self._tools:
            raise self._unknown(address, name)
        return self._tools[name], _decode(given, self._tools[name].args)

    def run(self, address: str, args: Mapping[str, Any], context: Context) -> AsyncGenerator[Told]:
        """Run what is at an address; raises as `prepare` does, at once."""
        tool, prepared = self.prepare(address, args)
        return tool.run(prepared, context)

    def _unknown(self, address: str, name: str) -> NotFound:
        near = get_close_matches(name, self._tools, n=1)
        hint = f"did you mean tool/{near[0]}?" if near else f"there is {', '.join(self._tools)}."
        return NotFound(f"Nothing is at the address {address[:60]!r}; {hint}")


def _decode(args: dict[str, Any], kind: type[msgspec.Struct]) -> Any:
    try:
        return codec.decode_json(codec.encode(args), msgspec.json.Decoder(kind))
    except Invalid as error:
        field = f"args.{error.field}" if error.field else "args"
        raise Invalid(error.detail, field=field) from error
