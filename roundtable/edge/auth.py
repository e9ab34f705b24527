"""Who may come in. On loopback everyone on this machine; elsewhere only who knows the secret.

The page itself holds no data and is open to all. What it then asks for needs `Authorization: Bearer SECRET`, or the
cookie that `POST /v1/session` gives for it. Nothing here allows another origin (there is no CORS).
"""

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
from aiohttp import hdrs, web

from protocol import codec
from protocol.errors import Invalid
from roundtable.config import Config
from roundtable.edge import limits
from roundtable.edge.operations import Answer, operation
from roundtable.edge.problems import Handler, Refused

COOKIE = "roundtable_session"
# A browser is asked again after so many seconds: 30 days.
SESSION_FOR = 30 * 24 * 3600
# Wrong secrets per address: ten at once, then one in six seconds, so 10**7 guesses take two years.
GUESSES_PER_SECOND, GUESSES_AT_ONCE = 1 / 6, 10
# Open to all: these hold no data, or are the door itself. What the router matched decides, not the path's spelling.
PUBLIC = frozenset({
    "/", "/t/{id}", "/compare/{id}/{other}", "/assets/{name}", "/healthz", "/readyz", "/openapi.json", "/v1/session",
})  # fmt: skip
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/session`."""

    secret: str


_login_decoder = msgspec.json.Decoder(Login)


class Door:
    """The check before every handler. Raises `Invalid` when it would leave the server open to the network."""

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        if not config.secret and not _is_loopback(config.host):
            raise Invalid(
                f"On {config.host or 'all addresses'} others could reach this server, so it needs a secret: "
                "set ROUNDTABLE_SECRET (or secret_file in the configuration), or leave --host out.",
                field="host",
            )
        self._secret = config.secret.encode()
        self._names = _LOOPBACK | {name.lower() for name in (config.host, *config.allowed_hosts) if name}
        self._any_address = config.host in ("", "0.0.0.0", "::")
        self._origins = frozenset(origin.lower().rstrip("/") for origin in config.allowed_origins)
        self._clock = clock
        self._guesses = limits.Buckets(GUESSES_PER_SECOND, GUESSES_AT_ONCE)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a request under a strange name, from a strange page, or without the secret."""
        self._check_host(request)
        # A WebSocket is a GET, and a browser lets any page open one: without asking first, and with our cookie.
        if request.method not in _SAFE or hdrs.UPGRADE in request.headers:
            self._check_origin(request)
        if self._secret and not _is_public(request.match_info):
            self._check_secret(request)
        return await handler(request)

    @operation(
        tag="session",
        body=Login,
        answers={204: Answer(headers={hdrs.SET_COOKIE: "The session."})},
        errors=(401,),
    )
    async def session(self, request: web.Request) -> web.Response:
        """`POST /v1/session`: the secret once, a cookie for later. The cookie says until when, and proves it."""
        login = codec.decode_json(await limits.body(request), _login_decoder)
        answer = web.Response(status=204, headers={hdrs.CACHE_CONTROL: "no-store"})
        if self._secret:
            self._compare(request, login.secret)
            until = str(int(self._clock()) + SESSION_FOR)
            token = f"{until}.{self._proof(until)}"
            answer.set_cookie(
                COOKIE, token, max_age=SESSION_FOR, httponly=True, samesite="Strict", secure=request.secure
            )
        return answer

    def _check_host(self, request: web.Request) -> None:
        # DNS rebinding: a page's own name is made to resolve to us, so that its scripts may read us. The name gives it
        # away; the port does not matter, and may have been mapped. An address cannot be rebound.
        name = _hostname(request.headers.get(hdrs.HOST, ""))
        if name not in self._names and not (self._any_address and _is_address(name)):
            raise Refused(
                f"This server is not called {name[:60]!r}; add it to allowed_hosts if it should be.",
                code="misdirected",
            )

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or origin.lower() in self._origins:
            return
        # The scheme is left out: behind a proxy that speaks TLS, only the browser knows it.
        if origin.lower().partition("://")[2] != request.headers[hdrs.HOST].lower():
            raise Refused("A page of another site may not do this here.", code="foreign_origin")

    def _check_secret(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer":
            self._compare(request, given.strip())
        elif not self._is_session(request.cookies.get(COOKIE, "")):
            raise _unauthorized("This server asks for a secret: send it as Authorization: Bearer.")

    def _compare(self, request: web.Request, given: str) -> None:
        address = limits.address(request)
        wait = self._guesses.wait(address)
        if wait > 0:
            raise Refused(
                f"Too many wrong secrets from this address; try again in {wait:.0f} s.",
                code="too_many_requests",
                retry_after=wait,
            )
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), self._secret):
            self._guesses.take(address)
            raise _unauthorized("That is not the secret.")

    def _is_session(self, token: str) -> bool:
        until, _, proof = token.partition(".")
        if not hmac.compare_digest(proof.encode(errors="surrogateescape"), self._proof(until).encode()):
            return False
        return int(until) > self._clock()  # we wrote it, so it is a number

    def _proof(self, until: str) -> str:
        message = b"roundtable session until " + until.encode(errors="surrogateescape")
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()


def _is_public(match: web.UrlMappingMatchInfo) -> bool:
    """Which methods an address answers is no secret either: they are in the document of them all."""
    if isinstance(match.http_exception, web.HTTPMethodNotAllowed):
        return True
    return match.route.resource is not None and match.route.resource.canonical in PUBLIC


def _unauthorized(detail: str) -> Refused:
    return Refused(detail, code="unauthorized", headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="roundtable"'})


def _hostname(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; empty when it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
