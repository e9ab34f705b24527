"""What one caller may take: bytes of a body, requests, tables, streams. Past a bound the caller is told which.

Nothing here waits, except for a body, and that has a deadline.
"""

import asyncio
import contextlib
import functools
import ipaddress
import random
import resource
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import hdrs, web

from protocol import sse
from protocol.errors import Invalid, LogUnavailable
from roundtable.config import Config
from roundtable.edge.problems import Handler, Refused

# A topic of a million characters is no topic; personas and scripts fit many times over.
MAX_BODY = 1024 * 1024
# Seconds for a body to arrive: 1 MiB at 40 kB/s.
BODY_WITHIN = 25.0
# Addresses remembered per bucket, about 150 bytes each; the one unheard of longest is forgotten first, and a
# forgotten address starts with a full bucket.
MAX_ADDRESSES = 10_000
# Files kept free for the log, for providers' connections and for short requests.
RESERVED_FILES = 256


class Buckets:
    """A token bucket per client address: `rate` tokens a second, at most `burst` at once."""

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until a token is there: 0 when one is."""
        return max(0.0, (1 - self._level(address)) / self._rate)

    def take(self, address: str) -> float:
        """Take a token and return 0, or take none and return the seconds until there is one."""
        level, now = self._level(address), self._clock()
        taken = level if level < 1 else level - 1
        self._levels[address] = (taken, now)
        self._levels.move_to_end(address)
        if len(self._levels) > MAX_ADDRESSES:
            self._levels.popitem(last=False)
        return max(0.0, (1 - level) / self._rate)

    def _level(self, address: str) -> float:
        level, at = self._levels.get(address, (self._burst, 0.0))
        return min(self._burst, level + (self._clock() - at) * self._rate)


class Limits:
    """The bounds of one server, and the gauge of its open streams."""

    def __init__(self, config: Config) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = config.max_streams if files == resource.RLIM_INFINITY else max(1, files - RESERVED_FILES)
        self.max_streams = min(config.max_streams, room)
        self.streams = 0
        rate, burst = config.posts_per_second, max(1, 4 * config.posts_per_second)
        # Each its own: who was let begin so much is let end it.
        self._posts, self._deletes = Buckets(rate, burst), Buckets(rate, burst)
        self._tables = Buckets(config.tables_per_minute / 60, max(1, config.tables_per_minute))

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what would change something and comes too soon; a body also when it is not JSON."""
        found = request.match_info.http_exception is None
        if found and request.method == "DELETE":
            _check(self._deletes.take(address(request)), "requests")
        if found and request.method in ("POST", "PUT"):
            _check(self._posts.take(address(request)), "requests")
            # A form of another site can be posted without asking us first, JSON cannot: this stops forgery too.
            if request.content_type != "application/json":
                raise Refused(
                    "The body must be JSON, sent as Content-Type: application/json.",
                    code="unsupported_media_type",
                )
        return await handler(request)

    def command(self, request: web.Request) -> None:
        """Count a message on a socket as the POST it stands for; raises `Refused` when it comes too soon."""
        _check(self._posts.take(address(request)), "requests")

    def table(self, caller: str) -> None:
        """Count a new table, however it is opened; raises `Refused` when this address opened too many."""
        _check(self._tables.take(caller), "new tables")

    def stream(self, handler: Handler) -> Handler:
        """`handler` with the number of its open streams bounded."""

        @functools.wraps(handler)
        async def bounded(request: web.Request) -> web.StreamResponse:
            if self.streams >= self.max_streams:
                return _come_back(request)
            self.streams += 1
            try:
                return await handler(request)
            except LogUnavailable:
                if _sees_status(request):
                    raise
                return _come_back(
                    request
                )  # nothing was sent yet, and an error would end an EventSource for good
            finally:
                self.streams -= 1

        return bounded


def raise_open_files() -> None:
    """Ask the system for as many open files as it lets us have: each stream is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS calls the hard limit infinite and refuses it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def body(request: web.Request, most: int = MAX_BODY) -> bytes:
    """The request's body. Raises `Refused` when larger than `most` bytes or slower than `BODY_WITHIN`, and `Invalid`
    when it is not what its headers say."""
    if (request.content_length or 0) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await request.clone(client_max_size=most).read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(most) from None
    except web.RequestPayloadError as error:
        raise Invalid("The body is not coded as its headers say.", code="malformed_body") from error
    except TimeoutError:
        raise Refused("The body did not arrive in time.", code="timeout", retryable=True) from None


def address(request: web.Request) -> str:
    """Whom to count: the peer's address, or its /64 with IPv6, of which one caller has 2**64."""
    peer = request.remote or ""
    if ":" not in peer:
        return peer
    return str(ipaddress.ip_network((peer.partition("%")[0], 64), strict=False).network_address)


def _check(seconds: float, what: str) -> None:
    if seconds > 0:
        raise Refused(
            f"Too many {what} from this address; try again in {seconds:.1f} s.",
            code="too_many_requests",
            retry_after=seconds,
        )


def _sees_status(request: web.Request) -> bool:
    """Whether whoever asks is told by a status what is wrong: an EventSource is not, and it sends a GET for events."""
    for_events = request.query.get("format", "sse") == "sse"
    return request.method != "GET" or hdrs.UPGRADE in request.headers or not for_events


def _too_large(most: int) -> Refused:
    return Refused(f"The body is larger than {most:,} bytes, the most we read here.", code="too_large")


def _come_back(request: web.Request) -> web.Response:
    # Seconds are spread, or all who were turned away come back at once.
    wait = random.uniform(5, 15)
    if _sees_status(request):
        raise Refused(
            "As many people watch here as this server serves.", code="too_many_streams", retry_after=wait
        )
    # Any status but 200 ends an EventSource for good, so a full house says when to come again.
    return web.Response(
        body=sse.encode(retry=int(wait * 1000)),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )
