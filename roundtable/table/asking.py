"""Asking one model: the deadlines, another attempt before its first chunk, the most it may say, and what it used.

Who asks hears chunk by chunk and may take its time: only the total deadline runs meanwhile.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from protocol.errors import ProviderError
from protocol.messages import Cost, Failure, Usage
from providers import base
from roundtable.table.deadline import Deadline

log = logging.getLogger("roundtable.asking")

# Asking three times covers a deploy or a burst; more only makes the audience wait.
ATTEMPTS = 3
# First pause before asking again, doubled each time, in seconds; a server's own retry-after goes before it.
BACK_OFF = 1.0
# A server that asks for more patience than this many seconds is not waited for.
MAX_WAIT = 30.0
# Characters of one answer, with its thinking and what it writes to tools: some 100,000 tokens, more than vendors let a
# model write unasked. Who goes on is cut there: a server may never end, while a record of the log has 8 MiB (in JSON a
# character takes six bytes at the most).
MOST = 400_000
# A provider whose stream takes longer to close, after a deadline or a stop, is cut short in that too; seconds. Closing
# a socket takes milliseconds, a child process that computes some tens.
CLOSE_WITHIN = 5.0
# English averages four characters a token; used only where a provider tells no usage, and then said to be estimated.
CHARACTERS_PER_TOKEN = 4


class Deadlines(msgspec.Struct, frozen=True):
    """Seconds until the first chunk, between chunks, and for the whole answer; 0 is none."""

    first: float = 120.0
    idle: float = 60.0
    total: float = 900.0


# A model on this machine may read its prompt for minutes, and nobody is charged for waiting: no first deadline.
LOCAL = Deadlines(first=0.0, idle=120.0)


def deadlines(provider: base.Provider) -> Deadlines:
    """How long a provider is waited for."""
    return LOCAL if provider.local else Deadlines()


class Asked(msgspec.Struct, frozen=True):
    """Who is asked what, how its usage is priced, and how long it is waited for. `label` is for our log."""

    label: str
    provider: base.Provider
    request: base.Request
    price: Callable[[Usage], Cost | None]
    deadlines: Deadlines = Deadlines()


class Hears(Protocol):
    """Who hears the answer. Both may wait, and then the provider is read no further."""

    async def hear(self, chunk: base.Text | base.Thinking | base.ToolCall) -> bool:
        """The next chunk; whether that is enough."""
        ...

    async def retried(self, attempt: int, error: Failure, wait: float) -> None:
        """Nothing was heard; `attempt` follows after `wait` seconds."""
        ...


class Asking:
    """One question. `run` it in a task; `stop` ends it early."""

    def __init__(self, asked: Asked, listener: Hears) -> None:
        self._asked, self._listener = asked, listener
        self._attempt = 1
        self._said, self._thought = 0, 0  # characters, for the estimate
        self._blank = True
        self._room = MOST
        self._began = False
        self._usage: Usage | None = None
        self.stopped = False
        self._total_at: float | None = None
        # Whatever comes first: too long a silence, the end of all the time there is, a stop.
        self._deadline = Deadline(grace=CLOSE_WITHIN)

    def stop(self) -> None:
        """Close the provider's stream now, and tell nothing more."""
        self.stopped = True
        self._deadline.move(asyncio.get_running_loop().time())
