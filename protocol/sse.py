"""Server-Sent Events: a frame encoder, and an incremental decoder from bytes cut anywhere.

Source: WHATWG HTML, section 9.2. Lines end in LF, CR or CRLF and in nothing else (not U+2028).
"""

import re
from collections.abc import Iterator

import msgspec

from protocol.errors import ProviderError

# A line longer than this is no honest frame; the decoder refuses it rather than grow. 8 MiB.
MAX_LINE = 8 * 1024 * 1024
_BREAK = re.compile(rb"\r\n|\n|\r")


class Frame(msgspec.Struct, frozen=True):
    """One event as a client sees it. `id` is None when the frame had none; `retry` is in milliseconds."""

    event: str
    data: str
    id: str | None = None
    retry: int | None = None


def encode(data: bytes = b"", *, event: str = "", id: str = "", retry: int | None = None) -> bytes:
    """One frame. With only an id it moves the client's last event ID and dispatches nothing."""
    lines = []
    if id:
        lines.append(b"id: " + id.encode())
    if event:
        lines.append(b"event: " + event.encode())
    if retry is not None:
        lines.append(b"retry: %d" % retry)
    if data or event:
        lines += [b"data: " + line for line in _BREAK.split(data)]
    return b"\n".join(lines) + b"\n\n"


def comment(text: str = "") -> bytes:
    """A line that clients ignore; it opens the stream through proxies that wait for a first byte."""
    return b": %b\n\n" % text.encode()


class Decoder:
    """Feed bytes, get frames. Holds at most one unfinished event of `MAX_LINE` bytes.

    `last_id` is what the next reconnection must send. A frame cut by the end of the stream is dropped,
    as the specification says.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.retry: int | None = None
        self._buffer = b""
        self._data: list[bytes] = []
        self._event = b""
        self._id: bytes | None = None
        self._size = 0
        self._began = False
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Frames that `chunk` completed. Raises `ProviderError` (`malformed`) on a line without end."""
        for line in self._lines(chunk):
            frame = self._line(line)
            if frame is not None:
                yield frame

    def _lines(self, chunk: bytes) -> list[bytes]:
        if not chunk:
            return []
        if self._after_cr:  # the LF of a CRLF that was cut between its two bytes
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        buffer = self._buffer + chunk
        if not self._began:
            if len(buffer) < 3 and b"\xef\xbb\xbf".startswith(buffer):
                self._buffer = buffer
                return []
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
            self._began = True
        self._after_cr = buffer.endswith(b"\r")
        lines = buffer.splitlines()  # of bytes: at LF, CR and CRLF alone
        self._buffer = lines.pop() if lines and not buffer.endswith((b"\n", b"\r")) else b""
        if len(self._buffer) + self._size > MAX_LINE:
            raise ProviderError("The server sent a frame without end.", code="malformed")
        return lines

    def _line(self, line: bytes) -> Frame | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(line)
            if self._size > MAX_LINE:
                raise ProviderError("The server sent a frame without end.", code="malformed")
        elif field == b"event":
            self._event = value
        elif field == b"id" and b"\0" not in value:
            self._id = value
        elif field == b"retry" and value.isdigit():
            self.retry = int(value)
        return None

    def _dispatch(self) -> Frame | None:
        data, event, self._data, self._event, self._size = self._data, self._event, [], b"", 0
        if self._id is not None:
            self.last_id = self._id.decode(errors="replace")
        identity, self._id = (None if self._id is None else self.last_id), None
        if not data:
            return None
        text = b"\n".join(data).decode(errors="replace")
        return Frame(event.decode(errors="replace") or "message", text, identity, self.retry)
