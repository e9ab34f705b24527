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
from protocol.views import openai
from protocol.views.discussion import Discussion
from protocol.views.openai_chunks import Chunks
from roundtable.edge import keys
from roundtable.edge.callers import Callers
from roundtable.edge.openai.seat import watched
from roundtable.fanout.reading import Reading
from roundtable.hosting.convening import Convene
from roundtable.hosting.host import stream

# What of a table is no word of the answer and need not be decoded.
_PASSED_OVER = frozenset({b"turn.thinking", b"turn.tool", b"term.began", b"table.opened", b"round.started"})
# The command that ends a table whose caller has gone: one per table.
_LEFT = "caller-left"

_logger = logging.getLogger("roundtable.edge")


class Told:
    """A table as chunks (`chunks` given), or as a whole: its `text`."""

    def __init__(self, discussion: Discussion, chunks: Chunks | None = None) -> None:
        self.discussion, self._chunks = discussion, chunks
        self.text = ""
        self._turn = ""

    @property
    def failed(self) -> Failed | None:
        """Why there is no answer."""
        return self.discussion.failed

    def begin(self) -> bytes:
        """The first chunk."""
        return self._chunks.begin() if self._chunks else b""

    def told(self, body: bytes) -> bytes:
        """The chunks of one entry."""
        if codec.body_type(body) in _PASSED_OVER:
            return b""
        wire = list[bytes]()
        for piece in self.discussion.hear(codec.decode_body(ZERO, body).event):
            if self._chunks is None:
                self.text += piece.text
                continue
            if piece.turn != self._turn:
                self._turn = piece.turn
                self._chunks.about({"panelist": piece.panelist, "turn": piece.turn})
            wire.append(self._chunks.words(codec.encode(piece.text)))
        if self.discussion.finish and self._chunks:
            self._chunks.about({"panelist": None, "turn": None, "dollars": self.discussion.dollars})
            wire.append(self._chunks.end(self.discussion.finish, self.discussion.usage))
        return b"".join(wire)

    def choice(self) -> openai.Choice:
        """The whole answer."""
        return openai.Choice(
            message=openai.Answer(content=self.text), finish_reason=self.discussion.finish or "stop"
        )


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
            with watched(request, callers, lambda: _cancel(task)):
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
