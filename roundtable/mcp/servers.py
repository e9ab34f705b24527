"""All servers of tools that are configured, as panelists may use them: what is allowed is named, and nothing is allowed
by itself.
"""

import asyncio
import importlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec

from protocol.errors import Invalid, RoundtableError
from protocol.messages import Panelist
from roundtable.config import McpServer
from roundtable.table.using import Outcome, Tool

if TYPE_CHECKING:
    from roundtable.mcp.server import Server

log = logging.getLogger("roundtable.mcp")

# Entries of one allow list, and tools that one panelist is told of, in all so many bytes: they are in every prompt of
# hers, some 8,000 tokens at the most.
MOST_ALLOWED, MOST_OFFERED, MOST_TOLD = 32, 64, 32_768
# Seconds that a new table waits for a server to say whether it has a tool. One that starts is believed meanwhile.
CHECKED_WITHIN = 3.0
# Seconds that a listing waits for each.
LISTED_WITHIN = 10.0
_ALLOWED = re.compile(r"([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_./:*-]{1,128})")


class ServerStatus(msgspec.Struct, frozen=True):
    """A server of tools, for people: whether it can be used, else why not; `tools` by the names that allow them."""

    name: str
    usable: bool
    detail: str
    tools: list[str]


class Servers:
    """Implements `ToolServers` over `[mcp.NAME]`. `prepare` it before use, `close` it in the end."""

    def __init__(self, configured: Mapping[str, McpServer], environ: Mapping[str, str]) -> None:
        self._configured, self._environ = configured, environ
        self._servers: dict[str, Server] = {}

    async def prepare(self) -> None:
        """Import what talks to servers, where there are any: it takes a second, and 28 MB."""
        if self._configured:
            module: Any = await asyncio.to_thread(importlib.import_module, "roundtable.mcp.server")
            make: Callable[..., Server] = module.Server
            self._servers = {
                name: make(name, settings, self._environ) for name, settings in self._configured.items()
            }

    async def close(self) -> None:
        """Stop them all."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    async def check(self, panel: Sequence[Panelist]) -> None:
        """As `ToolServers.check`: names by the settings, and tools where their server answers in `CHECKED_WITHIN`."""
        allowed = [
            (f"panel[{seat}].tools[{place}]", each)
            for seat, panelist in enumerate(panel)
            for place, each in enumerate(panelist.tools)
        ]
        if any(len(panelist.tools) > MOST_ALLOWED for panelist in panel):
            raise Invalid(f"A panelist has at most {MOST_ALLOWED} entries of tools.", field="panel")
        named = {each: self._named(each, field) for field, each in allowed}
        servers = sorted({server for server, _ in named.values()})
        known = dict(
            zip(
                servers,
                await asyncio.gather(*(self._tools(name, CHECKED_WITHIN) for name in servers)),
                strict=True,
            )
        )
        for field, each in allowed:
            server, tool = named[each]
            tools = known[server]
            if "*" not in tool and isinstance(tools, Mapping) and tool not in tools:
                raise Invalid(f"{server} has no tool {tool!r}; {_hint(tool, tools)}", field=field)

    async def offered(self, allowed: Sequence[str]) -> Sequence[Tool]:
        """As `ToolServers.offered`."""
        patterns = dict[str, list[str]]()
        for each in allowed:
            server, _, tool = each.partition(".")
            if server in self._servers:
                patterns.setdefault(server, []).append(tool)
        found = await asyncio.gather(*(self._tools(name) for name in patterns))
        tools = list[Tool]()
        for (name, wanted), known in zip(patterns.items(), found, strict=True):
            if not isinstance(known, Mapping):
                log.warning("%s: nobody is given its tools: %s", name, known)
                continue
            tools += (
                each
                for tool, each in known.items()
                if any(fnmatchcase(tool, pattern.replace("[", "[[]")) for pattern in wanted)
            )
        return fitting(tools)

    async def call(self, name: str, arguments: dict[str, object]) -> Outcome:
        """As `ToolServers.call`."""
        server, _, tool = name.partition(".")
        try:
            return await self._servers[server].call(tool, arguments)
        except RoundtableError as error:
            return Outcome(error.detail, error=True)

    async def listing(self) -> list[ServerStatus]:
        """All that are configured, asked now."""
        found = await asyncio.gather(*(self._tools(name, LISTED_WITHIN) for name in self._servers))
        return [
            ServerStatus(name, True, f"{len(known)} tools", [tool.name for tool in known.values()])
            if isinstance(known, Mapping)
            else ServerStatus(name, False, known, [])
            for name, known in zip(self._servers, found, strict=True)
        ]

    async def _tools(self, name: str, within: float | None = None) -> Mapping[str, Tool] | str:
        """A server's, or why there are none."""
        try:
            async with asyncio.timeout(within):
                return await self._servers[name].tools()
        except RoundtableError as error:
            return error.detail
        except TimeoutError:
            return f"{name} has not answered within {within:.0f} s."

    def _named(self, allowed: str, field: str) -> tuple[str, str]:
        found = _ALLOWED.fullmatch(allowed)
        if found is None:
            detail = f"{allowed[:60]!r} allows no tool; one that does looks like files.read or files.*."
            raise Invalid(detail, field=field)
        if found[1] not in self._configured:
            detail = f"No server of tools is named {found[1]!r}; {_hint(found[1], self._configured)}"
            raise Invalid(detail, field=field)
        return found[1], found[2]


def fitting(tools: Sequence[Tool]) -> list[Tool]:
    """As many, from the first on, as a prompt can hold."""
    fitting, room = list[Tool](), MOST_TOLD
    for tool in tools[:MOST_OFFERED]:
        room -= len(msgspec.json.encode(tool.spec))
        if room < 0:
            log.warning("%s and what follows are not told: too much for one prompt", tool.name)
            break
        fitting.append(tool)
    return fitting


def _hint(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, known, n=1)
    some = ", ".join(list(known)[:MOST_ALLOWED]) or "nothing"
    return f"did you mean {near[0]!r}?" if near else f"there is {some}."
