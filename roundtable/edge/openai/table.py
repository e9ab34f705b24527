"""A panel as a model: a table is convened, recorded and told as one answer; it ends with its caller if not detached."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from protocol import codec, commands
from protocol.cursor import ZERO
from protocol.errors import LogError, NotFound, WrongState
from protocol.invocation import Failed
from protocol.views.discussion import Discussion, Piece
from protocol.views.openai import Writer
from roundtable.edge import keys
from roundtable.edge.invoking.callers import Callers
from roundtable.fanout.reading import Reading
from roundtable.hosting.convening import Convene
from roundtable.hosting.host import stream

# What of a table is no word of the answer and need not be decoded.
_PASSED_OVER = frozenset({b"turn.thinking", b"turn.tool", b"term.began", b"table.opened", b"round.started"})
# The command that ends a table whose caller has gone: one per table.
_LEFT = "caller-left"

_logger = logging.getLogger("roundtable.edge")


class Told:
    """A table's entries, in the words of a `Discussion`, for a `Writer`."""

    def __init__(self, discussion: Discussion, writer: Writer) -> None:
        self._discussion, self._writer = discussion, writer
        self._turn = ""

    @property
    def failed(self) -> Failed | None:
        """Why there is no answer."""
        return self._discussion.failed

    def told(self, body: bytes) -> bytes:
        """What one entry tells."""
        if codec.body_type(body) in _PASSED_OVER:
            return b""
        heard = self._discussion.hear(codec.decode_body(ZERO, body).event)
        return b"".join([self._say(piece) for piece in heard]) + self._end()

    def _say(self, piece: Piece) -> bytes:
        if piece.turn != self._turn:
            self._turn = piece.turn
            self._writer.about({"panelist": piece.panelist, "turn": piece.turn})
        return self._writer.say(piece.text)

    def _end(self) -> bytes:
        if not self._discussion.finish:
            return b""
        self._writer.about({"panelist": None, "turn": None, "dollars": self._discussion.dollars})
        return self._writer.end(self._discussion.finish, self._discussion.usage)


@contextlib.asynccontextmanager
async def held(
    request: web.Request, callers: Callers, convene: Convene, *, detach: bool
) -> AsyncIterator[tuple[str, Reading]]:
    """Hold a table for one caller. Raises `Invalid`, and then none was convened."""
    table, _ = await request.app[keys.HOST].convene(convene)
    task = asyncio.current_task()
    assert task is not None
    try:
        async with request.app[keys.BROADCAST].reading(stream(table), ZERO) as reading:
            with callers.watch(request.transport, lambda: _cancel(task)):
                yield table, reading
    finally:
        if not detach:
            await _close(request, table)


def _cancel(handler: "asyncio.Task[Any]") -> None:
    """Nobody is left to be answered; what the handler holds it lets go."""
    handler.cancel()


async def _close(request: web.Request, table: str) -> None:
    """End the table if it goes on."""
    try:
        await request.app[keys.HOST].submit(table, _LEFT, commands.Close())
    except (WrongState, NotFound):
        pass  # it is over
    except LogError as error:
        _logger.warning("table %s goes on though its caller has gone: %s", table, error.detail)
