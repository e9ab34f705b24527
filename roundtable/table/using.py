"""Using tools within a turn: which calls her model makes, what comes of each, and what it is told of them.

Where tools are is another's matter (`ToolServers`). Every call gets exactly one result, or the turn has ended.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from protocol.errors import Invalid
from protocol.messages import Call, Message, Panelist, ToolSpec
from providers import calling
from providers.base import ToolCall
from roundtable.deliberation.fences import fenced

# Calls of one turn that are carried out, and at the same time: enough to search, read and look again.
CALLS, TOGETHER = 8, 4
# Calls of one answer that are taken down at all; those beyond `CALLS` are refused one by one, so the model learns.
TAKEN = 32
# Seconds that one call may take: an audience waits. And to say which tools there are: a first start may take longer,
# and then she speaks without them.
WITHIN, OFFERED_WITHIN = 30.0, 10.0
# Characters of arguments, and bytes (UTF-8) of a result: each is an event, and part of every prompt of this turn.
MOST_ARGUMENTS, MOST_RESULT = 65_536, 32_768
# Of what a model calls a tool that does not exist, so much is repeated. Characters.
_NAMED = 64

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Tool(msgspec.Struct, frozen=True):
    """A tool that a panelist may use: `name` as people know it (`server.tool`), `spec` as the model is told of it."""

    name: str
    spec: ToolSpec


class Outcome(msgspec.Struct, frozen=True):
    """What came of a call. An `error` is for the model to read, too."""

    text: str
    error: bool = False
    truncated: bool = False


class ToolServers(Protocol):
    """Where tools are."""

    async def check(self, panel: Sequence[Panelist]) -> None:
        """Raise `Invalid` (`panel[0].tools[0]`) for a tool that cannot be used here, as far as it is known now."""
        ...

    async def offered(self, allowed: Sequence[str]) -> Sequence[Tool]:
        """Those of the allowed (`server.tool`, `server.sea*`, `server.*`) that can be used now; raises nothing."""
        ...

    async def call(self, name: str, arguments: dict[str, object]) -> Outcome:
        """Use one, by its `Tool.name`; raises nothing. Cancelling it ends the work at the server."""
        ...


class NoTools:
    """Where no server of tools is configured."""

    async def check(self, panel: Sequence[Panelist]) -> None:
        """As `ToolServers`."""
        for place, panelist in enumerate(panel):
            if panelist.tools:
                detail = "No servers of tools are configured here; they are [mcp.NAME] in the settings."
                raise Invalid(detail, field=f"panel[{place}].tools")

    async def offered(self, allowed: Sequence[str]) -> Sequence[Tool]:
        """As `ToolServers`."""
        return ()

    async def call(self, name: str, arguments: dict[str, object]) -> Outcome:
        """As `ToolServers`."""
        return Outcome("There is no such tool.", error=True)


NO_TOOLS = NoTools()


class Result(NamedTuple):
    """A call by its id, the tool's name, what came of it, and after how many seconds."""

    call: str
    name: str
    outcome: Outcome
    seconds: float


class _Wished(msgspec.Struct):
    """A call as it is being written."""

    id: str
    tool: Tool | None
    named: str
    arguments: str = ""

    @property
    def name(self) -> str:
        return self.tool.name if self.tool else self.named


