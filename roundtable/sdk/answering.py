"""An answer as a whole, and told piece by piece to a callback: what `stream_ask` makes of a stream."""

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, Literal, TypedDict

from protocol import codec, kinds
from protocol.errors import RoundtableError
from roundtable.sdk.event import Event

# The last word to a callback whose caller is being cancelled must not hold that up. Seconds.
LAST_WORD = 5.0


class Failed(RoundtableError):
    """The invocation, or every turn that was to answer, ended with an error; `code` and `retryable` are its own."""

    code = "failed"


class Cancelled(RoundtableError):
    """Somebody ended it before it had an answer."""

    code = "cancelled"


class TimedOut(RoundtableError, TimeoutError):
    """The caller's own `timeout` has passed. What was invoked has been ended."""

    code = "timeout"
    retryable = True


class Problem(TypedDict):
    """An error, in JSON's own types."""

    code: str
    detail: str
    retryable: bool


class Chunk(TypedDict):
    """What `on_chunk` is given: any number of `token` (`content` are words to be added), then one `done` (`content` is
    the answer) or one `error` (`content` is what had been said). `timestamp` is in Unix seconds."""

    type: Literal["token", "done", "error"]
    content: str
    error: Problem | None
    timestamp: float


OnChunk = Callable[[Chunk], Awaitable[object] | object]


class Answer:
    """What has been said, whoever says it."""

    def __init__(self) -> None:
        self._said: dict[str, list[str]] = {}  # by turn or message; an invocation has one voice
        self._names: dict[str, str] = {}
        self._failures: dict[str, RoundtableError] = {}
        self._paperwork: set[str] = set()
        self._invocation = ""
        self._final: str | None = None

    def take(self, event: Event) -> str:
        """The words that it adds. Raises `Failed` and `Cancelled` where it ends an invocation like that."""
        data = event.data
        voice = str(data.get("turn") or data.get("message") or "")
        if self._is_paperwork(event, voice):
            return ""
        self._note(event, voice)
        if event.text:
            self._said.setdefault(voice, []).append(event.text)
        return event.text

    def _is_paperwork(self, event: Event, turn: str) -> bool:
        """Whether it was asked for by a table, and is read by it and by nobody else."""
        if event.type == "turn.queued" and not kinds.is_heard(str(event.data.get("kind", kinds.SPEECH))):
            self._paperwork.add(turn)
        return turn in self._paperwork

    def _note(self, event: Event, voice: str) -> None:
        data = event.data
        match event.type:
            case "init":
                self._invocation = str(data.get("id"))
            case "converge":
                self._final = _text(data.get("final"))
            case "error":
                raise _failure(data)
            case "cancelled":
                raise Cancelled(f"It was cancelled ({data.get('reason')}).")
            case "message.created" if isinstance(message := data.get("message"), dict):
                self._names[str(message.get("id"))] = str(message.get("author"))
            case "turn.started":
                self._names[voice] = str(data.get("panelist"))
            case "turn.failed" | "message.error":
                self._failures[voice] = _failure(data.get("error"))
            case _:
                pass  # the rest says nothing of the answer

    @property
    def so_far(self) -> str:
        """Everything that was said, each voice by itself, under its name where there are several."""
        return self._written(list(self._said))

    def result(self) -> str:
        """The answer; those who failed are left out. Raises `Failed` when it is nobody's."""
        if self._final is not None:
            return self._final
        if self._invocation:
            raise Failed(
                "The stream ended without an end of the invocation.", code="interrupted", retryable=True
            )
        answered = [voice for voice in self._said if voice not in self._failures]
        if self._failures and not answered:
            raise next(reversed(self._failures.values()))
        return self._written(answered)

    def _written(self, voices: list[str]) -> str:
        texts = ["".join(self._said[voice]) for voice in voices]
        if len(texts) < 2:
            return "".join(texts)
        named = zip([self._names.get(voice, "") for voice in voices], texts, strict=True)
        return "\n\n".join(f"{name}: {text}" if name else text for name, text in named)


async def chunks(
    events: AsyncGenerator[Event], answer: Answer, within: float | None
) -> AsyncGenerator[Chunk]:
    """What `events` bring, as it is told: `token` after `token`, and one end. After an `error` its own is raised.

    The answer shall be whole in `within` seconds from now, or `TimedOut` ends it.
    """
    until = None if within is None else asyncio.get_running_loop().time() + within
    try:
        async with aclosing(events):
            while (event := await _next(events, until)) is not None:
                if words := answer.take(event):
                    yield Chunk(type="token", content=words, error=None, timestamp=event.at)
        content = answer.result()
    except TimeoutError:
        late = TimedOut(f"There was no whole answer within {within:g} s.")
        yield failed(answer, late)
        raise late from None
    except RoundtableError as error:
        yield failed(answer, error)
        raise
    yield Chunk(type="done", content=content, error=None, timestamp=time.time())


def failed(answer: Answer, error: RoundtableError) -> Chunk:
    """The end by an error."""
    problem = Problem(code=error.code, detail=error.detail, retryable=error.retryable)
    return Chunk(type="error", content=answer.so_far, error=problem, timestamp=time.time())


async def ask(events: AsyncGenerator[Event], on_chunk: OnChunk | None, within: float | None) -> str:
    """The answer that `events` bring, told to `on_chunk` on the way.

    Exactly one `done` or `error` is told, whatever happens, unless the callback itself raises: that is raised here.
    """
    answer, telling, content = Answer(), _Telling(on_chunk), ""
    try:
        async with aclosing(chunks(events, answer, within)) as told:
            async for chunk in told:
                content = chunk["content"]
                await telling.tell(chunk)
    except asyncio.CancelledError:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                await telling.tell(failed(answer, Cancelled("Its caller was cancelled.")))
        raise
    return content


class _Telling:
    """The callback, which hears nothing after an end, nor once it has failed."""

    def __init__(self, on_chunk: OnChunk | None) -> None:
        self._on_chunk = on_chunk

    async def tell(self, chunk: Chunk) -> None:
        if (told := self._on_chunk) is None:
            return
        self._on_chunk = None
        answer = told(chunk)
        if inspect.isawaitable(answer):
            await answer
        self._on_chunk = told if chunk["type"] == "token" else None


async def _next(events: AsyncGenerator[Event], until: float | None) -> Event | None:
    """Within one call, as each may come from another task."""
    async with asyncio.timeout_at(until):
        return await anext(events, None)


def _failure(told: Any) -> Failed:
    told = told if isinstance(told, dict) else {}
    return Failed(
        str(told.get("detail") or "It failed."),
        code=str(told.get("code") or Failed.code),
        retryable=told.get("retryable") is True,
    )


def _text(final: Any) -> str:
    """A result as text: its own where it has one, also within that of a race, or its JSON."""
    if isinstance(final, dict):
        for member in ("text", "final"):
            if member in final:
                return _text(final[member])
    return final if isinstance(final, str) else codec.encode(final).decode()
