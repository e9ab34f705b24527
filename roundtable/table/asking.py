"""Asking one model: the deadlines, another attempt before its first chunk, the most it may say, and what it used.

Who asks hears chunk by chunk and may take its time: only the total deadline runs meanwhile.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Callable
from typing import Protocol

import msgspec

from protocol.errors import ProviderError
from protocol.messages import Cost, Failure, Usage
from providers import base, breaker
from roundtable.table.counting import GUESSING, Counter
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


class Deadlines(msgspec.Struct, frozen=True):
    """Seconds until the first chunk, between chunks, and for the whole answer; 0 is none."""

    first: float = 120.0
    idle: float = 60.0
    total: float = 900.0


# A model on this machine may read its prompt for minutes, and nobody is charged for waiting: no first deadline.
LOCAL = Deadlines(first=0.0, idle=120.0)


def deadlines_of(provider: base.Provider) -> Deadlines:
    """How long a provider is waited for."""
    return LOCAL if provider.local else Deadlines()


class Listener(Protocol):
    """Who hears the answer. Both may take their time, and then the provider is read no further."""

    async def hear(self, chunk: base.Text | base.Thinking | base.ToolCall) -> bool:
        """The next chunk; says whether more is wanted."""
        ...

    async def retrying(self, attempt: int, error: Failure, wait: float) -> None:
        """Nothing was heard, and attempt `attempt` follows after `wait` seconds."""
        ...


class Asking:
    """One question to one model. `run` it in a task; `stop` ends it early. `label` is for our own log.

    `counter` estimates where the provider tells no usage. `go_on` is told what was heard, and says whether there is
    money left for more; else the answer ends by `length`. Where several are asked for one answer: it `began_at` (the
    loop's time), this is its `attempt` from that on, `room` characters are left of it, and `replaceable` says that
    another model is asked should this one's server be down.
    """

    def __init__(
        self,
        provider: base.Provider,
        request: base.Request,
        listener: Listener,
        *,
        price: Callable[[Usage], Cost | None],
        deadlines: Deadlines,
        label: str,
        counter: Counter = GUESSING,
        go_on: Callable[[str], bool] = lambda _: True,
        began_at: float | None = None,
        attempt: int = 1,
        room: int = MOST,
        replaceable: bool = False,
    ) -> None:
        self._counter, self._go_on = counter, go_on
        self._provider, self._request, self._listener = provider, request, listener
        self._price, self._deadlines, self._label = price, deadlines, label
        self._began_at = began_at
        self._first, self._attempt = attempt, attempt
        self._replaceable = replaceable
        self._said = self._thought = 0.0  # tokens, by estimate
        self._blank = True
        self._room = room
        self._began = False
        self._usage: Usage | None = None
        self._stopped = False
        self._total_at: float | None = None
        # Whatever comes first: too long a silence, the end of the whole answer's time, a stop.
        self._deadline = Deadline(grace=CLOSE_WITHIN)

    def stop(self) -> None:
        """Close the provider's stream now; nothing more is heard."""
        self._stopped = True
        self._deadline.move(asyncio.get_running_loop().time())

    async def run(self) -> base.Stop | Failure | None:
        """Everything from asking to the end, which comes `CLOSE_WITHIN` seconds after a deadline at the latest; None
        when it was stopped. An answer that was not heard out ends by `stop_sequence`."""
        ending = None if self._stopped else await self._within_deadlines()
        return None if self._stopped else ending

    @property
    def room(self) -> int:
        """Characters that are left of the answer."""
        return self._room

    def bill(self) -> tuple[Usage, Cost | None]:
        """What was used until now, and its price: the provider's count, or an estimate that says it is one."""
        usage = self._used()
        return usage, self._price(usage)

    async def _within_deadlines(self) -> base.Stop | Failure:
        if self._deadlines.total:
            began_at = asyncio.get_running_loop().time() if self._began_at is None else self._began_at
            self._total_at = began_at + self._deadlines.total
        try:
            async with self._deadline:
                return await self._ask_until_answered()
        except TimeoutError:
            return Failure("timeout", self._what_took_so_long(), retryable=True)

    async def _ask_until_answered(self) -> base.Stop | Failure:
        while True:
            try:
                return await self._ask()
            except ProviderError as error:
                failure, wait = Failure(error.code, error.detail, error.retryable), error.retry_after
            except Exception as error:  # a provider's bug must not end more than its answer
                log.exception("%s: %s broke", self._label, self._provider.name)
                failure = Failure("internal", f"The provider's adapter broke: {type(error).__name__}.")
                wait = None
            if self._deadline.passed:
                raise TimeoutError  # it was closed by us, and what it made of that is no news
            wait = self._patience(failure, wait)
            if wait is None:
                return failure
            self._attempt += 1
            self._watch(None)
            await self._listener.retrying(self._attempt, failure, wait)
            await asyncio.sleep(wait)

    def _patience(self, failure: Failure, retry_after: float | None) -> float | None:
        """Seconds to wait before asking again, or None where that would be wrong or useless."""
        if self._began or not failure.retryable or self._attempt - self._first + 1 >= ATTEMPTS:
            return None
        if failure.code == breaker.CODE and self._replaceable:
            return None
        wait = retry_after if retry_after is not None else BACK_OFF * 2 ** (self._attempt - 1)
        return wait + random.uniform(0, BACK_OFF / 2) if wait <= MAX_WAIT else None

    async def _ask(self) -> base.Stop:
        self._watch(self._deadlines.first or None)
        now = asyncio.get_running_loop().time
        with breaker.of(self._provider).asking(now, self._is_late) as asked:
            async with contextlib.aclosing(self._provider.stream(self._request)) as chunks:
                async for chunk in chunks:
                    asked.answered()
                    if isinstance(chunk, base.Stop):
                        return self._answered(chunk)
                    if not await self._hear(chunk):
                        return base.Stop("stop_sequence")
                    if self._room <= 0 or not self._go_on(_words(chunk)):
                        return base.Stop("length")
                    self._watch(self._deadlines.idle or None)
            raise ProviderError("The answer broke off without an end.", code="connection", retryable=True)

    def _is_late(self) -> bool:
        return self._deadline.passed and not self._stopped

    async def _hear(self, chunk: base.Text | base.Thinking | base.ToolCall) -> bool:
        self._began = True
        match chunk:
            case base.Text():
                text = _plain(chunk.text[: self._room])
                chunk = chunk if text == chunk.text else base.Text(text)
                self._said += self._counter.tokens(chunk.text)
                self._room -= len(chunk.text)
                self._blank = self._blank and not chunk.text.strip()
            case base.Thinking():
                chunk = base.Thinking(_plain(chunk.text[: self._room]))
                self._thought += self._counter.tokens(chunk.text)
                self._room -= len(chunk.text)
            case base.ToolCall():
                chunk = base.ToolCall(chunk.call, chunk.name, _plain(chunk.arguments[: self._room]))
                self._said += self._counter.tokens(chunk.arguments)
                # A call without arguments is charged its name: a server may make calls without end, too.
                self._room -= len(chunk.arguments) or len(chunk.call) + len(chunk.name) + 1
                self._blank = False
        self._watch(None)
        return await self._listener.hear(chunk)

    def _answered(self, stop: base.Stop) -> base.Stop:
        if stop.usage is not None:
            self._usage = stop.usage + (self._usage or Usage())
        if self._blank and stop.reason != "tool_calls":
            raise silence(stop)
        return stop

    def _watch(self, seconds: float | None) -> None:
        """The next deadline is `seconds` from now, but never past the whole answer's, nor past a stop."""
        if self._stopped:
            return
        at = None if seconds is None else asyncio.get_running_loop().time() + seconds
        known = [when for when in (at, self._total_at) if when is not None]
        self._deadline.move(min(known, default=None))

    def _what_took_so_long(self) -> str:
        now = asyncio.get_running_loop().time()
        if self._total_at is not None and now >= self._total_at:
            return f"The answer took longer than {self._deadlines.total:g} s."
        if self._began:
            return f"No word for {self._deadlines.idle:g} s in the middle of the answer."
        return f"No first word within {self._deadlines.first:g} s."

    def _used(self) -> Usage:
        """A refused request used nothing."""
        if self._usage is not None:
            return self._usage
        if not self._began:
            return Usage()
        return Usage(
            input=int(self._counter.tokens(text_of(self._request))),
            output=math.ceil(self._said + self._thought),
            thinking=math.ceil(self._thought),
            estimated=True,
        )


def _plain(text: str) -> str:
    """Without halves of surrogate pairs, which no log could hold: another package's provider may yield them."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _words(chunk: base.Text | base.Thinking | base.ToolCall) -> str:
    return chunk.arguments if isinstance(chunk, base.ToolCall) else chunk.text


def text_of(request: base.Request) -> str:
    """All that is asked in one, with the calls in it and what is told of tools."""
    said = [message.text for message in request.messages]
    calls = [call.arguments for message in request.messages for call in message.calls]
    tools = [msgspec.json.encode(request.tools).decode()] if request.tools else []
    return "".join([request.system, *said, *calls, *tools])


def silence(stop: base.Stop) -> ProviderError:
    """Why nothing was said. What a limit or a filter silenced once it would silence again."""
    match stop.reason:
        case "length":
            detail = "The model spent all the tokens it may use before its first word."
            return ProviderError(detail, code="empty", retryable=False)
        case "content_filter" | "refusal":
            detail = "The model, or its provider's content filter, refused to answer."
            return ProviderError(detail, code="content_filter", retryable=False)
        case _:
            return ProviderError("The model ended without saying anything.", code="empty", retryable=True)
