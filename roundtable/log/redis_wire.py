"""The bytes of one connection, between redis-py, which made it, and a `Link`, which asks.

hiredis packs and parses, and a reply is with who asked for it in the next turn of the loop. redis-py's own way there -
a StreamReader, four coroutines and a packer in Python - takes longer than Redis takes to append.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, ResponseError

Arg = str | bytes | int
Reply = Any  # what RESP carries: bytes, int, None, lists of these; typed where it is parsed

# Its stub knows commands of one word only.
_pack = cast("Callable[[tuple[Arg, ...]], bytes]", hiredis.pack_command)
_MORE = object()  # hiredis has not read a whole reply yet; None and False are replies


class Wire(asyncio.Protocol):
    """Takes over `transport`, over which nothing is under way, for one exchange at a time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parser = hiredis.Reader(
            protocolError=InvalidResponse, replyError=DefaultParser.parse_error, notEnoughData=_MORE
        )
        self._replies: list[Reply] = []
        self._missing = 0
        self._answered: asyncio.Future[list[Reply]] | None = None
        self._lost = False
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Whether the server has neither hung up nor said more than it was asked."""
        return not (self._lost or self._transport.is_closing() or self._parser.has_data())

    def ask(self, commands: Sequence[tuple[Arg, ...]], until: float) -> asyncio.Future[list[Reply]]:
        """Send all at once; their answers in order, among them `ResponseError`s. `until` is on the loop's clock.

        Fails with `RedisError` and `OSError`, of which one is `TimeoutError`. Nothing waits for the transport to take
        what is sent: there is one exchange at a time, its caller bounds it, and it is answered or given up.
        """
        self._replies, self._missing = [], len(commands)
        self._answered = asyncio.get_running_loop().create_future()
        self._until = until
        if self._timer is None or until < self._timer.when():
            self._arm()
        self._transport.write(b"".join(map(_pack, commands)))
        return self._answered

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if not self._missing:
            self._transport.abort()  # nobody asked, and so nobody bounds what is kept
            return
        self._parser.feed(data)
        try:
            while self._missing and (reply := self._parser.gets()) is not _MORE:
                self._take(reply)
        except InvalidResponse as error:
            self._fail(error)

    def eof_received(self) -> None:
        """Called by the transport, which closes itself then."""
        self._fail(Disconnected("Connection closed by server."))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the transport."""
        self._fail(error or Disconnected("Connection closed."))

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._until, self._expire)

    def _expire(self) -> None:
        """One timer serves many exchanges, and so it may ring for one that was answered; `asyncio.timeout` would set
        and drop one each time, which is a tenth of what an append costs us."""
        self._timer = None
        if not self._missing:
            return
        if asyncio.get_running_loop().time() < self._until:
            self._arm()
        else:
            self._fail(TimeoutError())

    def _take(self, reply: Reply) -> None:
        if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
            self._fail(reply)  # redis-py's word for: this connection is of no use any more
            return
        self._replies.append(reply)
        self._missing -= 1
        if not self._missing and self._answered and not self._answered.done():
            self._answered.set_result(self._replies)

    def _fail(self, error: Exception) -> None:
        self._lost = True
        self._missing = 0
        if self._timer:
            self._timer.cancel()
        if self._answered and not self._answered.done():
            self._answered.set_exception(error)
