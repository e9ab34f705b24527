"""One panelist's turn: asks the provider, keeps the deadlines, retries before the first word, and ends exactly once.

It tells what happens as events into its `Source`; the last is `turn.completed` or `turn.failed`. A turn that is
stopped tells nothing more: whoever stops it writes its end. When its task is cancelled (the owner goes away) there
is no end: the next owner writes it.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import msgspec

from protocol import events as e
from protocol.errors import ProviderError
from protocol.messages import Cost, Failure, Usage
from providers import base
from roundtable.table.deadline import Deadline
from roundtable.table.guard import SpeakerGuard
from roundtable.table.merge import Happened, Source, pieces

log = logging.getLogger("roundtable.turn")

# Asking three times covers a deploy or a burst; more only makes the audience wait.
ATTEMPTS = 3
# First pause before asking again, doubled each time, in seconds; a server's own retry-after goes before it.
BACK_OFF = 1.0
# A server that asks for more patience than this many seconds has left the table for this turn.
MAX_WAIT = 30.0
# Characters of one turn, with its thinking and what it writes to tools: some 100,000 tokens, more than vendors let a
# model write unasked. Who goes on is cut there: a server may never end, while a record of the log has 8 MiB (in JSON a
# character takes six bytes at the most).
MOST = 400_000
# A provider whose stream takes longer to close, after a deadline or a stop, is cut short in that too; seconds. Closing
# a socket takes milliseconds, a child process that computes some tens.
CLOSE_WITHIN = 5.0
# English averages four characters a token; used only where a provider tells no usage, and then said to be estimated.
CHARACTERS_PER_TOKEN = 4


class Deadlines(msgspec.Struct, frozen=True):
    """Seconds until the first chunk, between chunks, and for the whole turn; 0 is none."""

    first: float = 120.0
    idle: float = 60.0
    total: float = 900.0


class Speaker(msgspec.Struct, frozen=True):
    """Who speaks, through what, and how her usage is priced."""

    turn: str
    panelist: str
    provider: base.Provider
    request: base.Request
    others: tuple[str, ...]
    price: Callable[[Usage], Cost | None]
    deadlines: Deadlines = Deadlines()


class TurnRun:
    """One run of one turn. `run` it in a task; `stop` ends it early, with what was said."""

    def __init__(self, speaker: Speaker, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self._speaker = speaker
        self._source = source
        self._clock = clock
        self._attempt = 1
        self._text = ""
        self._heard = 0  # characters of reasoning, for the estimate
        self._room = MOST
        self._began = False
        self._usage: Usage | None = None
        self._stopped = False
        self._total_at: float | None = None
        # Whatever comes first: too long a silence, the end of the whole turn's time, a stop.
        self._deadline = Deadline(grace=CLOSE_WITHIN)

    def stop(self) -> tuple[Usage, Cost | None]:
        """Close the provider's stream now, and tell nothing more; what the turn used until here, and its price."""
        self._stopped = True
        self._deadline.move(asyncio.get_running_loop().time())
        return self._bill()

    async def run(self) -> None:
        """Everything from asking to the end, which comes `CLOSE_WITHIN` seconds after a deadline at the latest."""
        if self._stopped:
            return
        deadlines = self._speaker.deadlines
        if deadlines.total:
            self._total_at = asyncio.get_running_loop().time() + deadlines.total
        try:
            async with self._deadline:
                ending = await self._ask_until_answered()
        except TimeoutError:
            ending = self._cut_short()
        if not self._stopped:
            await self._source.put(Happened(self._clock(), ending))

    # -- asking ------------------------------------------------------------------------------------------------

    async def _ask_until_answered(self) -> e.TurnEvent:
        while True:
            try:
                return await self._ask()
            except ProviderError as error:
                failure, wait = Failure(error.code, error.detail, error.retryable), error.retry_after
            except Exception as error:  # a provider's bug must not end the table
                log.exception("turn %s: %s broke", self._speaker.turn, self._speaker.provider.name)
                failure = Failure("internal", f"The provider's adapter broke: {type(error).__name__}.")
                wait = None
            if self._deadline.passed:
                raise TimeoutError  # it was closed by us, and what it made of that is no news
            wait = self._patience(failure, wait)
            if wait is None:
                return self._failed(failure)
            self._attempt += 1
            await self._put(e.TurnRetried(**self._who(), error=failure, wait=round(wait, 3)))
            self._watch(None)
            await asyncio.sleep(wait)

    def _patience(self, failure: Failure, retry_after: float | None) -> float | None:
        """Seconds to wait before asking again, or None where that would be wrong or useless."""
        if self._began or not failure.retryable or self._attempt >= ATTEMPTS:
            return None
        wait = retry_after if retry_after is not None else BACK_OFF * 2 ** (self._attempt - 1)
        return wait + random.uniform(0, BACK_OFF / 2) if wait <= MAX_WAIT else None

    async def _ask(self) -> e.TurnEvent:
        guard = SpeakerGuard(self._speaker.panelist, self._speaker.others)
        stop: base.Stop | None = None
        self._watch(self._speaker.deadlines.first or None)
        async with contextlib.aclosing(self._speaker.provider.stream(self._speaker.request)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, base.Stop):
                    stop = chunk
                    break
                await self._hear(chunk, guard)
                if not self._room:
                    stop = base.Stop("length")
                if stop or guard.cut:
                    break
                self._watch(self._speaker.deadlines.idle or None)
        await self._say(guard.flush())
        if stop is None and not guard.cut:
            raise ProviderError("The answer broke off without an end.", code="connection", retryable=True)
        if not self._text.strip() and (stop is None or stop.reason != "tool_calls"):
            raise _silence(stop)
        return self._completed(stop)

    async def _hear(self, chunk: base.Text | base.Thinking | base.ToolCall, guard: SpeakerGuard) -> None:
        match chunk:
            case base.Text():
                await self._say(guard.feed(self._fitting(chunk.text)))
            case base.Thinking():
                for part in pieces(self._fitting(chunk.text)):
                    await self._put(e.TurnThinking(**self._who(), text=part))
                    self._heard += len(part)
            case base.ToolCall():
                name = chunk.name
                for part in pieces(self._fitting(chunk.arguments)):
                    await self._put(e.TurnTool(**self._who(), call=chunk.call, name=name, arguments=part))
                    name = ""
        self._began = True

    def _fitting(self, text: str) -> str:
        """As much of it as there is room for."""
        text = text[: self._room]
        self._room -= len(text)
        return text

    async def _say(self, text: str) -> None:
        """What a deadline keeps from being handed over was not said, and its end does not hold it."""
        for part in pieces(text) if text else ():
            await self._put(e.TurnDelta(**self._who(), text=part))
            self._text += part

    async def _put(self, event: e.TurnEvent) -> None:
        """Waiting for room is the table's doing, not the provider's: only the total deadline runs meanwhile."""
        self._watch(None)
        await self._source.put(Happened(self._clock(), event))

    def _watch(self, seconds: float | None) -> None:
        """The next deadline is `seconds` from now, but never past the whole turn's, nor past a stop."""
        if self._stopped:
            return
        at = None if seconds is None else asyncio.get_running_loop().time() + seconds
        known = [when for when in (at, self._total_at) if when is not None]
        self._deadline.move(min(known, default=None))

    # -- endings -----------------------------------------------------------------------------------------------

    def _completed(self, stop: base.Stop | None) -> e.TurnCompleted:
        self._usage = stop.usage if stop else None
        usage, cost = self._bill()
        return e.TurnCompleted(
            **self._who(), text=self._text, stop_reason=stop.reason if stop else "stop_sequence",
            usage=usage, cost=cost,
        )  # fmt: skip

    def _failed(self, failure: Failure) -> e.TurnFailed:
        usage, cost = self._bill()
        return e.TurnFailed(**self._who(), text=self._text, error=failure, usage=usage, cost=cost)

    def _cut_short(self) -> e.TurnFailed:
        deadlines = self._speaker.deadlines
        now = asyncio.get_running_loop().time()
        if self._total_at is not None and now >= self._total_at:
            detail = f"The turn took longer than {deadlines.total:g} s."
        elif self._began:
            detail = f"No word for {deadlines.idle:g} s in the middle of the answer."
        else:
            detail = f"No first word within {deadlines.first:g} s."
        return self._failed(Failure("timeout", detail, retryable=True))

    def _bill(self) -> tuple[Usage, Cost | None]:
        usage = self._used()
        return usage, self._speaker.price(usage)

    def _used(self) -> Usage:
        """The provider's count, or an estimate that says it is one. A refused request used nothing."""
        if self._usage is not None:
            return self._usage
        if not self._began:
            return Usage()
        asked = len(self._speaker.request.system) + sum(len(m.text) for m in self._speaker.request.messages)
        return Usage(
            input=asked // CHARACTERS_PER_TOKEN,
            output=-(-(len(self._text) + self._heard) // CHARACTERS_PER_TOKEN),
            thinking=-(-self._heard // CHARACTERS_PER_TOKEN),
            estimated=True,
        )

    def _who(self) -> dict[str, Any]:
        return {"turn": self._speaker.turn, "panelist": self._speaker.panelist, "attempt": self._attempt}


def _silence(stop: base.Stop | None) -> ProviderError:
    """Why nothing was said. What a limit or a filter silenced once it would silence again."""
    match stop:
        case base.Stop("length"):
            detail = "The model spent all the tokens it may use before its first word."
            return ProviderError(detail, code="empty", retryable=False)
        case base.Stop("content_filter" | "refusal"):
            detail = "The model, or its provider's content filter, refused to answer."
            return ProviderError(detail, code="content_filter", retryable=False)
        case _:
            return ProviderError("The model ended without saying anything.", code="empty", retryable=True)
