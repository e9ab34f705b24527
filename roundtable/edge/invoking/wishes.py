"""What a client of `/v1/invocations/ws` may send: each message names the stream it is about."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from protocol import codec
from roundtable.edge.parameters import MAX_KEY

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]
_Credit = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    stream: _Name
    key: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] | None = None


class Begin(_Message, frozen=True, tag="invoke"):
    """Begin an invocation as stream `stream`. Without `credit` it is sent as fast as the socket takes it."""

    tool: str
    args: Mapping[str, Any] | None = None
    detach: bool = False
    record: bool = True
    credit: _Credit | None = None


class Follow(_Message, frozen=True, tag="follow"):
    """Follow an invocation that exists, after a cursor (`now`: from here on)."""

    invocation: str
    after: str = ""
    credit: _Credit | None = None


class Credit(_Message, frozen=True, tag="credit"):
    """So many messages more. Not answered."""

    credit: Annotated[int, msgspec.Meta(ge=1, le=2**31)]


class Cancel(_Message, frozen=True, tag="cancel"):
    """End the invocation."""


class Pause(_Message, frozen=True, tag="pause"):
    """Let it take no further step."""


class Resume(_Message, frozen=True, tag="resume"):
    """Let it go on."""


class Leave(_Message, frozen=True, tag="leave"):
    """Send nothing more of it: as hanging up, for one stream."""


ANY = Begin | Follow | Credit | Cancel | Pause | Resume | Leave
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(ANY)


def decode(data: bytes) -> ANY:
    """A message. Raises `Invalid` with the field that is wrong."""
    wish: ANY = codec.decode_json(data, _decoder)
    return wish
