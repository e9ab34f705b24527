"""Every tool by its address. Ours are a file and a line in `ours.py`; other packages' are entry points.

tool/NAME                  a tool
panelist/PROVIDER:MODEL    one model, asked once (the tool `complete` with its model given)
roundtable/ID              a table, followed (the tool `table` with its id given)
"""

import logging
from collections.abc import AsyncGenerator, Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from protocol import codec
from protocol.errors import Invalid, NotFound, RoundtableError
from roundtable.hosting.convening import too_deep
from roundtable.tools.base import Context, Told, Tool

log = logging.getLogger("roundtable.tools")

GROUP = "roundtable.tools"
TOOL, PANELIST, ROUNDTABLE = "tool", "panelist", "roundtable"
# Tools within tools: a race of races is two deep. With eight contestants each that is 64 models at once.
MAX_DEPTH = 2
# Levels of JSON in arguments: three for each race around a model, and a tool's schema. What one reader can decode,
# others, deeper in their own code, could not.
MAX_NESTED = 64


class Toolbox:
    """The tools of this node; those of other packages come after ours and replace none.

    A package is imported when its tool is first asked for; what is wrong with it is in `broken`, and costs nobody else.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        points = entry_points(group=GROUP)
        self._installed = {point.name: point for point in points if point.name not in self._tools}
        self._broken: dict[str, str] = {}

    @property
    def tools(self) -> Mapping[str, Tool]:
        """All that can be used, by name; imports what is installed."""
        for name in list(self._installed):
            self._load(name)
        return self._tools

    @property
    def broken(self) -> Mapping[str, str]:
        """Installed tools that cannot be used, and why, as far as they were tried."""
        return self._broken

    def prepare(self, address: str, args: Mapping[str, Any]) -> tuple[Tool, Any]:
        """The tool at an address and its arguments, checked. Raises `NotFound`, and `Invalid` naming `args.…`."""
        kind, _, name = address.partition("/")
        given = dict(args)
        if kind == PANELIST and name:
            kind, name, given = TOOL, "complete", {**given, "model": name}
        elif kind == ROUNDTABLE and name:
            kind, name, given = TOOL, "table", {**given, "table": name}
        tool = self._find(name) if kind == TOOL else None
        if tool is None:
            raise self._unknown(address, name)
        _check_depth(args)
        return tool, _decode(given, tool)

    def run(self, address: str, args: Mapping[str, Any], context: Context) -> AsyncGenerator[Told]:
        """Run what is at an address; raises at once as `prepare` does, and what the tool refuses beforehand."""
        if context.depth > MAX_DEPTH:
            raise Invalid(f"Tools run at most {MAX_DEPTH} deep within each other.", field="args")
        tool, prepared = self.prepare(address, args)

        def within(address: str, args: dict[str, Any]) -> AsyncGenerator[Told]:
            return self.run(address, args, inner)

        inner = Context(context.id, context.caller, within, context.depth + 1)
        given = Context(context.id, context.caller, within, context.depth)
        try:
            return tool.run(prepared, given)
        except Invalid as error:
            raise Invalid(error.detail, field=_inside(error.field), code=error.code) from error
        except RoundtableError:
            raise
        except Exception as error:
            log.exception("tool %s broke", tool.name)
            raise RoundtableError(f"The tool {tool.name!r} broke: {type(error).__name__}.") from error

    def _find(self, name: str) -> Tool | None:
        if name in self._installed:
            self._load(name)
        if name in self._broken:
            detail = f"The installed tool {name!r} cannot be used: {self._broken[name]}"
            raise NotFound(detail)
        return self._tools.get(name)

    def _load(self, name: str) -> None:
        try:
            self._tools[name] = _checked(self._installed.pop(name))
        except (Exception, SystemExit) as error:  # whatever another package does: it is out, and named
            told = (
                error.detail if isinstance(error, Invalid) else f"it does not load: {type(error).__name__}."
            )
            self._broken[name] = told
            log.warning("the installed tool %s cannot be used: %s", name, told, exc_info=error)

    def _unknown(self, address: str, name: str) -> NotFound:
        known = [*self._tools, *self._installed]
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean tool/{near[0]}?" if near else f"there is {', '.join(known)}."
        return NotFound(f"Nothing is at the address {address[:60]!r}; {hint}")


def _checked(point: EntryPoint) -> Tool:
    """What an entry point makes, if it is a tool. Raises `Invalid`, and whatever the package does."""
    tool: Any = point.load()()
    if getattr(tool, "name", None) != point.name:
        raise Invalid("its name is not its entry point's.")
    if not all(isinstance(getattr(tool, each, None), str) for each in ("title", "summary")):
        raise Invalid("it has no title and summary.")
    if not callable(getattr(tool, "run", None)):
        raise Invalid("it has no `run`.")
    args = getattr(tool, "args", None)
    if not (isinstance(args, type) and issubclass(args, msgspec.Struct)):
        raise Invalid("its `args` is no Struct.")
    msgspec.json.schema(args)  # what cannot be described cannot be listed
    checked: Tool = tool
    return checked


def _check_depth(args: Mapping[str, Any]) -> None:
    for name, value in args.items():
        if too_deep(value, MAX_NESTED):
            raise Invalid(
                f"Arguments are nested at most {MAX_NESTED} deep.", field=_inside(name[: codec.MAX_NAMED])
            )


def _decode(args: dict[str, Any], tool: Tool) -> Any:
    known = [field.encode_name for field in msgspec.structs.fields(tool.args)]
    try:
        return codec.decode_json(codec.encode(args), msgspec.json.Decoder(tool.args))
    except Invalid as error:
        detail, field = error.detail, error.field
        if field in args and field not in known:
            near = get_close_matches(field, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}."
            detail = f"{tool.name} has no argument {field[:60]!r}; {hint}"
        raise Invalid(detail, field=_inside(field)) from error


def _inside(field: str) -> str:
    return f"args.{field}" if field else "args"
