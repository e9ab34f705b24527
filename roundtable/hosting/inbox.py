"""A table's inbox: commands in the order in which they were accepted, each once, whatever node took it.

It is a stream like any other (`inbox/{id}`). Any node may append; the table's owner reads it and acts.
"""

import hashlib
from collections.abc import Callable

from protocol import commands
from protocol.codec import decode_body, encode
from protocol.errors import KeyReused, LogDamaged, WrongState
from protocol.events import CommandSubmitted
from roundtable.hosting.shared import Shared
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
        self._known: dict[str, tuple[int, bytes]] = {}  # key -> position and digest of the command
        self._stream = Shared(log, stream(table), clock, self._note, self._known.clear)

    async def submit(self, key: str, command: commands.INBOX) -> int:
        """The position of the command, also when the same one was submitted before under this key.

        Raises `KeyReused` when it was another, and `WrongState` when the inbox is full.
        """
        digest = hashlib.sha256(encode(command)).digest()

        def decide() -> list[CommandSubmitted]:
            if key in self._known:
                if self._known[key][1] != digest:
                    raise KeyReused(f"The key {key!r} was used before for another command; use a new one.")
                return []
            if self._stream.last.seq >= MAX_COMMANDS and not isinstance(command, commands.Close):
                raise WrongState("This table has been sent more commands than it takes.", code="inbox_full")
            return [CommandSubmitted(key=key, command=command)]

        await self._stream.add(decide)
        return self._known[key][0]

    def _note(self, record: Record) -> None:
        entry = submitted(record)
        if entry is not None:
            digest = hashlib.sha256(encode(entry.command)).digest()
            self._known[entry.key] = (record.cursor.seq, digest)
