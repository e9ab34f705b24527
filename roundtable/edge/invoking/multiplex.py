"""`GET /v1/invocations/ws`: many invocations over one socket, each a stream of its own under a name of the client's.

The README has the messages. What belongs to the socket ends with it.
"""

import asyncio
import contextlib
from functools import partial

from aiohttp import web

from protocol import codec
from roundtable.edge.invoking import wishes
from roundtable.edge.invoking.callers import PATIENCE, Callers
from roundtable.edge.invoking.desk import MAX_STREAMS, Desk
from roundtable.edge.limits import Buckets, Limits
from roundtable.edge.operations import Answer, operation
from roundtable.edge.problems import Refused, describe
from roundtable.edge.wires import sse
from roundtable.edge.wires.conversation import SILENCE, Close, Conversation, race
from roundtable.edge.wires.said import STRANDS
from roundtable.edge.wires.websocket import handshake
from roundtable.fanout.framing import MessageStream
from roundtable.fanout.outlet import Outlet

# Messages under way at once: a program begins all its streams in one breath, and cancels them.
AT_ONCE = 2 * MAX_STREAMS
# Messages of one socket a second, and at once: credit comes with every few that are sent. What begins something counts
# as a POST besides.
MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 2_000, 4_000

_MESSAGES = MessageStream()


class Multiplex:
    """The handler. `close` sends every client away; `silence` is how many seconds one may say nothing at all."""

    def __init__(self, limits: Limits, callers: Callers, *, silence: float = SILENCE) -> None:
        self._limits, self._callers, self._silence = limits, callers, silence
        self._closing = asyncio.Event()

    async def close(self, _: web.Application) -> None:
        """This server is going down."""
        self._closing.set()

    @operation(tag="invocations", answers={101: Answer(said=STRANDS, heard=wishes.ANY)}, errors=(403, 426))
    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/invocations/ws`: many invocations over one WebSocket, each with its own credit.

        Raises `Refused` (426) for a plain GET, and `Invalid` for a broken handshake."""
        socket = handshake(request)
        writer = await socket.prepare(request)
        if request.transport is None:
            return socket
        outlet = Outlet(request.transport, writer.drain, PATIENCE)
        desk = Desk(request, outlet, partial(self._limits.command, request), self._callers)
        messages = Buckets(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE)
        conversation = Conversation(
            socket,
            outlet,
            desk.answer,
            partial(_admit, messages),
            silence=self._silence,
            at_once=AT_ONCE,
            heed=desk.heed,
        )
        with contextlib.ExitStack() as finally_:
            finally_.callback(conversation.drop)
            finally_.callback(desk.close)
            close = await self._hold(conversation, desk)
            desk.close()  # what nobody will read need not run while we say goodbye
            if close:
                await conversation.close(_farewell(close), close)
            outlet.transport.close()
            await conversation.settle()
            await desk.settle()
        return socket

    async def _hold(self, conversation: Conversation, desk: Desk) -> Close | None:
        """Listen and send until one of them ends; what to say then. Raises nothing: HTTP, and its answers, are over."""
        try:
            return await race(conversation.listen(), desk.run(), self._stopped())
        except ConnectionError:
            return None
        except Exception as error:  # noqa: BLE001 - nobody above could tell the client
            return Close(1011, describe(error, "a WebSocket").detail)

    async def _stopped(self) -> Close:
        await self._closing.wait()
        return Close(1001, "This server is going down; come back.")


def _admit(messages: Buckets) -> None:
    if wait := messages.take(""):
        raise Refused(
            f"These messages come too fast; try again in {wait:.1f} s.",
            code="too_many_requests",
            retry_after=wait,
        )


def _farewell(close: Close) -> bytes:
    if close.code != 1001:
        return b""
    return _MESSAGES.notice(b"retry", codec.encode({"type": "retry", "wait": round(sse.come_back(), 3)}))
