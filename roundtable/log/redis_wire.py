"""The bytes of one connection, between redis-py, which made it, and a `Link`, which asks.

hiredis packs and parses, and a reply is with who asked for it in the next turn of the loop. redis-py's own way there -
a StreamReader, four coroutines and a packer in Python - takes longer than Redis takes to append.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, ResponseError

Arg = str | bytes | int
Reply = Any  # what RESP carries: bytes, int, None, lists of these; typed where it is parsed

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
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Whether the server has neither hung up nor said what nobody asked for."""
        return not (self._lost or self._transport.is_closing() or self._parser.has_data())

    def ask(self, commands: Sequence[tuple[Arg, ...]]) -> asyncio.Future[list[Reply]]:
        """Send all at once; their answers in order, among them `ResponseError`s. Fails with `RedisError`, `OSError`.

        Nothing waits for the transport to take them: there is one exchange at a time, and its caller bounds it.
        """
        self._replies, self._missing = [], len(commands)
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(b"".join(map(hiredis.pack_command, commands)))
        return self._answered

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        self._parser.feed(data)
        try:
            while self._missing and (reply := self._parser.gets()) is not _MORE:
                self._take(reply)
        except (InvalidResponse, UnicodeDecodeError) as error:  # an error is text, or should be
            self._fail(InvalidResponse(str(error)))

    def eof_received(self) -> None:
        """Called by the transport, which closes itself then."""
        self._fail(Disconnected("Connection closed by server."))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the transport."""
        self._fail(error or Disconnected("Connection closed."))

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
        if self._answered and not self._answered.done():
            self._answered.set_exception(error)
