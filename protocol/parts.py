"""An entry in the parts it was made of: words that were logged together, told one by one as they came."""

from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec

from protocol.codec import UNREADABLE, Envelope, body_type, encode
from protocol.errors import LogDamaged

_SPOKEN = frozenset({b"turn.delta", b"turn.thinking"})


class Part(NamedTuple):
    """A body like those that are logged, and when it happened (Unix seconds)."""

    body: bytes
    at: float


class _Spoken(Envelope, frozen=True):
    text: str
    chunks: list[tuple[int, int]] | msgspec.UnsetType = msgspec.UNSET


_at = msgspec.json.Decoder(Envelope)
_spoken = msgspec.json.Decoder(_Spoken)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parts(body: bytes) -> list[Part]:
    """The parts of a logged body, in order; most have one, the body itself.

    The same body always has the same parts, so that a cursor `term-seq.k` means the same to everyone. Members that
    this version does not know are kept in each part. Raises `LogDamaged` when the bytes are no event.
    """
    try:
        return _parts(body)
    except UNREADABLE as error:
        raise LogDamaged(f"An entry of the log is not readable: {error}.") from error


def _parts(body: bytes) -> list[Part]:
    if body_type(body) not in _SPOKEN:
        return [Part(body, _at.decode(body).at)]
    spoken = _spoken.decode(body)
    if spoken.chunks is msgspec.UNSET or sum(length for length, _ in spoken.chunks) != len(spoken.text):
        return [Part(body, spoken.at)]
    members = _members.decode(body)
    del members["chunks"]
    ends = accumulate((length for length, _ in spoken.chunks), initial=0)
    return [
        _part(members, spoken.text[start:end], spoken.at + milliseconds / 1000)
        for (start, end), (_, milliseconds) in zip(pairwise(ends), spoken.chunks, strict=True)
    ]


def _part(members: dict[str, msgspec.Raw], text: str, at: float) -> Part:
    told = {"at": msgspec.Raw(b"%.6f" % at), "text": msgspec.Raw(encode(text))}
    return Part(encode(members | told), at)
