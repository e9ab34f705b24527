"""Threads over HTTP: a conversation that is answered. Decides nothing: the host does.

A thread is a table that speaks when spoken to, so what is asked of an answer (`cancel`) is a table's command, and its
entries, replay and export have the addresses that a table's have.
"""

import msgspec
from aiohttp import hdrs, web

from protocol import codec, commands, notices
from protocol.errors import Invalid
from protocol.views import thread_events
from protocol.views.thread import Thread, posted, thread
from protocol.views.thread_events import ThreadMessage
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.limits import Limits, address, body
from roundtable.edge.operations import Answer, operation, queried
from roundtable.edge.parameters import Attending, ByThread, LastEventId, MayBeKeyed, Page, key_of
from roundtable.edge.wires.presence import present
from roundtable.edge.wires.sse import serve, table
from roundtable.fanout.framing import THREAD
from roundtable.hosting.threads import Begin, ThreadLine


class ThreadsPage(msgspec.Struct, frozen=True):
    """Newest first; `unreadable` has the ids of threads that are damaged, `next` is null on the last page."""

    threads: list[ThreadLine]
    unreadable: list[str]
    next: str | None


class ThreadBegun(msgspec.Struct, frozen=True):
    """A new thread, the cursor before which there is nothing of it, and where to go on from here."""

    id: str
    cursor: str
    links: dict[str, str]


class Say(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message: to all who answer here, or (`to`) to one of them."""

    text: str
    author: str = ""
    to: str = ""


class Said(msgspec.Struct, frozen=True):
    """The message as it is in the thread, and its cursor: read on after it for the answers."""

    message: ThreadMessage
    cursor: str


class Waiting(msgspec.Struct, frozen=True):
    """The message was accepted, at this place in the thread's inbox, and is posted when the store allows."""

    position: int


_begin_decoder, _say_decoder = msgspec.json.Decoder(Begin), msgspec.json.Decoder(Say)


class Threads:
    """The handlers under `/v1/threads`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    @operation(
        tag="threads",
        body=Begin,
        answers={201: Answer({"application/json": ThreadBegun}, headers={hdrs.LOCATION: "The thread."})},
        leads=dict.fromkeys(("/v1/threads/{id}", "/v1/stream/thread/{id}"), "$response.body#/id"),
        examples={"a question": {"model": "scripted:ada", "message": "Why?"}},
    )
    async def begin(self, request: web.Request) -> web.Response:
        """`POST /v1/threads`: a new thread, with its first message if there is one."""
        ask = codec.decode_json(await body(request), _begin_decoder)
        self._limits.table(address(request))
        id, cursor = await request.app[keys.HOST].begin_thread(ask)
        own = f"/v1/threads/{id}"
        links = {"self": own} | {
            name: f"{own}/{name}" for name in ("live", "messages", "commands", "events", "export")
        }
        return json(ThreadBegun(id, str(cursor), links), status=201, headers={hdrs.LOCATION: own})

    @operation(tag="threads", query=Page, answers={200: ThreadsPage})
    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/threads?limit=&before=`: the threads, newest first."""
        page = queried(request, Page)
        found = await request.app[keys.HOST].threads(before=page.before, limit=page.limit)
        return json(ThreadsPage(found.tables, found.unreadable, found.next))

    @operation(tag="threads", path=ByThread, answers={200: Thread})
    async def read(self, request: web.Request) -> web.Response:
        """`GET /v1/threads/{id}`: all messages, and the cursor after which to read on."""
        transcript = await request.app[keys.HOST].transcript(request.match_info["id"])
        return json(thread(transcript))

    @operation(
        tag="threads",
        path=ByThread,
        query=Attending,
        headers=LastEventId,
        answers={
            200: Answer({"text/event-stream": thread_events.KNOWN | notices.ANY}),
            204: Answer(about="The thread is closed, and you have all of it."),
        },
    )
    async def live(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/threads/{id}/live`: messages and answers as they come, from any cursor."""
        with present(request):
            return await serve(request, table(request), THREAD)

    @operation(tag="threads", path=ByThread, answers={204: None})
    async def delete(self, request: web.Request) -> web.Response:
        """`DELETE /v1/threads/{id}`: 204, and nothing of it is left; whoever follows it is sent away."""
        await request.app[keys.HOST].delete(request.match_info["id"])
        return web.Response(status=204)

    @operation(
        tag="threads",
        path=ByThread,
        headers=MayBeKeyed,
        body=Say,
        answers={201: Said, 202: Waiting},
        errors=(409, 422),
        leads={"/v1/threads/{id}": "$request.path.id"},
        examples={"a question": {"text": "But why?"}},
    )
    async def say(self, request: web.Request) -> web.Response:
        """`POST /v1/threads/{id}/messages`: 201 with the message as posted; the answers come in the stream."""
        key = key_of(request, made_up=True)
        ask: Say = codec.decode_json(await body(request), _say_decoder)
        command = commands.Say(ask.text, ask.to, ask.author)
        receipt = await request.app[keys.HOST].submit(request.match_info["id"], key, command)
        if receipt.entry is None:
            return json(Waiting(receipt.position), status=202)
        message = posted(receipt.entry)
        if message is None:
            raise Invalid("This key was used for something else than a message.", field="Idempotency-Key")
        return json(Said(message, str(receipt.entry.cursor)), status=201)
