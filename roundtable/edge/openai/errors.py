"""Errors as OpenAI's packages expect them: `{"error":{"message","type","param","code"}}`, and a status by which they
choose what to raise. A header says whether they should ask again by themselves.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from protocol import codec
from protocol.errors import NotFound, ProviderError, RoundtableError
from protocol.invocation import Failed
from protocol.views.openai import Retry

if TYPE_CHECKING:
    from roundtable.edge.problems import Problem

# Addresses that speak OpenAI's language.
_PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/models")
# What a model's failure is to the caller. A key of ours that its server refused is no fault of the caller's.
_STATUS = {
    "auth": 502,
    "bad_request": 400,
    "cancelled": 503,
    "connection": 502,
    "content_filter": 400,
    "context_overflow": 400,
    "empty": 502,
    "internal": 500,
    "invalid": 400,
    "log_unavailable": 503,
    "malformed": 502,
    "model_not_found": 404,
    "no_verdict": 502,
    "not_configured": 404,
    "not_found": 404,
    "quota": 429,
    "rate_limited": 429,
    "timeout": 504,
    "unavailable": 503,
    "circuit_open": 503,
}
# OpenAI's word for what we call otherwise.
_CODE = {
    "context_overflow": "context_length_exceeded",
    "invalid": "invalid_value",
    "malformed_json": None,
    "quota": "insufficient_quota",
    "rate_limited": "rate_limit_exceeded",
    "too_many_requests": "rate_limit_exceeded",
    "unauthorized": "invalid_api_key",
}
# OpenAI says invalid_request_error for a wrong key, too; LiteLLM then takes it for a bad request.
_TYPE = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Error(msgspec.Struct, frozen=True):
    """OpenAI's error."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of a refusal, and a frame by which a stream fails."""

    error: Error


class UnknownModel(NotFound):
    """No such model, or none that can speak here."""

    code = "model_not_found"
    field = "model"


class AskAgain(ProviderError):
    """A model could not answer, and may after `retry_after` seconds."""

    @property
    def headers(self) -> Mapping[str, str]:
        """That go with the answer (RFC 9110, section 10.2.3)."""
        return {"Retry-After": str(math.ceil(self.retry_after or 0))}


def speaks(path: str) -> bool:
    """Whether errors at this address are told in OpenAI's words."""
    return any(path == each or path.startswith(f"{each}/") for each in _PATHS)


def answer(problem: "Problem", headers: Mapping[str, str]) -> web.Response:
    """A refusal. Unless told otherwise the packages would ask twice more after every 408, 409, 429 and 5xx."""
    status = _STATUS.get(problem.code, problem.status) if problem.status >= 500 else problem.status
    again = {"x-should-retry": "true" if problem.retryable else "false"}
    return web.Response(
        status=status,
        body=_body(status, problem.code, problem.detail, problem.field or None),
        content_type="application/json",
        headers={"Cache-Control": "no-store", **again, **headers},
    )


def raised(failed: Failed) -> ProviderError:
    """An end by an error, to be told by a status."""
    return ProviderError(failed.detail, code=failed.code, retryable=failed.retryable)


def retried(retry: Retry) -> ProviderError:
    """A failure that is told with the time after which to ask again."""
    return AskAgain(retry.error.detail, code=retry.error.code, retryable=True, retry_after=retry.wait)


def failed(error: RoundtableError) -> Failed:
    """An error of ours in mid-stream."""
    return Failed(id="", t=0, code=error.code, detail=error.detail, retryable=error.retryable)


def body(failed: Failed) -> bytes:
    """An error in mid-stream."""
    return _body(_STATUS.get(failed.code, 500), failed.code, failed.detail, None)


def _body(status: int, code: str, detail: str, param: str | None) -> bytes:
    kind = _TYPE.get(status, "invalid_request_error" if status < 500 else "server_error")
    return codec.encode(ErrorBody(Error(detail, kind, param, _CODE.get(code, code))))
