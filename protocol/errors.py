"""One error tree. Each class says whose fault it is; each error has a stable code and says if a retry can help.

    RoundtableError
    ├── CallerError                the caller can mend it
    │   ├── Invalid                a value is wrong (`field` names it)
    │   ├── NotFound               no such table, turn or model
    │   ├── WrongState             the table cannot do that now
    │   ├── KeyReused              an idempotency key came again with another body
    │   └── Busy                   too much is asked at once; later it will do
    ├── ProviderError              a model's server failed, or refused our key
    └── LogError                   ours
        ├── Conflict               another owner has written; this one must stop
        ├── LogUnavailable         the store cannot be reached or written
        └── LogDamaged             the store holds bytes that are no entry

`IllegalMove` stands apart: it is a bug in a writer, never a person's mistake.
The edge translates to RFC 9457 problem documents; nothing else knows HTTP statuses.
"""

from typing import ClassVar, Literal

Fault = Literal["caller", "provider", "ours"]


class RoundtableError(Exception):
    """Base of every error we raise on purpose. `detail` is one sentence for a person, without secrets."""

    fault: ClassVar[Fault] = "ours"
    code: str = "internal"
    retryable: bool = False

    def __init__(self, detail: str, *, code: str | None = None, retryable: bool | None = None) -> None:
        # Vendors' words are in it, and JSON lets them send halves of surrogate pairs, which no log could hold.
        self.detail = detail.encode(errors="replace").decode()
        super().__init__(self.detail)
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable


class CallerError(RoundtableError):
    """The request is at fault: mend it and send it again."""

    fault = "caller"
    code = "bad_request"


class Invalid(CallerError):
    """A value is malformed, unknown or out of bounds. `field` is its JSON path, or the parameter's name."""

    code = "invalid"

    def __init__(self, detail: str, *, field: str = "", code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.field = field


class NotFound(CallerError):
    """Nothing exists under that name."""

    code = "not_found"


class WrongState(CallerError):
    """Understood, but the table is in a state where it cannot be done."""

    code = "wrong_state"


class KeyReused(CallerError):
    """The idempotency key was used before with a different body."""

    code = "key_reused"


class Busy(CallerError):
    """More is asked at once than is taken; `retry_after` (seconds) is when to try again."""

    code = "too_many_requests"
    retryable = True

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ProviderError(RoundtableError):
    """A model could not answer. `retry_after` is in seconds, when the server named one.

    Codes: `auth`, `model_not_found`, `rate_limited`, `quota`, `unavailable`, `bad_request`, `context_overflow`,
    `content_filter`, `timeout`, `connection`, `malformed`, `empty`, `internal`, `circuit_open` (not asked at all).
    """

    fault = "provider"
    code = "unavailable"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail, code=code, retryable=retryable)
        self.retry_after = retry_after


class LogError(RoundtableError):
    """The log could not do what was asked."""

    code = "log"


class Conflict(LogError):
    """The stream's tail is not the expected one: another owner has written, so the writer must stop."""

    code = "conflict"


class LogUnavailable(LogError):
    """The store cannot be reached, is full, or refuses writes. Nothing unacknowledged was promised."""

    code = "log_unavailable"
    retryable = True


class LogDamaged(LogError):
    """The store holds something that cannot be read as an entry."""

    code = "log_damaged"


class IllegalMove(RoundtableError):
    """An event does not follow from the transcript's state. Nothing was changed."""

    code = "illegal_move"
