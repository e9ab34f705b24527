"""A server of Chat Completions that does next to nothing itself: each token is a frame with the time it was sent.

    python -m tests.bench.completions

Prints "port P". The model `RATE-COUNT` says COUNT tokens at RATE a second (0: as fast as they are taken); a token is
the monotonic clock's nanoseconds and a blank.
"""

import asyncio
import contextlib
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNK = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1763675000,"model":"m",'
    b'"choices":[{"index":0,"delta":{%b},"finish_reason":%b}]}\n\n'
)
_LAST = _CHUNK % (b"", b'"stop"') + b"data: [DONE]\n\n"
# Tokens between two turns of the loop where there is no pace.
AT_ONCE = 20


def chunk(content: bytes) -> bytes:
    """A token's frame."""
    return _CHUNK % (b'"content":"%b"' % content, b"null")


def _wrap(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            body = await reader.readexactly(length)
            if not head.startswith(b"POST"):  # proxies ask who is there
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                continue
            rate, count = _asked(body)
            writer.write(HEAD + _wrap(_CHUNK % (b'"role":"assistant","content":""', b"null")))
            await _say(writer, rate, count)
            writer.write(_wrap(_LAST) + b"0\r\n\r\n")
            await writer.drain()
    writer.close()


def _asked(body: bytes) -> tuple[int, int]:
    name = body.partition(b'"model"')[2].split(b'"', 2)[1]
    rate, _, count = name.rpartition(b"/")[2].partition(b"-")
    return int(rate), int(count)


async def _say(writer: asyncio.StreamWriter, rate: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        if rate:
            await asyncio.sleep(began + number / rate - loop.time())
        elif number % AT_ONCE == 0:
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(_wrap(chunk(b"%d " % time.monotonic_ns())))


async def main() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
