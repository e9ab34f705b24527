"""One configured server of tools: started when it is first needed, shared by all tables of this node, and started again
after it has ended, none too soon. The only place, with its transports, that knows the SDK.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import httpx2
import mcp_types as types
from mcp import Client, MCPError

from protocol.errors import RoundtableError
from roundtable.config import McpServer
from roundtable.hosting.convening import too_deep
from roundtable.mcp import results, secrets
from roundtable.mcp.process import process
from roundtable.mcp.web import web
from roundtable.table.using import Outcome, Tool

log = logging.getLogger("roundtable.mcp")
T = TypeVar("T")
# The SDK's own lines print what servers and models say.
logging.getLogger("mcp").setLevel(logging.CRITICAL)

# Seconds to start and say hello. Who runs one through a package manager fetches it first.
START_WITHIN = 60.0
# Seconds before it is started again after it ended unasked: this, doubled each time, up to the longest. A result ends
# the count.
BACK_OFF, LONGEST_BACK_OFF = 1.0, 60.0
# Seconds that its list of tools is good for (few servers tell when it changes), and the most pages and tools that are
# read of it.
LISTED_FOR = 30.0
MOST_PAGES, MOST_TOOLS = 10, 200
# Seconds for it to say which tools it has. One that does not is as good as gone, and nobody waits for it again at once.
LIST_WITHIN = 5.0
# Seconds to let go of it: two of its own, two after SIGTERM.
CLOSE_WITHIN = 5.0
# Of a server's own words about an error, so many characters are told.
_TOLD = 500
# After these errors nothing more comes; at a URL the SDK gives them for what HTTP says, too. By whether it is one.
_LOST = {
    False: {types.CONNECTION_CLOSED},
    True: {types.CONNECTION_CLOSED, types.INVALID_REQUEST, types.INTERNAL_ERROR},
}


class Away(RoundtableError):
    """The server cannot be used now."""

    code = "unavailable"
    retryable = True


class Server:
    """`tools` and `call` start it; `close` ends it. `clock` is in seconds, and times the back-off."""

    def __init__(
        self,
        name: str,
        settings: McpServer,
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._settings, self._environ, self._clock = settings, environ, clock
        self._secrets = secrets.Secrets(settings, environ)
        self._holder: asyncio.Task[None] | None = None
        self._client: asyncio.Future[Client] | None = None
        self._leaving = asyncio.Event()
        self._closed = False
        self._ends = 0  # in a row and unasked
        self._not_before = 0.0
        self._listed: tuple[float, dict[str, Tool]] | None = None
        self._listing = asyncio.Lock()

    async def tools(self) -> Mapping[str, Tool]:
        """Its tools by their own names. Raises `Away`."""
        async with self._listing:
            if self._listed is None or self._clock() - self._listed[0] >= LISTED_FOR:
                self._listed = self._clock(), await self._asked(self._list, LIST_WITHIN)
            return self._listed[1]

    async def call(self, tool: str, arguments: dict[str, Any]) -> Outcome:
        """Use one; cancelling it tells the server. Raises `Away`."""
        if too_deep(arguments, results.DEEPEST):
            return Outcome(f"Not done: the arguments are nested deeper than {results.DEEPEST}.", error=True)

        async def ask(client: Client) -> Outcome:
            # Not by the SDK's `call_tool`: it would hold what the server says against a schema, of patterns too, which
            # the same server wrote.
            params = types.CallToolRequestParams(name=tool, arguments=arguments)
            request = types.CallToolRequest(params=params)
            return results.outcome(await client.session.send_request(request, types.CallToolResult))

        found = await self._asked(ask)
        self._ends = 0
        return Outcome(self._secrets.scrub(found.text), found.error, found.truncated)

    async def close(self) -> None:
        """End it, with all that it started; for good."""
        self._closed = True
        if self._holder is None:
            return
        self._leaving.set()
        if self._client is not None and self._client.done():
            await asyncio.wait([self._holder], timeout=CLOSE_WITHIN)
        self._holder.cancel()
        await asyncio.wait([self._holder])

    # -- asking ------------------------------------------------------------------------------------------------

    async def _list(self, client: Client) -> dict[str, Tool]:
        found, cursor = dict[str, Tool](), None
        for _ in range(MOST_PAGES):
            page = await client.session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            for tool in page.tools[: MOST_TOOLS - len(found)]:
                spec = results.spec(self.name, tool)
                if spec is None or self._secrets.scrub(str(spec)) != str(spec):
                    log.warning("%s: the tool %r cannot be told to a model", self.name, tool.name[:100])
                else:
                    found[tool.name] = Tool(f"{self.name}.{tool.name}", spec)
            cursor = page.next_cursor
            if not cursor or len(found) >= MOST_TOOLS:
                break
        return found

    async def _asked(self, ask: Callable[[Client], Awaitable[T]], within: float | None = None) -> T:
        client = await self._obtain()
        try:
            async with asyncio.timeout(within):
                return await ask(client)
        except TimeoutError:
            self._leaving.set()
            raise self._away(f"did not answer within {within:g} s") from None
        except MCPError as error:
            if error.code in _LOST[bool(self._settings.url)]:
                self._leaving.set()
                raise self._away("ended in the middle") from None
            # Not chained, as below: what it said is told once, without its secrets.
            raise self._away(f"answered: {self._secrets.scrub(error.message[:_TOLD])}") from None
        except Exception as error:  # noqa: BLE001 - by the SDK's readers, whatever it answered with
            log.info("%s answered with what is no result: %s", self.name, type(error).__name__)
            raise self._away("answered with what is no result") from None

    def _away(self, why: str) -> Away:
        return Away(f"The tools of {self.name} cannot be used now: it {why}.")

    # -- its life ----------------------------------------------------------------------------------------------

    async def _obtain(self) -> Client:
        if self._closed:
            raise self._away("is stopped with this server")
        if self._holder is None or self._holder.done():
            if unset := secrets.missing(self._settings, self._environ):
                raise self._away(f"is given {', '.join(unset)}, which is not set")
            if (wait := self._not_before - self._clock()) > 0:
                raise self._away(f"ended, and is started again in {wait:.0f} s")
            self._leaving = asyncio.Event()
            self._client = asyncio.get_running_loop().create_future()
            self._holder = asyncio.create_task(self._hold(self._client), name=f"mcp {self.name}")
        assert self._client is not None
        return await asyncio.shield(self._client)

    async def _hold(self, ready: "asyncio.Future[Client]") -> None:
        why = "ended"
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(START_WITHIN):
                    ready.set_result(await stack.enter_async_context(self._connection()))
                log.info("tools of %s: started", self.name)
                await self._leaving.wait()
        except Exception as error:  # noqa: BLE001 - whatever a server is ill with; its next user is told
            why = _why(error)
        finally:
            self._listed = None
            if not ready.done():
                ready.set_exception(self._away(why))
                ready.exception()  # nobody may be waiting any more
            if not self._closed:
                self._ends += 1
                wait = min(LONGEST_BACK_OFF, BACK_OFF * 2 ** (self._ends - 1))
                self._not_before = self._clock() + wait
                log.warning("tools of %s: it %s", self.name, why)

    def _connection(self) -> Client:
        settings, environ = self._settings, self._environ
        transport: Any
        if settings.url:
            transport = web(settings.url, secrets.headers(settings, environ))
        else:
            transport = process(
                self.name,
                settings.command,
                settings.cwd,
                secrets.environment(settings, environ),
                scrub=self._secrets.scrub,
                ended=self._leaving.set,
            )
        return Client(transport, cache=None)


def _why(error: Exception) -> str:
    """In our words: an SDK's error holds addresses, and what the server said."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    match error:
        case TimeoutError():
            return f"did not start within {START_WITHIN:.0f} s"
        case httpx2.TransportError():
            return "cannot be reached"
        case OSError():
            return f"cannot be started: {error.strerror}"
        case _:
            return f"did not start: {type(error).__name__}"
