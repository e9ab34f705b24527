"""A WebSocket once it is open: what is heard from the client, and what is said to it beside the entries.

Everything goes out through the `Outlet`, which keeps it out of the middle of an entry. What is under way is bounded;
what is beyond is refused in words, and who goes on regardless is shown the door. Source: RFC 6455.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from aiohttp import WebSocketError, WSMessage, WSMsgType, web

from protocol import codec, websocket
from protocol.errors import Invalid
from roundtable.edge.limits import MAX_BODY, Buckets
from roundtable.edge.parameters import MAX_KEY
from roundtable.edge.problems import Refused, describe
from roundtable.fanout.outlet import Outlet

T = TypeVar("T")
Answer = Callable[[bytes], Awaitable[bytes]]
"""What a message leads to: the JSON of its answer, empty if there is none, or an error."""

# Commands of one client that may be under way at once: a person has one, a program a handful.
MAX_UNDER_WAY = 8
# And together so much, however many may be: eight of the largest. Bytes; a single one is always taken.
MAX_HELD = 8 * MAX_BODY
# Seconds for one command: two for its outcome, the rest for a store that is slow.
ANSWER_WITHIN = 10.0
# Seconds without a word from a client that is pinged every ten: it has missed two.
SILENCE = 25.0
# Pings and pongs a second, and at once. A client is asked for one a second at the most.
CONTROLS_PER_SECOND, CONTROLS_AT_ONCE = 50, 200
# What may be refused to one client before it is closed, and how much of that is forgiven in a second.
REFUSALS_AT_ONCE, FORGIVEN_PER_SECOND = 100, 1
# Seconds for a client to answer a close frame, or to hang up.
CLOSE_WITHIN = 2.0
# Seconds between looks whether it did, where nothing tells us.
LOOK_AGAIN = 0.05
# Codes that say how a connection ended and are never sent (section 7.4.1), and none at all.
_UNSENDABLE = frozenset({0, 1005, 1006, 1015})
# What aiohttp says when the connection is gone.
_GONE = frozenset({WSMsgType.CLOSED, WSMsgType.CLOSING})


class Close(NamedTuple):
    """How a connection ends; the table of codes is in the README."""

    code: int
    reason: str = ""


class Socket(web.WebSocketResponse):
    """aiohttp's handshake and reading, without its writing: it knows nothing of what is being sent."""

    def __init__(self) -> None:
        super().__init__(compress=False, autoping=False, autoclose=False, max_msg_size=MAX_BODY + 1)

    async def close(self, **_: Any) -> bool:
        """Nothing: `Conversation` says goodbye. aiohttp calls this where it would write a close frame itself."""
        return False


class Trouble(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="type"):
    """What a problem document says, as a message; `key` is that of the command, if it could be read, and `stream` the
    one it was about, where a socket has several."""

    key: str | None
    stream: str | msgspec.UnsetType = msgspec.UNSET
    code: str
    detail: str
    status: int
    retryable: bool
    field: str | msgspec.UnsetType = msgspec.UNSET
    incident: str | msgspec.UnsetType = msgspec.UNSET
    retry_after: float | msgspec.UnsetType = msgspec.UNSET


_Key = Annotated[str, msgspec.Meta(max_length=MAX_KEY)] | None


class _Keyed(msgspec.Struct):
    key: _Key = None
    idempotency_key: _Key = None
    stream: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] | msgspec.UnsetType = msgspec.UNSET


_keyed_decoder = msgspec.json.Decoder(_Keyed)


