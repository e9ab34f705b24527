"""What a program can ask, wherever the orchestrator runs: `Client` reaches one over the network, `Local` is one.

A stream is an asynchronous generator. Who does not read it holds back whoever produces; who closes it (`aclose`,
`contextlib.aclosing`, or the end of the client) ends what was invoked for it.
"""

import secrets
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from protocol import commands
from protocol.cursor import ZERO, Cursor
from protocol.errors import WrongState
from roundtable.sdk import answering, asking
from roundtable.sdk.answering import OnChunk
from roundtable.sdk.event import Event
from roundtable.sdk.table import Table
from roundtable.sdk.tables import Tables

_RESTS = frozenset({"table.rested", "table.closed"})
_THREAD_RESTS = frozenset({"thread.rested", "thread.closed"})


class Streams(Tables):
    """Use it as a context manager. Every method may raise `Unreachable` or `LogUnavailable`."""

    # -- anything that streams ---------------------------------------------------------------------------------

    def stream(
        self, address: str, type: str, payload: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Event]:
        """What an address tells when it is asked this (`asking.TYPES`), each event once and in order, to its end.

        Raises `CannotStream` at once; while it is read `Invalid` (the payload), `NotFound`, `WrongState`, `Reset`. How
        an invocation ended is its last event, and raises nothing.
        """
        asked = asking.read(address, type, payload)
        match asked.verb:
            case "invoke":
                return self._invoked(asked.address, asked.payload)
            case "follow":
                return self._followed(asked.kind, asked.id, asking.after(asked.payload))
            case "say":
                return self._say(asked, asking.said(asked.payload))

    async def stream_ask(
        self,
        address: str,
        type: str,
        payload: Mapping[str, Any] | None = None,
        *,
        on_chunk: OnChunk | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it also ends what was invoked
    ) -> str:
        """The whole answer; `on_chunk`, a function or a coroutine function, hears it piece by piece (`Chunk`).

        Raises what `stream` does, `Failed`, `Cancelled`, and `TimedOut` after `timeout` seconds: what was invoked has
        been ended then.
        """
        return await answering.ask(self.stream(address, type, payload), on_chunk, timeout)

    @abstractmethod
    async def invoke(self, address: str, args: Mapping[str, Any] | None = None) -> str:
        """Begin what is at an address and leave it to itself; its id, for `follow` and `cancel`.

        Raises `NotFound` and `Invalid`."""

    def follow(self, invocation: str, after: Cursor = ZERO) -> AsyncGenerator[Event]:
        """What an invocation tells, to its end; who stops reading changes nothing. Raises `NotFound`, `Reset`."""
        return self._followed("invocation", invocation, after)

    @abstractmethod
    async def cancel(self, invocation: str) -> None:
        """End it; asking again changes nothing. Raises `NotFound`."""

    @abstractmethod
    async def tools(self) -> list[dict[str, Any]]:
        """Every tool: its `name`, `address`, `title`, `summary`, and the JSON Schema of its `args`."""

    @abstractmethod
    def invocations(self) -> AsyncIterator[dict[str, Any]]:
        """What was invoked and recorded, newest first: `id`, `address`, `state`, `t`, `began_at`, `at`, `cursor`."""

    @abstractmethod
    def _invoked(self, address: str, args: Mapping[str, Any]) -> AsyncGenerator[Event]: ...

    @abstractmethod
    def _followed(self, kind: str, id: str, after: Cursor | None) -> AsyncGenerator[Event]: ...

    # -- tables ------------------------------------------------------------------------------------------------

    def table(self, id: str) -> Table:
        """That table, with a method for each command and all else that is about one."""
        return Table(id, self)

    # -- saying something --------------------------------------------------------------------------------------

    def _say(self, asked: asking.Asked, said: asking.Said) -> AsyncGenerator[Event]:
        """From the message on, until nobody has anything to answer."""
        return self._say_in_thread(asked, said) if asked.kind == "thread" else self._say_at_table(asked, said)

    async def _say_in_thread(self, asked: asking.Asked, said: asking.Said) -> AsyncGenerator[Event]:
        _, cursor = await self.post(asked.id, said.text, to=said.to, author=said.author)
        async with aclosing(self._followed(asked.kind, asked.id, cursor)) as events:
            async for event in events:
                yield event
                if event.type in _THREAD_RESTS:
                    return

    async def _say_at_table(self, asked: asking.Asked, said: asking.Said) -> AsyncGenerator[Event]:
        before, key, heard = await self.head(asked.id), secrets.token_urlsafe(18), False
        await self.command(asked.id, commands.Say(said.text, said.to, said.author), key=key)
        async with aclosing(self._followed(asked.kind, asked.id, before)) as events:
            async for event in events:
                if event.data.get("command") == key:
                    heard = True
                    if event.type == "command.refused":
                        raise WrongState(str(event.data.get("detail")), code=str(event.data.get("code")))
                if heard:
                    yield event
                    if event.type in _RESTS:
                        return
