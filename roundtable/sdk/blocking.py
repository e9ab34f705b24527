"""The same calls for scripts and notebooks, without `async`: a loop in a thread of its own does the work.

So it works where a loop runs already (Jupyter), and an interrupt (Ctrl-C, the stop button) ends what was invoked.
"""

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Generic, Self, TypeVar

from roundtable.sdk.answering import Answer, Cancelled, Chunk, chunks, failed
from roundtable.sdk.client import Client
from roundtable.sdk.display import Display, display
from roundtable.sdk.event import Event
from roundtable.sdk.streams import Streams

# Seconds for what was interrupted to end: the client's word to the server takes at most five.
INTERRUPTED_WITHIN = 6.0

_T = TypeVar("_T")


class Reader(Generic[_T]):
    """A stream as an iterator. Closing it - or an interrupt while it waits - ends what was invoked for it."""

    def __init__(
        self, loop: "Loop", told: AsyncGenerator[_T], see: Callable[[_T], None], end: Callable[[], None]
    ):
        self._loop, self._told, self._see, self._end = loop, told, see, end
        self._closed = False

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        try:
            each = self._loop.call(self._told.__anext__())
        except StopAsyncIteration:
            self.close()
            raise StopIteration from None
        except BaseException:
            self.close()
            raise
        self._see(each)
        return each

    def close(self) -> None:
        """No effect the second time."""
        if not self._closed:
            self._closed = True
            self._end()
            self._loop.call(self._told.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SyncClient:
    """A server by its address (with `Client`'s options), or what `local(...)` gives. It works until `close`, or as a
    context manager. One thread may use it at a time for one stream; several streams may be used by several."""

    def __init__(self, where: str | AbstractAsyncContextManager[Streams], **options: Any) -> None:
        self._loop = Loop()
        self._context = Client(where, **options) if isinstance(where, str) else where
        try:
            self._streams: Streams = self._loop.call(self._context.__aenter__())
        except BaseException:
            self._loop.close()
            raise
        self._shut = weakref.finalize(
            self, _shut, self._loop, self._context
        )  # at the interpreter's end at the latest

    def close(self) -> None:
        """End what is still under way, and the thread. No effect the second time."""
        self._shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream(
        self, address: str, type: str, payload: Mapping[str, Any] | None = None, *, display: bool = False
    ) -> Reader[Event]:
        """As `Streams.stream`; with `display` its words are shown as they come."""
        shown = _shown(display)
        events = self._streams.stream(address, type, payload)
        return Reader(self._loop, events, lambda event: shown.write(event.text), shown.end)

    def stream_ask(
        self,
        address: str,
        type: str,
        payload: Mapping[str, Any] | None = None,
        *,
        on_chunk: Callable[[Chunk], object] | None = None,
        timeout: float | None = None,
        display: bool = False,
    ) -> str:
        """As `Streams.stream_ask`; `on_chunk` is called in this thread."""
        answer, shown, content, ended = Answer(), _shown(display), "", False
        told = chunks(self._streams.stream(address, type, payload), answer, timeout)
        try:
            with Reader(self._loop, told, lambda chunk: _show(shown, chunk), shown.end) as reader:
                for chunk in reader:
                    content, ended = chunk["content"], chunk["type"] != "token"
                    if on_chunk:
                        on_chunk(chunk)
        except KeyboardInterrupt:
            if on_chunk and not ended:
                on_chunk(failed(answer, Cancelled("It was interrupted.")))
            raise
        return content

    def call(self, method: str, /, *args: Any, **options: Any) -> Any:
        """Any other method of `Client` by its name, with its result; of one that gives many, the list of them."""
        made = getattr(self._streams, method)(*args, **options)
        return self._loop.call(_all(made) if isinstance(made, AsyncIterator) else made)


class Loop:
    """An event loop in a thread; `call` runs something in it and waits."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="roundtable", daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether this is its thread, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result. Interrupted it cancels the work, and waits until that has ended."""
        tasks = list[asyncio.Task[Any]]()
        future = asyncio.run_coroutine_threadsafe(_noted(work, tasks), self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            with suppress(Exception, asyncio.CancelledError):
                future.result(INTERRUPTED_WITHIN)
            raise

    def close(self) -> None:
        """End it and its thread."""
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_asyncgens(), self._loop).result(
            INTERRUPTED_WITHIN
        )
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(INTERRUPTED_WITHIN)
        self._loop.close()


def _shut(loop: Loop, context: AbstractAsyncContextManager[Streams]) -> None:
    if loop.is_here:  # where the collector happened to run
        return
    try:
        loop.call(context.__aexit__(None, None, None))
    finally:
        loop.close()


async def _noted(work: Coroutine[Any, Any, _T], tasks: list[asyncio.Task[Any]]) -> _T:
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    tasks.append(task)
    return await work


async def _all(many: AsyncIterator[_T]) -> list[_T]:
    return [each async for each in many]


class _Nothing:
    def write(self, text: str) -> None: ...
    def end(self) -> None: ...


def _shown(wanted: bool) -> Display:
    return display() if wanted else _Nothing()


def _show(shown: Display, chunk: Chunk) -> None:
    if chunk["type"] == "token":
        shown.write(chunk["content"])
