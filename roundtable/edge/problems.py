"""Errors become RFC 9457 problem documents here, and only here are they given an HTTP status.

What we did not foresee is logged under an incident id, and the caller is told that id and nothing else.
"""

import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web

from protocol import codec
from protocol.errors import (
    Busy,
    CallerError,
    IllegalMove,
    Invalid,
    KeyReused,
    LogUnavailable,
    NotFound,
    ProviderError,
    RoundtableError,
    WrongState,
)
from protocol.invocation import Cancelled, Failed
from roundtable.edge.openai import errors as openai

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_logger = logging.getLogger("roundtable.edge")

# The first class that fits, most special first.
_STATUS: dict[type[RoundtableError], int] = {
    Invalid: 400,
    NotFound: 404,
    WrongState: 409,
    KeyReused: 422,
    Busy: 429,
    CallerError: 400,
    ProviderError: 502,
    LogUnavailable: 503,
    RoundtableError: 500,
}
# When to try again while the store is away: as long as nodes wait themselves before they take over. Seconds.
STORE_AWAY = 2
# What only the edge refuses, by code.
_EDGE_STATUS = {
    "unauthorized": 401,
    "foreign_origin": 403,
    "timeout": 408,
    "too_large": 413,
    "unsupported_media_type": 415,
    "misdirected": 421,
    "upgrade_required": 426,
    "too_many_requests": 429,
    "too_many_streams": 503,
}
# Set on a request whose answer is under way.
_BEGUN = web.RequestKey("begun", bool)
# What aiohttp refuses before a handler sees it.
_AIOHTTP = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer that method."),
    413: ("too_large", "The body is too large."),
    417: ("expectation_failed", "The Expect header asks for something we do not do."),
}


class Refused(CallerError):
    """The edge turns the request away before the host hears of it. `headers` go with the answer; so does `retry_after`
    (seconds), and then a retry can help."""

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        retryable: bool = False,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, code=code, retryable=retryable or retry_after is not None)
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(math.ceil(retry_after))


class Ended(RoundtableError):
    """What was waited for ended without a result: by an error, or because somebody cancelled it."""

    def __init__(self, end: Failed | Cancelled, headers: Mapping[str, str]) -> None:
        if isinstance(end, Cancelled):
            told, self.status, code, retryable = f"It was cancelled ({end.reason}).", 409, "cancelled", False
        else:
            told, code, retryable = end.detail, end.code, end.retryable
            self.status, self.field = _status_of(end), end.field
        super().__init__(told, code=code, retryable=retryable)
        self.headers = dict(headers)


def _status_of(end: Failed) -> int:
    if end.fault == "caller":
        return next((_STATUS[kind] for kind in _STATUS if kind.code == end.code), 400)
    if end.fault == "provider":
        return _STATUS[ProviderError]
    return _STATUS[LogUnavailable] if end.retryable else _STATUS[RoundtableError]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The document. `field` names the wrong value; `incident` is what to look for in the server's log."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool = False
    field: str | msgspec.UnsetType = msgspec.UNSET
    incident: str | msgspec.UnsetType = msgspec.UNSET


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error below with a problem document."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _from_aiohttp(error, request.path)
    except ConnectionError:
        raise  # the caller has gone; nobody is left to be told
    except Exception as error:
        problem = describe(error, f"{request.method} {request.path}")
        if _BEGUN in request:
            raise _cut(request) from error
        return _answer(problem, _headers(error), request.path)


async def begun(request: web.Request, _: web.StreamResponse) -> None:
    """Before a head is sent: note that there can be no other."""
    request[_BEGUN] = True


def _cut(request: web.Request) -> ConnectionError:
    """A second head would be read as words of the first answer. Without an end the client knows that it has not all."""
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("half an answer cannot be mended")


def describe(error: Exception, where: str) -> Problem:
    """The document for an error met at `where`. What is not the caller's fault is logged, in its own sentence: it says
    what to do, and where in our code we stood would not. Only a bug is logged with its traceback."""
    if not isinstance(error, RoundtableError) or isinstance(error, IllegalMove):
        return _unforeseen(error, where)
    if error.fault != "caller" and not isinstance(error, Ended):  # that is in its own record
        _logger.error("%s: %s", error.code, error.detail)
    field = getattr(error, "field", "") or msgspec.UNSET
    return _problem(_status(error), error.code, error.detail, retryable=error.retryable, field=field)


def _headers(error: Exception) -> Mapping[str, str] | None:
    if isinstance(error, LogUnavailable) and error.retryable:
        return {"Retry-After": str(STORE_AWAY)}
    if isinstance(error, Busy):
        return {"Retry-After": str(math.ceil(error.retry_after))}
    return getattr(error, "headers", None)


def _status(error: RoundtableError) -> int:
    if isinstance(error, Ended):
        return error.status
    if isinstance(error, Refused):
        return _EDGE_STATUS[error.code]
    return next(status for kind, status in _STATUS.items() if isinstance(error, kind))


def _from_aiohttp(error: web.HTTPException, path: str) -> web.Response:
    if error.status < 400:
        raise error
    code, detail = _AIOHTTP.get(error.status, ("bad_request", error.reason + "."))
    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return _answer(_problem(error.status, code, detail), allow, path)


def _unforeseen(error: Exception, where: str) -> Problem:
    incident = secrets.token_hex(4)
    _logger.error("incident %s at %s", incident, where, exc_info=error)
    detail = f"Something failed on our side; the server's log has it as incident {incident}."
    return _problem(500, "internal", detail, incident=incident)


def _problem(
    status: int,
    code: str,
    detail: str,
    *,
    retryable: bool = False,
    field: str | msgspec.UnsetType = msgspec.UNSET,
    incident: str | msgspec.UnsetType = msgspec.UNSET,
) -> Problem:
    return Problem(
        type=f"urn:roundtable:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        retryable=retryable,
        field=field,
        incident=incident,
    )


def _answer(problem: Problem, headers: Mapping[str, str] | None, path: str) -> web.Response:
    if openai.speaks(path):
        return openai.answer(problem, headers or {})
    return web.Response(
        status=problem.status,
        body=codec.encode(problem),
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
