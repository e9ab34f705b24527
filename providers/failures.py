"""What a server's failure means: its status and words become one `ProviderError`. Shared by every HTTP dialect.

No I/O. No detail made here holds the key: it is scrubbed even where the server echoes it.
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from protocol.errors import ProviderError
from providers.secrecy import Secret

# Enough for a sentence and the server's own words; more is a page of HTML or a stack trace.
DETAIL_LIMIT = 300
# Scrubbing costs time per word, and an error's body may be megabytes.
_READ_LIMIT = 10 * DETAIL_LIMIT

RETRYABLE = frozenset({"rate_limited", "unavailable", "timeout", "connection"})

_SENTENCES = {
    "auth": "{title} refused the key; check {key}",
    "model_not_found": "{title} does not know the model {model!r}",
    "quota": "{title} says that the account has no credit left",
    "rate_limited": "{title} was asked too often",
    "context_overflow": "The conversation is longer than {model} can read",
    "content_filter": "{title}'s content filter refused the request",
    "bad_request": "{title} refused the request",
    "unavailable": "{title} cannot answer now",
    "timeout": "{title} took too long",
}
_STATUSES = {
    400: "bad_request", 401: "auth", 402: "quota", 403: "auth", 404: "model_not_found", 408: "unavailable",
    409: "unavailable", 413: "context_overflow", 425: "unavailable", 429: "rate_limited",
}  # fmt: skip
# Parts of an error's `code` and `type` that say more than its status does.
_CODES = {
    "insufficient_quota": "quota",
    "insufficient_balance": "quota",
    "billing": "quota",
    "context_length": "context_overflow",
    "exceed_context": "context_overflow",
    "model_not_found": "model_not_found",
    "not_found_error": "model_not_found",
    "content_filter": "content_filter",
    "_policy": "content_filter",
    "invalid_prompt": "content_filter",  # OpenAI's word for one that its usage policy forbids
    "data_residency": "bad_request",
    "api_key": "auth",
    "authentication": "auth",
    "permission": "auth",
    "rate_limit": "rate_limited",
    "resource_exhausted": "rate_limited",
    "overloaded": "unavailable",
    "unavailable": "unavailable",
    "server_error": "unavailable",
    "timeout": "timeout",
}
# What only the message tells, where servers answer a plain 400 or 404 (or an error without status, in a stream).
_MESSAGES = {
    "context_overflow": re.compile(
        r"context (length|window|size|limit)|maximum context|prompt is too long|too many tokens|input token count",
        re.IGNORECASE,
    ),
    "model_not_found": re.compile(
        r"model\b.*(not found|not exist)|(invalid|unknown|valid) model", re.IGNORECASE | re.DOTALL
    ),
    "quota": re.compile(r"credit balance", re.IGNORECASE),
    "auth": re.compile(r"api[ -]?key", re.IGNORECASE),
}
_VAGUE = {0, 400, 404, 413, 422}


class Report(msgspec.Struct, frozen=True):
    """A server's own account of its failure. `status` is 0 when it gave none; `wait` (seconds) is when to ask again."""

    status: int
    codes: str
    message: str
    wait: float | None = None


def report(body: object, status: int = 0) -> Report:
    """Read the shapes in use: `{"error": {...}}`, a list of it (Gemini), `{"detail": ...}`, a bare string."""
    if isinstance(body, list):
        body = body[0] if body else None
    if isinstance(body, dict) and isinstance(body.get("error"), dict | str):
        body = body["error"]
    if not isinstance(body, dict):
        return Report(status, "", "" if body is None else str(body))
    code = body.get("code")
    if not status and re.fullmatch("[45][0-9]{2}", str(code)):
        status = int(str(code))
    message = next((body[key] for key in ("message", "detail", "msg") if body.get(key)), "")
    text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
    reason, wait = _google(body.get("details"))
    return Report(status, f"{code} {body.get('type')} {body.get('status')} {reason}".lower(), text, wait)


