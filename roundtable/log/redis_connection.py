"""How Redis is reached: the address, a `Link` (one connection) and a `Pool` of them for short questions.

redis-py connects and says who we are; its retries, pools and timeouts are not used. Each exchange has one deadline,
nothing is sent twice, and a link that failed connects anew when it is used next.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import urlsplit

from redis.asyncio import connection as wire
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import NoScriptError, RedisError, ResponseError

from protocol.errors import Invalid, LogError, LogUnavailable
from roundtable.log.redis_errors import translate
from roundtable.log.redis_wire import Arg, Reply, Wire

# Seconds an exchange may take, connecting included. Redis itself may hold a write for 2 s while the disk syncs
# (`appendfsync everysec`), so it is above that; and below the 5 s at which people take a page for broken.
DEADLINE = 4.0
# Two long pages and two short questions at a time; more would only wait in line inside Redis, which has one thread.
READERS = 4

# What a URL may set beside address, user and password. A typing error must not be taken for a default.
_OPTIONS = {"db", "username", "password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"}
_FORMS = "redis://[user:password@]host[:port][/db], rediss:// likewise, or unix://[user:password@]/path[?db=]"


class Command(NamedTuple):
    """`args` as they are sent; `whole` instead if a script in them is not known to the server yet."""

    args: tuple[Arg, ...]
    whole: tuple[Arg, ...] = ()


def command(*args: Arg) -> Command:
    """A plain command."""
    return Command(args)


class Address(NamedTuple):
    """Where a server is: `name` for people, without secrets, and what redis-py needs to connect."""

    name: str
    kind: type[wire.AbstractConnection]
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"Address({self.name})"  # the options hold the password

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read a URL. Raises `Invalid`, which never repeats the URL: it may hold a password."""
        try:
            parsed = dict(wire.parse_url(url))
            parts = urlsplit(url)
        except ValueError:
            raise _unreadable() from None
        kind = parsed.pop("connection_class", wire.Connection)
        place = {key: parsed.pop(key) for key in ("host", "port", "path") if key in parsed}
        if unknown := sorted(parsed.keys() - _OPTIONS):
            raise Invalid(f"A Redis URL has no parameter {unknown[0][:40]!r}: {_FORMS}.", field="redis")
        if parts.scheme == "unix" and "path" not in place:
            raise _unreadable()
        if parts.scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdecimal():
            raise _unreadable()
        name = place.get("path") or f"{place.get('host', 'localhost')}:{place.get('port', 6379)}"
        if parsed.get("db"):
            name = f"{name} db {parsed['db']}"
        return cls(str(name), cast("type[wire.AbstractConnection]", kind), place | parsed)


def _unreadable() -> Invalid:
    return Invalid(
        f"The Redis URL cannot be read. It is {_FORMS}; write / # ? @ : in a password as %2F %23 %3F %40 %3A.",
        field="redis",
    )


class _Connection(Protocol):
    """The part of redis-py's connection that we use; it comes without types."""

    _writer: asyncio.StreamWriter | None  # no other name leads to its transport

    async def connect(self) -> None: ...
    async def can_read(self) -> bool: ...
    async def disconnect(self, nowait: bool) -> None: ...


class Link:
    """One connection, for one exchange at a time; `deadline` in seconds."""

    def __init__(self, address: Address, deadline: float) -> None:
        self._at = address.name
        self._deadline = deadline
        self._wire: Wire | None = None
        # RESP2: nothing newer is needed, a server that is too old can still say so, and proxies know it.
        self._connection: _Connection = address.kind(
            **address.options, protocol=2, driver_info=None, socket_timeout=None, socket_connect_timeout=None
        )

    async def run(self, commands: Sequence[Command], block: float = 0.0) -> list[Reply]:
        """Send all at once and return their answers in order; one that was refused is there as a `LogError`.

        `block` is what they may rightly take beyond the deadline, in seconds. Raises `LogUnavailable`: then what
        became of the commands is unknown.
        """
        try:
            until = asyncio.get_running_loop().time() + self._deadline + block
            wire = self._wire if self._wire and self._wire.usable else await self._connect(until)
            replies = await wire.ask([command.args for command in commands], until)
            unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if unknown:
                again = await wire.ask([commands[i].whole for i in unknown], until)
                for i, reply in zip(unknown, again, strict=True):
                    replies[i] = reply
        except (RedisError, OSError) as error:
            await self.close()
            raise translate(error, self._at) from error
        except BaseException:  # cancelled: the answers would be taken for those of the next exchange
            await self.close()
            raise
        return [translate(r, self._at) if isinstance(r, ResponseError) else r for r in replies]

    async def close(self) -> None:
        """Disconnect; the next exchange connects again."""
        self._wire = None
        await self._connection.disconnect(nowait=True)

    async def _connect(self, until: float) -> Wire:
        await self.close()  # the server may have hung up while we were idle
        async with asyncio.timeout_at(until):
            await self._connection.connect()
            if await self._connection.can_read():  # before anything was asked: it hung up
                raise Disconnected("Connection closed by server.")
        assert self._connection._writer, "it is connected"  # noqa: SLF001
        self._wire = Wire(cast("asyncio.Transport", self._connection._writer.transport))  # noqa: SLF001
        return self._wire


class Pool:
    """A few links for short, repeatable questions, made as they are needed."""

    def __init__(self, address: Address, deadline: float) -> None:
        self.address = address
        self._deadline = deadline
        self._idle = [Link(address, deadline) for _ in range(READERS)]
        self._free = asyncio.Semaphore(READERS)
        self._closed = False

    async def ask(self, command: Command) -> Reply:
        """The answer to one command; a refusal is raised as the `LogError` it is."""
        return (await self.ask_all([command]))[0]

    async def ask_all(self, commands: Sequence[Command]) -> list[Reply]:
        """The answers to all; the first refusal among them is raised."""
        if not commands:
            return []  # a server answers what it is asked, and nothing else
        async with self._link() as link:
            replies = await link.run(commands)
        for reply in replies:
            if isinstance(reply, LogError):
                raise reply
        return replies

    async def close(self) -> None:
        """Answer what was sent and disconnect; who asks later, or still waits, gets `LogUnavailable`."""
        if self._closed:
            return
        self._closed = True
        for _ in range(READERS):
            await self._free.acquire()
        for link in self._idle:
            await link.close()

    @contextlib.asynccontextmanager
    async def _link(self) -> AsyncIterator[Link]:
        self._refuse_if_closed()
        try:
            async with asyncio.timeout(self._deadline):
                await self._free.acquire()
        except TimeoutError as error:
            raise translate(error, self.address.name) from error
        link = self._idle.pop()  # the one used last, so that few are needed
        try:
            self._refuse_if_closed()
            yield link
        finally:
            self._idle.append(link)
            self._free.release()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise LogUnavailable(f"The log in Redis at {self.address.name} is closed.")
