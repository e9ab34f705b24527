"""`table` and `convene`: a whole roundtable as an invocation, whose steps are the table's entries.

The table stays what it is, with a stream and readers of its own: here it is followed, and its rest is a result.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from typing import Annotated, Any, TypeVar

import msgspec

from protocol import codec, kinds
from protocol import events as e
from protocol.asked import MAX_TEXT
from protocol.commands import Close, Say
from protocol.cursor import ZERO, Cursor
from protocol.errors import CallerError, Invalid, RoundtableError, WrongState
from protocol.findings import VerdictGiven
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.reading import Reading
from roundtable.hosting.convening import Convene
from roundtable.hosting.host import Host, Opened, stream
from roundtable.log.base import Record
from roundtable.log.split import OFF_RECORD
from roundtable.tools.base import Context, Final, Step, Steps, Told

log = logging.getLogger("roundtable.tools")

T = TypeVar("T")

NOW = "now"
# Characters of turns in a result; in JSON a character takes six bytes at the most, a record of the log 8 MiB.
KEPT = 1_000_000
# What a turn costs of it beside its text: no table of empty turns grows past it either.
_AROUND = 100


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Table `table` is followed from `after`, a cursor or `now`. What to `say` is said first, `to` one panelist or all,
    under the name `author`."""

    table: str
    say: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] = ""
    to: str = ""
    author: str = ""
    after: str = NOW


class Table:
    """A step has `entry`: the table's, with its `id`. Converges when the table comes to `rest`, or is closed; one that
    rests already, when nothing is said to it. Ending the invocation leaves the table alone."""

    name = "table"
    title = "A roundtable"
    summary = "Follow a table until it rests or closes, after saying something to it if you like."
    args = Args

    def __init__(self, host: Host, broadcast: Broadcast) -> None:
        self._host, self._broadcast = host, broadcast

    def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        """`Final.value` is `{"table","turns"}`, the turns that ended meanwhile, and the `verdict` if there was one; its
        reason `rested` or `closed`."""
        if args.table.endswith(OFF_RECORD):
            raise Invalid("A table off the record is in no other log: follow it itself.", field="table")
        after = None if args.after == NOW else Cursor.parse(args.after)
        if not args.say and (args.to or args.author):
            raise Invalid("There is nothing to be said.", field="say")
        return self._follow(args, after, _key(context))

    async def _follow(self, args: Args, after: Cursor | None, key: str) -> AsyncGenerator[Told]:
        transcript = await self._host.transcript(args.table)
        status, head = transcript.status, Cursor.parse(transcript.cursor)
        async with self._broadcast.reading(stream(args.table), after) as reading:
            followed = _Followed(args.table, head, _REASONS.get(status, ""))
            if args.say:
                followed.await_command(key)
                with _named():
                    await self._host.submit(args.table, key, Say(args.say, args.to, args.author), wait=0)
            async with aclosing(followed.relay(reading)) as relayed:
                async for told in relayed:
                    yield told


