"""What the server and a llama.cpp child say to each other: msgpack messages over pipes, each after its length.

Both sides bound what they read: a child whose memory is damaged may write anything.
"""

import asyncio
import struct
from typing import BinaryIO

import msgspec

from protocol.messages import Logprob, Message, StopReason, ToolSpec

# A prompt of 100,000 characters (roundtable.projection) is at most 400 kB; an invocation's may be longer.
MAX_BYTES = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class Load(msgspec.Struct, frozen=True, tag=True):
    """The first message to a child. `parent` is the process it must not outlive; `pulse` is in seconds.

    `context` (tokens of one conversation) is bounded by what the model was trained for; `gpu_layers` -1 is all.
    """

    path: str
    parent: int
    pulse: float
    context: int
    threads: int
    gpu_layers: int


class Sampling(msgspec.Struct, frozen=True):
    """How the next token is chosen, as llama.cpp's samplers take it; `seed` None draws one."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repeat_penalty: float
    seed: int | None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: dict[int, float] = {}


class Ask(msgspec.Struct, frozen=True, tag=True):
    """A request. `max_tokens` None is as many as the context holds; `logprobs` is how many likely tokens are told with
    each, None to tell no logarithms. `raw` is a text to go on with, instead of a conversation: then every token is told
    by itself.
    """

    id: int
    system: str
    messages: tuple[Message, ...]
    sampling: Sampling
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    tools: tuple[ToolSpec, ...] = ()
    logprobs: int | None = None
    raw: str | None = None


class Halt(msgspec.Struct, frozen=True, tag=True):
    """Stop that request, now. Answered by `Halted` unless its end is under way already."""

    id: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The model is loaded; a conversation may have `context` tokens."""

    context: int


class Unloadable(msgspec.Struct, frozen=True, tag=True):
    """The model cannot be loaded; the child ends after this. Empty when only llama.cpp's own log says why."""

    detail: str


class Pulse(msgspec.Struct, frozen=True, tag=True):
    """The process is alive, whatever llama.cpp is doing."""


class Reading(msgspec.Struct, frozen=True, tag=True):
    """So many of the prompt's tokens have been processed."""

    id: int
    done: int
    prompt: int


class Said(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Words of an answer; never empty but with a `token`, which is told (its id) when the request was raw."""

    id: int
    text: str
    logprobs: tuple[Logprob, ...] = ()
    token: int = -1


class Done(msgspec.Struct, frozen=True, tag=True):
    """The end of an answer, in tokens: `cached` of the prompt's were not processed again."""

    id: int
    reason: StopReason
    prompt: int
    cached: int
    said: int


class Halted(msgspec.Struct, frozen=True, tag=True):
    """The end of a request that was stopped; `done` of its prompt's tokens had been processed."""

    id: int
    done: int = 0


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The end of a request that cannot be answered, with a code of `ProviderError`."""

    id: int
    code: str
    detail: str


ToChild = Load | Ask | Halt
About = Reading | Said | Done | Halted | Failed
ToServer = Ready | Unloadable | Pulse | About

_to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_to_server: msgspec.msgpack.Decoder[ToServer] = msgspec.msgpack.Decoder(ToServer)


class Malformed(Exception):
    """The other side sent what is no message of ours."""


def frame(message: ToChild | ToServer) -> bytes:
    """A message as it goes over a pipe. Raises `ValueError` when it is longer than `MAX_BYTES`."""
    body = msgspec.msgpack.encode(message)
    if len(body) > MAX_BYTES:
        raise ValueError(f"{len(body)} bytes are more than one message may have")
    return _LENGTH.pack(len(body)) + body


def read(stream: BinaryIO) -> ToChild | None:
    """The child's next message, waiting for it; None when the server is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    body = stream.read(_bounded(head))
    return _to_child.decode(body)


async def receive(stream: asyncio.StreamReader) -> ToServer:
    """The server's next message. Raises `asyncio.IncompleteReadError` at the end, else `Malformed`."""
    body = await stream.readexactly(_bounded(await stream.readexactly(_LENGTH.size)))
    try:
        return _to_server.decode(body)
    except msgspec.MsgspecError as error:
        raise Malformed(str(error)) from error


def _bounded(head: bytes) -> int:
    length: int = _LENGTH.unpack(head)[0]
    if length > MAX_BYTES:
        raise Malformed(f"a message of {length} bytes")
    return length
