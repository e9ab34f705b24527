"""The only encoder and decoder. A logged body is the event's JSON with `at` as its second member;
the same bytes are an SSE frame's data, so nothing is encoded twice on its way out.

Decoding is two steps, envelope then event, because logs outlive code: an unknown type is carried along.
"""

import re
from typing import Any

import msgspec

from protocol.commands import ANY
from protocol.cursor import Cursor
from protocol.errors import Invalid, LogDamaged
from protocol.events import KNOWN, Entry, Event, Unknown

_encoder = msgspec.json.Encoder()
_event_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(KNOWN)
_command_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(ANY)
# Every body begins `{"type":"`; the encoder puts a tag first and writes no white space.
_TYPE_AT = len(b'{"type":"')
# Characters of a member's name that are told back: none of ours is longer.
MAX_NAMED = 40
_MEMBER = re.compile(r"(?:missing required|contains unknown) field `(.*)`")
_COMMANDS = ", ".join(str(struct.__struct_config__.tag) for struct in ANY.__args__)
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be."""


class Envelope(msgspec.Struct, frozen=True):
    """What every event has, whatever version wrote it."""

    type: str
    at: float


_envelope_decoder = msgspec.json.Decoder(Envelope)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(value: Any) -> bytes:
    """Compact JSON of any protocol value."""
    return _encoder.encode(value)


def event_type(event: Event) -> str:
    """The event's name on the wire, such as `turn.delta`."""
    return event.type if isinstance(event, Unknown) else str(event.__struct_config__.tag)


def encode_body(event: Event, at: float) -> bytes:
    """The bytes under which an event is logged and sent: `{"type":...,"at":...,...}`. `at` keeps microseconds."""
    if isinstance(event, Unknown):
        return event.body
    plain = _encoder.encode(event)
    split = plain.index(b'"', _TYPE_AT) + 1
    return b'%b,"at":%.6f%b' % (plain[:split], at, plain[split:])


def body_type(body: bytes) -> bytes:
    """The type inside an encoded body, without decoding it. Raises `LogDamaged` when it has none."""
    end = body.find(b'"', _TYPE_AT)
    if end < 0:
        raise LogDamaged("The log holds bytes that are no entry.")
    return body[_TYPE_AT:end]


def decode_body(cursor: Cursor, body: bytes) -> Entry:
    """The entry that stands at `cursor`. Raises `LogDamaged` when the bytes are no event at all."""
    try:
        envelope = _envelope_decoder.decode(body)
    except UNREADABLE as error:
        raise LogDamaged(f"The log's entry {cursor} is not readable: {error}.") from error
    if envelope.type.encode() not in _KNOWN_TYPES:
        return Entry(cursor, envelope.at, Unknown(type=envelope.type, body=body))
    try:
        return Entry(cursor, envelope.at, _event_decoder.decode(body))
    except UNREADABLE as error:
        raise LogDamaged(f"The log's entry {cursor} is not a valid {envelope.type}: {error}.") from error


def decode_command(data: bytes) -> ANY:
    """A command from its JSON; raises `Invalid` with the field that is wrong."""
    try:
        command: ANY = decode_json(data, _command_decoder)
    except Invalid as error:
        if error.field != "type":
            raise
        raise Invalid(
            f"{error.detail.rstrip('.')}: a command's type is one of {_COMMANDS}.", field="type"
        ) from None
    return command


def decode_json(data: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """Decode what a caller sent; raises `Invalid` naming the field in `$.a[0].b` form, without the `$.`: one that is
    missing or too many is named as if it were there."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `")
        if absent := _MEMBER.search(detail):
            path = f"{path.rstrip('`')}.{absent[1][:MAX_NAMED]}"
        raise Invalid(f"{detail}.", field=path.rstrip("`").removeprefix("$").removeprefix(".")) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"The body is not valid JSON in UTF-8: {error}.", code="malformed_json") from error


_KNOWN_TYPES = frozenset(str(struct.__struct_config__.tag).encode() for struct in KNOWN.__args__)


def message(cursor: object, data: bytes) -> bytes:
    """An event's data with its cursor put first as `id`. What the event itself calls so (an invocation's, a thread's, a
    tool's) is its `own_id`: of two members of one name readers keep the last, and could not come back."""
    if b'"id":' in data:  # nothing said looks like this: in text a quote has a backslash before it
        data = _renamed(data)
    return b'{"id":"%b",%b' % (str(cursor).encode(), data[1:])


def _renamed(data: bytes) -> bytes:
    try:
        members = _members.decode(data)
    except UNREADABLE:
        return data
    return encode({"own_id" if name == "id" else name: value for name, value in members.items()})
