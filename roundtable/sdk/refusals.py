"""A refusal over HTTP becomes the error it was on the server: the counterpart of `edge/problems.py`, for callers."""

import msgspec

from protocol.codec import UNREADABLE
from protocol.errors import (
    CallerError,
    Invalid,
    KeyReused,
    LogUnavailable,
    NotFound,
    ProviderError,
    RoundtableError,
    WrongState,
)


class Unreachable(RoundtableError):
    """No server answered, or what answered is no server of ours."""

    code = "unreachable"
    retryable = True


class _Problem(msgspec.Struct, frozen=True):
    """What we use of an RFC 9457 document; another's document may lack any of it."""

    detail: str = ""
    code: str = ""
    retryable: bool = False
    field: str = ""


# As many characters of a stranger's words as fit a message.
_MAX_DETAIL = 500
_decoder = msgspec.json.Decoder(_Problem)


def refusal(status: int, body: bytes) -> RoundtableError:
    """The error behind a status that is no success and its body."""
    try:
        problem = _decoder.decode(body)
    except UNREADABLE:
        problem = _Problem()
    if not problem.code:
        # A proxy's word, or a stranger's: its page is nothing to show.
        return Unreachable(
            f"The address answered {status}, and not as a roundtable does.", retryable=status >= 500
        )
    detail = problem.detail[:_MAX_DETAIL]
    match status:
        case 400:
            return Invalid(detail, field=problem.field, code=problem.code)
        case 404:
            return NotFound(detail, code=problem.code)
        case 409:
            return WrongState(detail, code=problem.code)
        case 422:
            return KeyReused(detail, code=problem.code)
        case 502:
            return ProviderError(detail, code=problem.code, retryable=problem.retryable)
        case 503:
            return LogUnavailable(detail, code=problem.code, retryable=problem.retryable)
        case _:
            kind = CallerError if status < 500 else RoundtableError
            return kind(detail, code=problem.code, retryable=problem.retryable)
