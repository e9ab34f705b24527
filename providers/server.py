"""A model server behind its vendor's official SDK: what every dialect's provider does alike.

The request is the dialect's, and reading the answer too. No retries and no deadline but for connecting: both belong
to the turn.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import httpx2

from protocol.errors import Invalid, ProviderError
from providers import calling
from providers.answer import Answer
from providers.base import Chunk, Request
from providers.connection import listen
from providers.failures import Failures, report, retry_after
from providers.options import named
from providers.presets import Preset


class Client(Protocol):
    """An SDK's client, as far as it is the same everywhere."""

    def is_closed(self) -> bool: ...

    async def close(self) -> None: ...


class StatusError(Protocol):
    """An answer that is a refusal."""

    response: httpx2.Response
    status_code: int
    body: object | None


class Errors(NamedTuple):
    """An SDK's names for what goes wrong; the vendors have theirs made by one generator. `own` is the base of all."""

    own: type[Exception]
    status: type[StatusError]
    timeout: type[Exception]
    connection: type[Exception]


C = TypeVar("C", bound=Client)


class ModelServer(ABC, Generic[C]):
    """One server. Holds one pool of connections; `now` (Unix seconds) reads dates in `retry-after`."""

    reader: ClassVar[type[Answer]]

    def __init__(self, preset: Preset, key: str, client: C, errors: Errors, now: Callable[[], float]) -> None:
        self.name, self.local, self.destination = preset.name, preset.local, preset.seen_by
        self.images = preset.images
        self._preset, self._client, self._errors, self._now = preset, client, errors, now
        key_env = preset.key_envs[0] if preset.key_envs else ""
        self._failures = Failures(preset.title, preset.host, local=self.local, key_env=key_env, secret=key)
        # What the SDK raises on purpose; and by what cannot be written into a request: a key, an address, a tool that
        # is nested a thousand times.
        self._refused = (errors.own, httpx2.InvalidURL, ValueError, RecursionError)

    @abstractmethod
    def check(self, options: dict[str, Any]) -> None:
        """Raises `Invalid` when a panelist's options are not for this dialect."""

    def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """See `providers.base.Provider.stream`."""
        return listen(partial(self._ask, request), self.reader(self._failures, request.model), self._failures)

    async def close(self) -> None:
        """Close every connection. A stream still open ends with `ProviderError`."""
        await self._client.close()

    @abstractmethod
    async def _send(self, request: Request) -> httpx2.Response:
        """The request, in this dialect; raises `Invalid` and what the SDK raises."""

    async def _ask(self, request: Request) -> httpx2.Response:
        if self._client.is_closed():
            raise self._failures.cut()
        try:
            calling.check(request)
            return await self._send(request)
        except Invalid as error:
            raise self._failures.refused(named(error)) from None
        except self._refused as error:
            # Not chained: the SDK's error prints the server's words, which may hold the key.
            raise self._failed(error, request.model) from None

    def _failed(self, error: Exception, model: str) -> ProviderError:
        if isinstance(error, self._errors.status):
            wait = retry_after(error.response.headers, self._now())
            return self._failures.reported(report(error.body, error.status_code), model, wait)
        if isinstance(error, self._errors.timeout):
            return self._failures.timed_out()
        if not isinstance(error, self._errors.connection):
            return self._failures.refused(f"The request cannot be sent: {type(error).__name__}")
        if isinstance(error.__cause__, httpx2.ConnectError):
            return self._failures.unreachable(error.__cause__)
        return self._failures.cut()
