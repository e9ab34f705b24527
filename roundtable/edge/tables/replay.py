"""`GET /v1/roundtables/{id}/replay`: a table as it happened, at another pace; over a WebSocket it can be steered.

When the replay has come to the table's present it goes on live, as `events` and `ws` do, with the same ids throughout.
"""

import asyncio
from functools import partial
from typing import Annotated, Any

import msgspec
from aiohttp import web

from protocol import codec, events
from roundtable.edge import keys
from roundtable.edge.operations import Answer as Said
from roundtable.edge.operations import operation, queried
from roundtable.edge.parameters import MAX_KEY, ById, LastEventId, Text
from roundtable.edge.wires import sse
from roundtable.edge.wires.conversation import Answer
from roundtable.edge.wires.said import SOCKET, Replaying
from roundtable.edge.wires.websocket import Sockets, upgrades
from roundtable.fanout.channel import Channel, LeadIn
from roundtable.fanout.pacing import FASTEST, LONGEST_GAP, SLOWEST, Score, Tempo
from roundtable.fanout.playback import Playback


class Steer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """What a viewer may ask for; `key` comes back with the outcome."""

    key: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] = ""


class Seek(Steer, frozen=True, tag="seek"):
    """Go on from elsewhere, as if one had come anew with this `after`."""

    after: str


class Speed(Steer, frozen=True, tag="speed"):
    """Go on at another speed."""

    speed: Annotated[float, msgspec.Meta(ge=SLOWEST, le=FASTEST)]


class Pause(Steer, frozen=True, tag="pause"):
    """Stand still: the replay, not the table."""


class Play(Steer, frozen=True, tag="play"):
    """Go on after a pause."""


class Pace(msgspec.Struct, frozen=True):
    """How fast, and from where; `max_gap` in seconds of the table's time."""

    speed: Annotated[float, msgspec.Meta(ge=SLOWEST, le=FASTEST)] = 1.0
    max_gap: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_GAP)] = 5.0
    after: Text = ""


STEERING = Seek | Speed | Pause | Play
_steer_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(STEERING)


class Replays:
    """The handler; sockets are served as `Sockets` serves them."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    @operation(
        tag="tables",
        path=ById,
        query=Pace,
        headers=LastEventId,
        answers={**sse.TOLD, 101: Said(said=events.KNOWN | SOCKET | Replaying, heard=STEERING)},
    )
    async def replay(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/roundtables/{id}/replay`: a table as fast as it happened, or faster, or slower.

        Over a WebSocket it can be steered. Raises `Invalid` naming `speed` or `max_gap`, and like `sse.events`."""
        asked = queried(request, Pace)
        tempo = Tempo(speed=asked.speed, max_gap=asked.max_gap)

        def begin(channel: Channel) -> tuple[Answer, LeadIn]:
            playback = Playback(request.app[keys.LOG], channel, Score(tempo, _now()))
            return partial(_steer, channel, playback), playback.play

        if upgrades(request):
            return await self._sockets.serve(request, begin)
        return await sse.serve(request, sse.table(request), begin=lambda channel: begin(channel)[1])


async def _steer(channel: Channel, playback: Playback, data: bytes) -> bytes:
    asked: STEERING = codec.decode_json(data, _steer_decoder)
    match asked:
        case Seek():
            playback.seek(*await channel.resume(sse.after(asked.after)))
        case Speed():
            playback.change(speed=asked.speed)
        case Pause():
            playback.change(paused=True)
        case Play():
            playback.change(paused=False)
    return codec.encode({"type": "outcome", "key": asked.key, "outcome": "done"})


def _now() -> float:
    return asyncio.get_running_loop().time()
