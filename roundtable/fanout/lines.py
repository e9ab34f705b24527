"""Newline-delimited JSON: each line what a WebSocket message would be. For programs that read lines and no SSE."""

from collections.abc import Sequence

from protocol import codec
from roundtable.log.base import Record


class Lines:
    """As `Framing`, on a connection that carries nothing else: HTTP/1.0, ended by closing.

    Every line with an `id` moves the reader, and no other.
    """

    name = "ndjson"

    def entries(self, records: Sequence[Record]) -> bytes:
        """As `Framing.entries`."""
        return b"".join([b'{"id":"%d-%d",%b\n' % (at.term, at.seq, body[1:]) for at, body in records])

    def frame(self, cursor: object, event: bytes, data: bytes) -> bytes:
        """As `Framing.frame`."""
        return codec.message(cursor, data) + b"\n"

    def notice(self, event: bytes, data: bytes) -> bytes:
        """As `Framing.notice`."""
        return data + b"\n"

    def mark(self, cursor: object) -> bytes:
        """As `Framing.mark`."""
        return self.frame(cursor, b"mark", b'{"type":"mark"}')

    def wrap(self, frames: bytes) -> bytes:
        """As `Framing.wrap`."""
        return frames


class ChunkedLines(Lines):
    """The same in HTTP/1.1's chunked transfer coding."""

    name = "ndjson-chunked"

    def wrap(self, frames: bytes) -> bytes:
        """`frames` as one chunk."""
        return b"%x\r\n%b\r\n" % (len(frames), frames)
