"""What a program can ask, wherever the orchestrator runs: `Client` reaches one over the network, `Local` is one.

A stream is an asynchronous generator. Who does not read it holds back whoever produces; who closes it (`aclose`,
`contextlib.aclosing`, or the end of the client) ends what was invoked for it.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from protocol import codec, commands
from protocol.cursor import ZERO, Cursor
from protocol.errors import WrongState
from protocol.events import Entry, Then
from protocol.messages import Limits, Panelist, Until
from protocol.transcript import Transcript
from roundtable.hosting.summary import Summary
from roundtable.log.base import Record
from roundtable.sdk import answering, asking
from roundtable.sdk.answering import OnChunk
from roundtable.sdk.event import Event
from roundtable.sdk.steering import Steering

_RESTS = frozenset({"table.rested", "table.closed"})
_THREAD_RESTS = frozenset({"thread.rested", "thread.closed"})


class Convened(NamedTuple):
    """A new table, and the cursor of its `table.opened`."""

    id: str
    cursor: Cursor


class Posted(NamedTuple):
    """A message in a thread, and its cursor: what is answered comes after it."""

    message: dict[str, Any]
    cursor: Cursor


class Outcome(NamedTuple):
    """A command's effect; None when it was accepted and is still to be acted on."""

    entry: Entry | None


class Streams(ABC):
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

    @abstractmethod
    async def convene(
        self,
        topic: str,
        panel: Sequence[Panelist] | None = None,
        *,
        policy: str = "round_robin",
        limits: Limits | None = None,
        then: Then = "close",
        seed: int | None = None,
        record: bool = True,
        title: str = "",
        verdict: bool | None = None,
        until: Until | None = None,
    ) -> Convened:
        """Open a table; without a panel it is the default one. Whether it comes to a `verdict`, and `until` when it is
        held, is the policy's way unless said. Raises `Invalid` naming the field.

        Sent once: where no answer comes, a table may have been opened.
        """

    async def events(self, table: str, after: Cursor | None = ZERO) -> AsyncGenerator[Entry]:
        """A table's entries after a cursor (None: after now), each once and in order, until the table is closed.

        Raises `Reset`, `NotFound`. Who stops early closes it (`contextlib.aclosing`).
        """
        async with aclosing(self.records(table, after)) as records:
            async for record in records:
                yield codec.decode_body(*record)

    @abstractmethod
    def records(self, table: str, after: Cursor | None = ZERO) -> AsyncGenerator[Record]:
        """As `events`, with the bytes as they are logged."""

    @abstractmethod
    async def head(self, table: str) -> Cursor:
        """Where the table stands now. Raises `NotFound`."""

    @abstractmethod
    async def transcript(self, table: str) -> Transcript:
        """The table as it stands; `transcript.cursor` is where to go on from. Raises `NotFound`."""

    @abstractmethod
    def tables(self) -> AsyncIterator[Summary]:
        """All tables, newest first."""

    def table(self, id: str) -> Steering:
        """That table, with a method for each command."""
        return Steering(id, self.command)

    @abstractmethod
    async def command(self, table: str, command: commands.ANY, *, key: str = "") -> Outcome:
        """Tell the table something, once, however often it has to be sent: `key` is made up unless given.

        Raises `WrongState` when the table refuses it, `KeyReused`, `NotFound`, `Invalid`.
        """

    # -- threads -----------------------------------------------------------------------------------------------

    @abstractmethod
    async def thread(
        self,
        model: str = "",
        *,
        title: str = "",
        system: str = "",
        panel: Sequence[Panelist] | None = None,
        limits: Limits | None = None,
        record: bool = True,
    ) -> Convened:
        """Begin a conversation that one model answers, or every seat of a panel. Raises `Invalid` naming the field.

        Talk in it with `stream("thread/ID", "say", {"text"})`, or `post`.
        """

    @abstractmethod
    async def post(self, thread: str, text: str, *, to: str = "", author: str = "", key: str = "") -> Posted:
        """Say something in a thread, once, however often it has to be sent. Its answers are in the stream."""

    @abstractmethod
    async def messages(self, thread: str) -> list[dict[str, Any]]:
        """A thread as it stands: each message with its `id`, `author`, `text` and `state`. Raises `NotFound`."""

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