def _google(details: object) -> tuple[str, float | None]:
    """The reason, and the seconds to wait, of `google.rpc.ErrorInfo` and `RetryInfo`: https://google.aip.dev/193"""
    reason, wait = "", None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            reason = str(detail.get("reason") or reason)
            delay = str(detail.get("retryDelay", ""))
            wait = _seconds(delay.removesuffix("s")) if delay.endswith("s") else wait
    return reason, wait


def _seconds(text: str) -> float | None:
    """A count of seconds from now; None where it is no such thing."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def classify(found: Report) -> str:
    """The stable code for a failure: by the error's own codes, then its message, then its status."""
    for part, code in _CODES.items():
        if part in found.codes:
            return code
    if found.status in _VAGUE:
        for code, pattern in _MESSAGES.items():
            if pattern.search(found.message):
                return code
    if found.status >= 500 or not found.status:
        return "bad_request" if "invalid_request" in found.codes else "unavailable"
    return _STATUSES.get(found.status, "bad_request")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from `now` (Unix time) that the server asks us to wait: RFC 9110, section 10.2.3, or milliseconds."""
    if "retry-after-ms" in headers and (wait := _seconds(headers["retry-after-ms"])) is not None:
        return wait / 1000
    asked = headers.get("retry-after", "")
    if (wait := _seconds(asked)) is not None:
        return wait
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - now)
    except ValueError:
        return None


class Failures:
    """Words every failure of one server. `key_env` names where its key comes from, `secret` is that key."""

    def __init__(self, title: str, host: str, *, local: bool, key_env: str, secret: str) -> None:
        self.title = title
        self._host = host
        self._local = local
        self._key = key_env or "its configuration"
        self.secret = Secret(secret)

    def reported(self, found: Report, model: str, wait: float | None = None) -> ProviderError:
        """The server said what is wrong, by status or inside its stream."""
        code = classify(found)
        sentence = _SENTENCES[code].format(title=self.title, key=self._key, model=model)
        if found.status and code in ("bad_request", "unavailable"):
            sentence += f" ({found.status})"
        # A refused key is what servers echo most, shortened in ways of their own: their words are not passed on.
        said = "" if code == "auth" or found.message.lstrip().startswith("<") else found.message
        return self._error(
            code, f"{sentence}: {said}" if said else sentence, found.wait if wait is None else wait
        )

    def unreachable(self, reason: object = "") -> ProviderError:
        """No connection came about."""
        if self._local:
            return self._error("connection", f"Nothing answers at {self._host}: is {self.title} running?")
        return self._error("connection", f"{self.title} cannot be reached at {self._host}: {reason}")

    def cut(self) -> ProviderError:
        """The connection ended before the answer did."""
        return self._error("connection", f"{self.title} closed the connection before its answer was complete")

    def unfinished(self, opening: bytes) -> ProviderError:
        """The stream ended before the answer did, or was none: `opening` is its first byte."""
        if opening in (b"<", b"{", b"["):
            return self.nonsense("something that is no stream of events")
        return self.cut()

    def timed_out(self) -> ProviderError:
        """No connection, or no list of models, within the time we give it."""
        return self._error("timeout", f"{self.title} did not answer at {self._host} in time")

    def nonsense(self, what: str) -> ProviderError:
        """The server does not speak this dialect."""
        return self._error("malformed", f"{self.title} at {self._host} answered with {what}")

    def refused(self, detail: str) -> ProviderError:
        """We do not send such a request."""
        return self._error("bad_request", detail)

    def _error(self, code: str, detail: str, wait: float | None = None) -> ProviderError:
        text = " ".join(self.secret.scrub(detail[:_READ_LIMIT]).split()).rstrip(".") or code
        if len(text) > DETAIL_LIMIT:
            text = text[: DETAIL_LIMIT - 1] + "…"
        end = "" if text.endswith(("…", "?", "!")) else "."
        return ProviderError(text + end, code=code, retryable=code in RETRYABLE, retry_after=wait)