class Using:
    """The calls of one turn. `heard` each part of one; after an answer with calls, `carry_out`."""

    def __init__(self, servers: ToolServers, tools: Sequence[Tool]) -> None:
        self._servers = servers
        self._tools = {tool.spec.name: tool for tool in tools}
        self.specs = tuple(tool.spec for tool in tools)
        self._wished: list[_Wished] = []  # of this answer
        self._written: dict[
            str, _Wished
        ] = {}  # those of them, by the model's own id, that parts still come of
        self._known = set[str]()  # ids of the whole turn: each is one call's
        self._done = 0

    @property
    def choice(self) -> str:
        """Whether another call may be made, as `Request.tool_choice`."""
        return "auto" if self._done < CALLS else "none"

    @property
    def wishes(self) -> bool:
        """Whether this answer has calls that may still be carried out."""
        return bool(self._wished) and self._done < CALLS

    @property
    def full(self) -> bool:
        """Whether no more calls of this answer are taken down."""
        return len(self._wished) >= TAKEN

    def heard(self, part: ToolCall) -> tuple[str, str]:
        """A part of a call: by which id it is known in this turn, and the tool's name."""
        wished = self._written.get(part.call)
        if wished is None or part.name:  # which comes once: else it is another call of the same id
            tool = self._tools.get(part.name)
            named = "".join(filter(str.isprintable, part.name[:_NAMED]))
            wished = self._written[part.call] = _Wished(self._new_id(part.call), tool, named)
            self._wished.append(wished)
        if len(wished.arguments) <= MOST_ARGUMENTS:
            wished.arguments += part.arguments
        return wished.id, wished.name

    async def carry_out(self, said: str, tell: Callable[[Result], Awaitable[None]]) -> list[Message]:
        """All calls of this answer, in which she `said` so much as well: what was asked and what came of it, for her
        model. Each result is told as it comes."""
        wished, self._wished, self._written = self._wished, [], {}
        together = asyncio.Semaphore(TOGETHER)
        async with asyncio.TaskGroup() as calls:
            tasks = [
                calls.create_task(self._one(each, place, together, tell)) for place, each in enumerate(wished)
            ]
        self._done += len(wished)
        asked = Message("assistant", said, tuple(map(_as_made, wished)))
        return [asked, *(task.result() for task in tasks)]

    async def _one(
        self,
        wished: _Wished,
        place: int,
        together: asyncio.Semaphore,
        tell: Callable[[Result], Awaitable[None]],
    ) -> Message:
        now = asyncio.get_running_loop().time
        began = now()
        if self._done + place >= CALLS:
            outcome = Outcome(f"Not done: a turn has {CALLS} calls. Answer with what you know.", error=True)
        else:
            async with together:
                began = now()
                outcome = _bounded(await self._outcome(wished))
        await tell(Result(wished.id, wished.name, outcome, now() - began))
        return Message("tool", _fenced(wished.name, outcome), call=wished.id)

    async def _outcome(self, wished: _Wished) -> Outcome:
        if wished.tool is None:
            return Outcome(f"There is no tool {wished.named!r}.", error=True)
        if len(wished.arguments) > MOST_ARGUMENTS:
            detail = f"Not done: the arguments have more than {MOST_ARGUMENTS:,} characters."
            return Outcome(detail, error=True)
        try:
            arguments = calling.arguments(Call(wished.id, wished.name, wished.arguments))
        except Invalid:
            return Outcome("Not done: the arguments are no JSON object.", error=True)
        try:
            async with asyncio.timeout(WITHIN):
                return await self._servers.call(wished.tool.name, arguments)
        except TimeoutError:
            return Outcome(f"The tool did not answer within {WITHIN:.0f} s.", error=True)

    def _new_id(self, given: str) -> str:
        """The model's own where nobody could mistake it: servers repeat ids in one turn, or give none."""
        id, number = given, len(self._known)
        while id in self._known or not _ID.fullmatch(id):
            number += 1
            id = f"call_{number}"
        self._known.add(id)
        return id


async def begin(servers: ToolServers, allowed: Sequence[str]) -> Using | None:
    """Using what is allowed and there; None when that is nothing."""
    if not allowed:
        return None
    try:
        async with asyncio.timeout(OFFERED_WITHIN):
            tools = await servers.offered(allowed)
    except TimeoutError:
        return None
    return Using(servers, tools) if tools else None


def _as_made(wished: _Wished) -> Call:
    """The call as the model is reminded of it: vendors refuse names and arguments that are none."""
    name = wished.tool.spec.name if wished.tool else re.sub(r"[^A-Za-z0-9_-]", "_", wished.named) or "none"
    try:
        calling.arguments(Call(wished.id, name, wished.arguments))
    except Invalid:
        return Call(wished.id, name, "{}")
    return Call(wished.id, name, wished.arguments or "{}")


def _bounded(outcome: Outcome) -> Outcome:
    data = outcome.text.encode(errors="replace")
    text = data[:MOST_RESULT].decode(errors="ignore")
    return Outcome(text, outcome.error, outcome.truncated or len(data) > MOST_RESULT)


def _fenced(name: str, outcome: Outcome) -> str:
    """The result as data."""
    error, truncated = ("true" if mark else "" for mark in (outcome.error, outcome.truncated))
    return fenced("result", f"\n{outcome.text}\n", of=name, error=error, truncated=truncated)