class ConveneTable:
    """The first step has `table`, the id; the others `entry`, as in `table`. Ending the invocation closes the table."""

    name = "convene"
    title = "A new roundtable"
    summary = "Convene a table and follow it until it rests or closes; cancelling closes it."
    args = Convene

    def __init__(self, host: Host, broadcast: Broadcast, admit: Callable[[str], None]) -> None:
        self._host, self._broadcast, self._admit = host, broadcast, admit
        self._owned: set[asyncio.Task[Any]] = set()

    def run(self, args: Convene, context: Context) -> AsyncGenerator[Told]:
        """As `Table.run`. Raises what `admit` does."""
        if not args.record:
            raise Invalid("What an invocation tells is recorded: convene the table itself.", field="record")
        self._admit(context.caller)
        return self._hold(args, _key(context))

    async def _hold(self, args: Convene, key: str) -> AsyncGenerator[Told]:
        opening = self._own(self._host.convene(args))
        followed: _Followed | None = None
        try:
            with _named():
                opened = await asyncio.shield(opening)
            followed = _Followed(opened.id, opened.cursor, "")
            yield Step({"table": opened.id})
            async with (
                self._broadcast.reading(stream(opened.id), ZERO) as reading,
                aclosing(followed.relay(reading)) as relayed,
            ):
                async for told in relayed:
                    yield told
        finally:
            if followed is None or not followed.reason:
                await asyncio.shield(self._own(self._close(opening, key)))

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that goes on when we are ended, even twice: no table may stay open that nobody reads."""
        task = asyncio.create_task(work, name=self.name)
        self._owned.add(task)
        task.add_done_callback(self._owned.discard)
        return task

    async def _close(self, opening: asyncio.Task[Opened], key: str) -> None:
        try:
            await self._host.submit((await opening).id, key, Close(), wait=0)
        except CallerError:
            pass  # it was never opened, or was closed or deleted meanwhile
        except RoundtableError as error:
            log.warning("a table stays open that was convened by %s: %s", key, error.detail)


@contextmanager
def _named() -> Iterator[None]:
    """What is found wrong only now is named as what is refused at once."""
    try:
        yield
    except Invalid as error:
        field = _SAID.get(error.field, error.field)
        raise Invalid(error.detail, field=f"args.{field}", code=error.code) from error


def _key(context: Context) -> str:
    """For one command: an invocation may run several of us."""
    return f"invocation {context.id} {secrets.token_hex(4)}"


# What the command calls it, and we.
_SAID = {"text": "say"}
_REASONS = {"resting": "rested", "closed": "closed"}


class _Followed:
    """A table as it is relayed: what was said, and whether it has come to an end; `head` is where it stood first."""

    def __init__(self, table: str, head: Cursor, reason: str) -> None:
        self.reason = ""
        self._table, self._head, self._pending = table, head, reason
        self._command = ""
        self._turns = list[dict[str, str]]()
        self._paperwork = set[str]()
        self._verdict: VerdictGiven | None = None
        self._room = KEPT

    def await_command(self, key: str) -> None:
        """No rest counts before that command has had its effect."""
        self._command, self._pending = key, ""

    async def relay(self, reading: Reading) -> AsyncGenerator[Told]:
        """Everything up to the end, `Final` last. Raises `WrongState` when the command is refused."""
        while not (self._pending and reading.cursor.seq >= self._head.seq):
            records = await reading.take()
            if not records:
                raise WrongState("The table has ended before this point; there is nothing to follow.")
            yield Steps([_step(record) for record in records])
            for record in records:
                self._note(record)
        self.reason = self._pending
        verdict = {"verdict": msgspec.to_builtins(self._verdict)} if self._verdict else {}
        yield Final({"table": self._table, "turns": self._turns, **verdict}, self.reason)

    def _note(self, record: Record) -> None:
        event = codec.decode_body(*record).event
        if self._command and isinstance(event, e.Effect) and event.command == self._command:
            self._command = ""
            if isinstance(event, e.CommandRefused):
                raise WrongState(event.detail, code=event.code)
        match event:
            case e.TableRested() | e.TableClosed() if record.cursor.seq > self._head.seq:
                closed = isinstance(event, e.TableClosed)
                self._pending = "closed" if closed else "" if self._command else "rested"
            case e.TableResumed() if record.cursor.seq > self._head.seq:
                self._pending = ""
            case e.TurnQueued() if not kinds.is_heard(event.kind):
                self._paperwork.add(event.turn)  # its words are an answer to the table
            case e.TurnCompleted() | e.TurnFailed() | e.TurnCancelled() if event.turn not in self._paperwork:
                self._keep(event)
            case VerdictGiven():
                self._verdict = event
            case _:
                pass

    def _keep(self, event: e.TurnCompleted | e.TurnFailed | e.TurnCancelled) -> None:
        end = codec.event_type(event).rpartition(".")[2]
        turn = {"turn": event.turn, "panelist": event.panelist, "end": end, "text": event.text[: self._room]}
        if self._room > 0:
            self._turns.append(turn)
        self._room -= len(event.text) + _AROUND


def _step(record: Record) -> bytes:
    return b'{"entry":{"id":"%b",%b}' % (str(record.cursor).encode(), record.body[1:])
