"""A table's inbox: commands in the order in which they were accepted, each once, whatever node took it.

It is a stream like any other (`inbox/{id}`). Anyone may append, so the tail is taken by trying; the table's
owner reads it and acts.
"""

import asyncio
import hashlib
from collections.abc import Callable

from protocol import commands
from protocol.codec import decode_body, encode, encode_body
from protocol.cursor import ZERO, Cursor, next_term
from protocol.errors import Conflict, KeyReused, LogDamaged, WrongState
from protocol.events import CommandSubmitted
from roundtable.log.base import EventLog, Record

# Commands one table may ever be sent. A talkative audience sends hundreds; a hundred times that is abuse. One to close
# the table is taken beyond, or abuse could keep it open.
MAX_COMMANDS = 20_000


def stream(table: str) -> str:
    """The name of a table's inbox stream."""
    return f"inbox/{table}"


def submitted(record: Record) -> CommandSubmitted | None:
    """The command in an inbox record; None for what a later version may have put there, or nobody can read.

    A record that is damaged costs the one command, and neither its table nor those that came after it.
    """
    try:
        event = decode_body(*record).event
    except LogDamaged:
        return None
    return event if isinstance(event, CommandSubmitted) else None


class Inbox:
    """One table's inbox as this node knows it. `submit` is the only way in."""

    def __init__(self, log: EventLog, table: str, clock: Callable[[], float]) -> None:
        self._log = log
        self._stream = stream(table)
        self._clock = clock
        self._last: Cursor = ZERO
        self._known: dict[str, tuple[int, bytes]] = {}  # key -> position and digest of the command
        self._turn = asyncio.Lock()

    async def submit(self, key: str, command: commands.ANY) -> int:
        """The position of the command, also when the same one was submitted before under this key.

        Raises `KeyReused` when it was another, and `WrongState` when the inbox is full.
        """
        digest = hashlib.sha256(encode(command)).digest()
        async with self._turn:
            while True:
                await self._catch_up()
                if key in self._known:
                    position, before = self._known[key]
                    if before != digest:
                        raise KeyReused(
                            f"The key {key!r} was used before for another command; use a new one."
                        )
                    return position
                if self._last.seq >= MAX_COMMANDS and not isinstance(command, commands.Close):
                    raise WrongState(
                        "This table has been sent more commands than it takes.", code="inbox_full"
                    )
                now = self._clock()
                cursor = Cursor(next_term(self._last.term, now), self._last.seq + 1)
                record = Record(cursor, encode_body(CommandSubmitted(key=key, command=command), now))
                try:
                    await self._log.append(self._stream, self._last, [record])
                except Conflict:
                    continue  # another node was first; read what it wrote and try behind it
                self._note(record)
                return cursor.seq

    async def _catch_up(self) -> None:
        if not await self._log.has(self._stream, self._last):
            self._last = ZERO  # the store has lost commands, or the table was deleted
            self._known.clear()
        while records := await self._log.read(self._stream, self._last.seq):
            for record in records:
                self._note(record)

    def _note(self, record: Record) -> None:
        self._last = record.cursor
        entry = submitted(record)
        if entry is not None:
            digest = hashlib.sha256(encode(entry.command)).digest()
            self._known[entry.key] = (record.cursor.seq, digest)
