"""The least that Redis takes from one process to another: XADD here, a waiting XREAD there, no client library.

python -m tests.bench.bare_redis read SOCKET LAPS      prints one line of JSON: `laps`, microseconds of each
python -m tests.bench.bare_redis write SOCKET LAPS PAUSE
python -m tests.bench.bare_redis relay SOCKET LAPS COUNT   prints "port P", and "ready" when COUNT watchers are there
"""

import json
import re
import socket
import sys
import time
from collections.abc import Iterator

KEY = b"bench:bare"
_ID = re.compile(rb"\$[0-9]+\r\n([0-9]+-[0-9]+)\r\n\*2\r\n\$1\r\nb\r\n\$[0-9]+\r\n([0-9]+)\r\n")
# As long as ours for a word.
_FRAME = (
    b"id: 1763675000123-42\nevent: turn.delta\n"
    b'data: {"type":"turn.delta","at":1763675000.5,"turn":"t3","panelist":"Ada","attempt":1,"text":"%b"}\n\n'
)


def command(*words: bytes) -> bytes:
    """RESP2, as any client sends it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return connection


def read(path: str, laps: int) -> list[float]:
    """Microseconds from XADD's sending to XREAD's return."""
    connection = connect(path)
    print("ready", flush=True)
    return [(time.monotonic_ns() - int(stamp)) / 1000 for stamp in _stamps(connection, laps)]


def relay(path: str, laps: int, count: int) -> None:
    """As `read`, and every entry goes on to `count` watchers in a plain loop: what any server in Python would do."""
    server = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print("port", server.getsockname()[1], flush=True)
    watchers = [server.accept()[0] for _ in range(count)]
    for watcher in watchers:
        watcher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = connect(path)
    print("ready", flush=True)
    for stamp in _stamps(connection, laps):
        frame = _FRAME % stamp
        for watcher in watchers:
            watcher.sendall(frame)


def _stamps(connection: socket.socket, count: int) -> Iterator[bytes]:
    last = b"0"
    while count > 0:
        connection.sendall(command(b"XREAD", b"BLOCK", b"5000", b"STREAMS", KEY, last))
        for match in _ID.finditer(connection.recv(65536)):
            last = match[1]
            count -= 1
            yield match[2]


def write(path: str, laps: int, pause: float) -> None:
    connection = connect(path)
    for number in range(1, laps + 1):
        time.sleep(pause)
        stamp = b"%d" % time.monotonic_ns()
        connection.sendall(command(b"XADD", KEY, b"1-%d" % number, b"b", stamp))
        connection.recv(65536)
    connection.sendall(command(b"DEL", KEY))
    connection.recv(65536)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        print(json.dumps({"laps": read(sys.argv[2], int(sys.argv[3]))}), flush=True)
    elif sys.argv[1] == "relay":
        relay(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        write(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
        print(json.dumps({}), flush=True)
