"""A circuit breaker for one server: after several failures in a row it is left alone for a while, then asked once.

Pure: the time, in seconds of any clock, is handed in. One per server and process, so nothing here grows. Sources:
Michael Nygard, "Release It!", 2nd ed. (2018), "Circuit Breaker"; Beyer et al., "Site Reliability Engineering" (2016),
ch. 22, on retries that keep an ill server down.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from protocol.errors import ProviderError

# Failures in a row, at whatever tables: one panelist's turn alone (three attempts) leaves nobody out.
FAILURES = 5
# Seconds that a server is left alone; as long as a table waits for one that names its own time (`asking.MAX_WAIT`).
OPEN_FOR = 30.0
# Seconds after which another may look again, while one asks for all.
PROBE_FOR = 5.0
CODE = "circuit_open"
# A server with these troubles cannot answer anybody. A refused key, an unknown model, too many requests are answers.
_DOWN = frozenset({"connection", "unavailable", "timeout"})


class Breaker:
    """`async` code enters `asking` around each request; `title` is the server's name for people."""

    def __init__(self, title: str = "The server") -> None:
        self._title = title
        self._failures = 0
        self._until: float | None = None  # closed while None
        self._probe: Asked | None = None

    def left_alone(self, now: float) -> float:
        """Seconds until somebody is let through; 0 where anybody is."""
        if self._until is None:
            return 0.0
        left = self._until - now
        return left if left > 0 else PROBE_FOR if self._probe else 0.0

    def asking(self, now: Callable[[], float], late: Callable[[], bool]) -> "Asked":
        """For one request. `late` tells at its end whether no answer came in time, where it was cancelled for that.

        Raises `ProviderError` (`circuit_open`, with `retry_after`) instead, while the server is left alone.
        """
        if wait := self.left_alone(now()):
            raise ProviderError(
                f"{self._title} failed {self._failures} times in a row; it is asked again in {wait:.0f} s.",
                code=CODE,
                retryable=True,
                retry_after=wait,
            )
        asked = Asked(self, now, late)
        if self._until is not None:
            self._probe = asked
        return asked

    def answered(self) -> None:
        """It lives, whatever it said."""
        self._failures, self._until, self._probe = 0, None, None

    def failed(self, asked: "Asked", now: float) -> None:
        """No answer. What was asked before the server was left alone is no news while it is."""
        if self._until is None or self._probe is asked:
            self._failures += 1
            self._probe = None
            if self._failures >= FAILURES:
                self._until = now + OPEN_FOR

    def abandoned(self, asked: "Asked") -> None:
        """Nobody waited for the answer; the next may look."""
        if self._probe is asked:
            self._probe = None


class Asked:
    """One request, as a context manager; `answered` at the first word."""

    def __init__(self, breaker: Breaker, now: Callable[[], float], late: Callable[[], bool]) -> None:
        self._breaker, self._now, self._late = breaker, now, late
        self._settled = False

    def answered(self) -> None:
        """The server has answered, and what comes after is no matter of its health."""
        if not self._settled:
            self._settled = True
            self._breaker.answered()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._settled:
            return
        self._settled = True
        if self._late() or (isinstance(error, ProviderError) and error.code in _DOWN):
            self._breaker.failed(self, self._now())
        elif isinstance(error, ProviderError):
            self._breaker.answered()
        else:
            self._breaker.abandoned(self)


def of(provider: object) -> Breaker:
    """That of a provider that has one; models on this machine look after themselves, and have none."""
    found = getattr(provider, "breaker", None)
    return found if isinstance(found, Breaker) else Breaker()
