"""What a program can ask about tables, panels and threads, wherever they are held."""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from protocol import codec, commands
from protocol.cursor import ZERO, Cursor
from protocol.events import Entry, Then
from protocol.messages import Limits, Panelist, Until
from protocol.transcript import Transcript
from roundtable.hosting.lineage import ForkLine
from roundtable.hosting.shown import Kept, Lens
from roundtable.hosting.summary import Summary
from roundtable.log.base import Record
from roundtable.sdk import asking, bodies
from roundtable.sdk.bodies import File


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


class Tables(ABC):
    """Every method may raise `Unreachable` or `LogUnavailable`."""

    # -- tables ------------------------------------------------------------------------------------------------

    async def convene(
        self,
        topic: str,
        panel: Sequence[Panelist] | None = None,
        *,
        saved: str | None = None,
        policy: str | None = None,
        limits: Limits | None = None,
        then: Then | None = None,
        seed: int | None = None,
        record: bool = True,
        title: str = "",
        verdict: bool | None = None,
        until: Until | None = None,
        files: Sequence[File] = (),
    ) -> Convened:
        """Open a table. What is left out is as in the panel kept under `saved`; without one the panel is the default
        one, the policy `round_robin`, and the table closed at its end. Whether it comes to a `verdict`, and `until`
        when it is held, is the policy's way unless said. `files` lie on it from the start.

        Raises `Invalid` naming the field. Sent once: where no answer comes, a table may have been opened.
        """
        body = bodies.given(
            topic=topic, panel=panel, saved=saved, policy=policy, limits=limits, then=then, seed=seed,
            title=title or None, verdict=verdict, until=until, record=None if record else False,
        )  # fmt: skip
        if files:
            body["material"] = await asyncio.to_thread(lambda: [bodies.upload(file) for file in files])
        return await self._convene(body)

    async def fork(
        self,
        table: str,
        *,
        after: Cursor | str | None = None,
        message: str = "",
        to: str = "",
        author: str = "",
        topic: str | None = None,
        panel: Sequence[Panelist] | None = None,
        policy: str | None = None,
        limits: Limits | None = None,
        then: Then | None = None,
        seed: int | None = None,
        title: str | None = None,
        verdict: bool | None = None,
        until: Until | None = None,
    ) -> Convened:
        """Open another future of a table, which begins with what was said up to the entry `after` (None: all of it).

        What is left out is as it was there. `panel` is the whole new one: a known name with another model goes on as
        that model. `message` is said first, to all or to one. Raises `NotFound`, `Invalid`; sent once, as `convene`.
        """
        said = asking.Said(message, to, author) if message or to else None
        changes = bodies.given(
            after=None if after is None else str(after), message=said, topic=topic, panel=panel, policy=policy,
            limits=limits, then=then, seed=seed, title=title, verdict=verdict, until=until,
        )  # fmt: skip
        return await self._fork(table, changes)

    @abstractmethod
    async def forks(self, table: str) -> list[ForkLine]:
        """Its forks that are still there, oldest first. Raises `NotFound`."""

    async def put(self, table: str, file: File, *, author: str = "", key: str = "") -> Outcome:
        """Lay a file on the table: a path, or a name and the bytes, of at most 5 MiB. What it is is told by its bytes.

        Once, however often it has to be sent, as `command`. Raises `Invalid`, `WrongState`, `NotFound`.
        """
        upload = await asyncio.to_thread(bodies.upload, file, author)
        return await self._put(table, upload, key or secrets.token_urlsafe(18))

    @abstractmethod
    async def material(self, table: str, material: str) -> bytes:
        """A file on the table, by its id (`d1`, ...), as it was sent. Raises `NotFound`."""

    @abstractmethod
    async def prompt(self, table: str, turn: str) -> Lens:
        """The lens: what that turn's model was sent, and whether that is what was logged. Raises `NotFound`."""

    @abstractmethod
    async def _convene(self, body: Mapping[str, Any]) -> Convened: ...

    @abstractmethod
    async def _fork(self, table: str, body: Mapping[str, Any]) -> Convened: ...

    @abstractmethod
    async def _put(self, table: str, upload: Mapping[str, Any], key: str) -> Outcome: ...

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

    @abstractmethod
    async def command(self, table: str, command: commands.ANY, *, key: str = "") -> Outcome:
        """Tell the table something, once, however often it has to be sent: `key` is made up unless given.

        Raises `WrongState` when the table refuses it, `KeyReused`, `NotFound`, `Invalid`.
        """

    # -- panels ------------------------------------------------------------------------------------------------

    @abstractmethod
    async def panels(self) -> list[Kept]:
        """Those that are kept under a name, the configuration's first."""

    @abstractmethod
    async def panel(self, name: str) -> Kept:
        """One of them. Raises `NotFound`."""

    async def save_panel(
        self,
        name: str,
        panel: Sequence[Panelist],
        *,
        policy: str | None = None,
        limits: Limits | None = None,
        then: Then | None = None,
        verdict: bool | None = None,
        until: Until | None = None,
    ) -> Kept:
        """Keep it under a name, for `convene(..., saved=name)`; one that has the name is replaced.

        Raises `Invalid` for what could not be convened, `WrongState` where the name is the configuration's.
        """
        body = bodies.given(
            panel=panel, policy=policy, limits=limits, then=then, verdict=verdict, until=until
        )
        return await self._save_panel(name, body)

    @abstractmethod
    async def delete_panel(self, name: str) -> None:
        """Forget it; tables that were convened with it stay as they are. Raises `NotFound`, `WrongState`."""

    @abstractmethod
    async def _save_panel(self, name: str, body: Mapping[str, Any]) -> Kept: ...

    # -- threads -----------------------------------------------------------------------------------------------

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
        body = bodies.given(
            model=model or None, title=title or None, system=system or None, panel=panel, limits=limits,
            record=None if record else False,
        )  # fmt: skip
        return await self._begin_thread(body)

    @abstractmethod
    async def _begin_thread(self, body: Mapping[str, Any]) -> Convened: ...

    @abstractmethod
    async def post(self, thread: str, text: str, *, to: str = "", author: str = "", key: str = "") -> Posted:
        """Say something in a thread, once, however often it has to be sent. Its answers are in the stream."""

    @abstractmethod
    async def messages(self, thread: str) -> list[dict[str, Any]]:
        """A thread as it stands: each message with its `id`, `author`, `text` and `state`. Raises `NotFound`."""