class Conversation:
    """One client's. `admit` raises `Refused` when a message comes too soon; `silence` is in seconds; `at_once` messages
    may be under way. They are begun in the order in which they came. `heed` acts on what is done at once and answered
    by nothing, and says whether that was all; so it is never one too many."""

    def __init__(
        self,
        socket: Socket,
        outlet: Outlet,
        answer: Answer,
        admit: Callable[[], None],
        *,
        silence: float = SILENCE,
        at_once: int = MAX_UNDER_WAY,
        heed: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self._at_once, self._heed = at_once, heed
        self._unbegun = False  # whether a message's task is yet to take its first step
        self._socket, self._outlet, self._answer, self._admit = socket, outlet, answer, admit
        self._silence = silence
        self._controls = Buckets(CONTROLS_PER_SECOND, CONTROLS_AT_ONCE)
        self._grace = Buckets(FORGIVEN_PER_SECOND, REFUSALS_AT_ONCE)
        self._under_way: dict[asyncio.Task[None], int] = {}  # with the bytes of its message
        self._deaf = False  # aiohttp reads no more once the protocol was broken

    async def listen(self) -> Close | None:
        """Hear the client and answer, until it ends the connection or we must; None when it has hung up."""
        while True:
            try:
                message = await self._hear()
            except TimeoutError:
                return Close(4408, "Nothing was heard from you, not even a pong.")
            if message.type is WSMsgType.CLOSE:
                return Close(1000 if message.data in _UNSENDABLE else message.data)
            if message.type is WSMsgType.ERROR:
                return self._broken(message.data)
            if message.type in _GONE:
                return None
            if not await self._take(message):
                return Close(1008, "You sent more than is taken, and went on when told so.")

    async def close(self, farewell: bytes, close: Close) -> None:
        """Say the last words and wait until the client has heard them; what is under way is not answered any more."""
        with contextlib.suppress(ConnectionError):
            await self._outlet.tell(farewell + websocket.close(*close), last=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN):
                    await self._hung_up()

    async def settle(self) -> None:
        """Until what was asked is done: it was received, whoever may have left since."""
        if self._under_way:
            await asyncio.wait(self._under_way)  # each has its deadline

    def drop(self) -> None:
        """Give up what is under way."""
        for task in self._under_way:
            task.cancel()

    async def _hear(self) -> WSMessage:
        """The next message, of any kind. Raises `TimeoutError` when the client is silent and takes nothing either."""
        clock = asyncio.get_running_loop().time
        heard = clock()
        while True:
            deadline = max(heard, self._outlet.taken_at) + self._silence
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._socket.receive()
            except TimeoutError:
                if clock() >= max(heard, self._outlet.taken_at) + self._silence:
                    raise

    async def _take(self, message: WSMessage) -> bool:
        """Act on a message; False when it is one too many."""
        if message.type in (WSMsgType.PING, WSMsgType.PONG):
            if self._controls.take(""):
                return not self._grace.take("")
            if message.type is WSMsgType.PING:
                await self._outlet.tell(websocket.pong(message.data))
            return True
        data = message.data if isinstance(message.data, bytes) else message.data.encode()
        try:
            self._admit()
            if message.type is not WSMsgType.TEXT:
                raise Invalid("A message is text, in JSON.", code="not_text")
            if self._unbegun:
                await asyncio.sleep(0)  # what came before begins before
                self._unbegun = False
            if self._heed(data):
                return True
            self._check_room(len(data))
        except (Refused, Invalid) as error:
            await self._outlet.tell(websocket.text(_trouble(error, data)))
            return isinstance(error, Invalid) or not self._grace.take("")
        task = asyncio.get_running_loop().create_task(self._act(data))
        self._unbegun = True
        self._under_way[task] = len(data)
        task.add_done_callback(self._under_way.pop)
        return True

    def _check_room(self, size: int) -> None:
        held = sum(self._under_way.values())
        if len(self._under_way) >= self._at_once or (held and held + size > MAX_HELD):
            raise Refused(
                f"{len(self._under_way)} of your commands are under way; wait for the outcome of one.",
                code="too_many_requests",
                retry_after=1.0,
            )

    async def _act(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                told = await self._answer(data)
        except TimeoutError:
            told = _trouble(Refused("This took too long.", code="timeout", retryable=True), data)
        except Exception as error:  # noqa: BLE001 - one command's failure is its own
            told = _trouble(error, data)
        del data  # a megabyte perhaps, and the client may be slow to take the answer
        with contextlib.suppress(ConnectionError):
            await self._outlet.tell(websocket.text(told))

    def _broken(self, error: BaseException) -> Close | None:
        self._deaf = True
        if isinstance(error, WebSocketError):
            return Close(error.code, str(error))
        return None

    async def _hung_up(self) -> None:
        """Until the client answered our close frame or hung up. Closing while it still sends would make the kernel
        take back what the client has not read yet: our close frame."""
        while not self._deaf:
            message = await self._socket.receive()
            if message.type is WSMsgType.CLOSE or message.type in _GONE:
                return
            self._deaf = message.type is WSMsgType.ERROR
        while not self._outlet.transport.is_closing():  # noqa: ASYNC110 - aiohttp drops what comes and tells nobody
            await asyncio.sleep(LOOK_AGAIN)


async def race(*works: Coroutine[Any, Any, T]) -> T:
    """What the first to end gives, in the order named if several do; the others are cancelled and have ended."""
    tasks = [asyncio.get_running_loop().create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def trouble(
    error: Exception, key: str | None = None, stream: str | msgspec.UnsetType = msgspec.UNSET
) -> Trouble:
    """What is said of an error in answer to the message `key`, or about a stream."""
    problem = describe(error, "a message on a WebSocket")
    wait = getattr(error, "retry_after", None)
    return Trouble(
        key=key,
        stream=stream,
        code=problem.code,
        detail=problem.detail,
        status=problem.status,
        retryable=problem.retryable,
        field=problem.field,
        incident=problem.incident,
        retry_after=msgspec.UNSET if wait is None else wait,
    )


def _trouble(error: Exception, data: bytes) -> bytes:
    try:
        keyed = _keyed_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        keyed = _Keyed()
    key = keyed.idempotency_key if keyed.key is None else keyed.key
    return codec.encode(trouble(error, key, keyed.stream))
