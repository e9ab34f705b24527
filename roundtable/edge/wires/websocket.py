"""`GET /v1/roundtables/{id}/ws`: the entries of `sse.events` as JSON text messages, and commands the other way.

The entries are bytes that the channel made once for every socket, written straight to the transport. The README has
the messages and the close codes.
"""

import contextlib
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import msgspec
from aiohttp import hdrs, web

from protocol import codec, commands, events
from protocol.cursor import Cursor
from protocol.errors import Invalid
from roundtable.edge import keys
from roundtable.edge.answers import outcome
from roundtable.edge.limits import Limits
from roundtable.edge.operations import Answer as Said
from roundtable.edge.operations import operation
from roundtable.edge.parameters import Attending, ById, LastEventId, idempotency_key
from roundtable.edge.problems import Refused, describe
from roundtable.edge.wires.conversation import SILENCE, Answer, Close, Conversation, Socket, race
from roundtable.edge.wires.presence import present
from roundtable.edge.wires.said import SOCKET
from roundtable.edge.wires.sse import asked, come_back
from roundtable.fanout.broadcast import Broadcast
from roundtable.fanout.channel import Channel, LeadIn, Left
from roundtable.fanout.framing import FULL, MessageStream, View
from roundtable.fanout.outlet import Outlet

Begin = Callable[[Channel], tuple[Answer, LeadIn | None]]
"""What answers a client of this channel, and what it is shown before the present."""


class _Keyed(msgspec.Struct):
    key: str | None = None
    idempotency_key: str | None = None


_MESSAGES = MessageStream()
_keyed_decoder = msgspec.json.Decoder(_Keyed)
_members_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])

# How a reader left, as a close code. Who has hung up or does not read is told nothing.
_CLOSE: Mapping[str, Close] = {
    "ended": Close(1000, "The table is closed, and you have all of it."),
    "draining": Close(1001, "This server is going down; come back."),
    "broken": Close(1013, "The table cannot be read just now; come back."),
    "deleted": Close(4404, "The table was deleted."),
}
_COME_BACK = frozenset({"draining", "broken"})
_OVER = frozenset({"ended", "deleted"})


class Sockets:
    """The handlers of WebSockets; `silence` is how many seconds a client may say nothing at all."""

    def __init__(self, limits: Limits, *, silence: float = SILENCE) -> None:
        self._limits, self._silence = limits, silence

    @operation(
        tag="tables",
        path=ById,
        query=Attending,
        headers=LastEventId,
        answers={101: Said(said=events.KNOWN | SOCKET, heard=commands.ANY)},
        errors=(403, 426),
    )
    async def table(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/roundtables/{id}/ws`: one table, live, and commands to it, over a WebSocket.

        Raises like `sse.events`, and `Refused` (426) for a plain GET."""
        with present(request):
            return await self.serve(request, lambda _: (partial(_command, request), None))

    async def serve(
        self, request: web.Request, begin: Begin, of: tuple[str, View, Broadcast] | None = None
    ) -> web.StreamResponse:
        """A conversation about a stream in some view; if none is given, about the table in the request's path. Raises
        as `table` does, before the handshake only."""
        start = asked(request)
        with contextlib.ExitStack() as finally_:
            table = f"table/{request.match_info['id']}"
            name, view, broadcast = of or (table, FULL, request.app[keys.BROADCAST])
            async with broadcast.channel(name, view, _MESSAGES) as channel:
                cursor, first = await channel.resume(start)
                socket = handshake(request)  # last: what is wrong with the address is wrong on any wire
                writer = await socket.prepare(request)
                if request.transport is None:
                    return socket
                outlet = Outlet(request.transport, writer.drain)
                answer, lead_in = begin(channel)
                admit = partial(self._limits.command, request)
                conversation = Conversation(socket, outlet, answer, admit, silence=self._silence)
                finally_.callback(conversation.drop)
                showing = _show(channel, outlet, first, cursor, lead_in)
                farewell, close = await _hold(channel, conversation, showing)
            if close:
                await conversation.close(farewell, close)
            outlet.transport.close()
            await conversation.settle()
        return socket


def upgrades(request: web.Request) -> bool:
    """Whether the request asks for a WebSocket."""
    return request.headers.get(hdrs.UPGRADE, "").strip().lower() == "websocket"


def handshake(request: web.Request) -> Socket:
    """Raises `Refused` for what is no WebSocket of version 13 (RFC 6455, section 4.4), `Invalid` for a broken one."""
    if not upgrades(request) or request.headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13":
        raise Refused(
            "This address speaks WebSocket, version 13.",
            code="upgrade_required",
            headers={hdrs.UPGRADE: "websocket", hdrs.CONNECTION: "Upgrade", hdrs.SEC_WEBSOCKET_VERSION: "13"},
        )
    socket = Socket()
    if not socket.can_prepare(request).ok:
        raise Invalid("The WebSocket handshake is malformed.", code="bad_handshake")
    return socket


async def _show(
    channel: Channel, outlet: Outlet, first: bytes, cursor: Cursor, lead_in: LeadIn | None
) -> Left:
    await outlet.send(first)
    return await channel.follow(outlet, cursor, lead_in)


async def _hold(
    channel: Channel, conversation: Conversation, showing: Coroutine[Any, Any, Left]
) -> tuple[bytes, Close | None]:
    """Show and listen until one of them ends; what to say then. Raises nothing: HTTP, and its answers, are over."""
    try:
        ending = await race(conversation.listen(), showing)
        return _farewell(channel, ending) if isinstance(ending, str) else (b"", ending)
    except ConnectionError:
        return b"", None
    except Exception as error:  # noqa: BLE001 - nobody above could tell the client
        return b"", Close(1011, describe(error, "a WebSocket").detail)


def _farewell(channel: Channel, left: Left) -> tuple[bytes, Close | None]:
    if left in _COME_BACK:
        told = codec.encode({"type": "retry", "wait": round(come_back(), 3)})
        return channel.framing.notice(b"retry", told), _CLOSE[left]
    return channel.farewell(always=True) if left in _OVER else b"", _CLOSE.get(left)


async def _command(request: web.Request, data: bytes) -> bytes:
    """Carry out a message: a command as it is posted, and its `key`, which may also be called `idempotency_key`."""
    keyed = codec.decode_json(data, _keyed_decoder)
    key = idempotency_key([key for key in (keyed.key, keyed.idempotency_key) if key is not None], "key")
    members = codec.decode_json(data, _members_decoder)
    for name in _Keyed.__struct_fields__:
        members.pop(name, None)
    command = codec.decode_command(codec.encode(members))
    receipt = await request.app[keys.HOST].submit(request.match_info["id"], key, command)
    return codec.encode({"type": "outcome", "key": key, **outcome(receipt)})
