"""WebSocket frames as a server sends them: unmasked, and one frame to a message. Bytes in, bytes out.

Source: RFC 6455, section 5. What clients send is read by aiohttp, in the edge.
"""

# With the bit that says: this frame is the whole message.
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A
# A control frame carries at most this much (section 5.5); a close frame spends two of it on its code. Bytes.
MAX_CONTROL = 125


def text(payload: bytes) -> bytes:
    """One text message; `payload` is UTF-8."""
    size = len(payload)
    if size < 126:
        return b"%c%c%b" % (_TEXT, size, payload)
    if size < 1 << 16:
        return b"%c\x7e%b%b" % (_TEXT, size.to_bytes(2), payload)
    return b"%c\x7f%b%b" % (_TEXT, size.to_bytes(8), payload)


def ping() -> bytes:
    """A ping; whoever reads answers it."""
    return bytes([_PING, 0])


def pong(payload: bytes) -> bytes:
    """The answer to a ping, with what the ping carried: at most `MAX_CONTROL` bytes."""
    return bytes([_PONG, len(payload)]) + payload


def close(code: int, reason: str = "") -> bytes:
    """The last frame of a connection. `reason` is cut, between characters, to what fits."""
    cut = reason.encode()[: MAX_CONTROL - 2].decode(errors="ignore").encode()
    return bytes([_CLOSE, 2 + len(cut)]) + code.to_bytes(2) + cut
