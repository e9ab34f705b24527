"""The least that Redis takes from one process to another: XADD here, a waiting XREAD there, no client library.

python -m tests.bench.bare_redis read SOCKET LAPS      prints one line of JSON: `laps`, microseconds of each
python -m tests.bench.bare_redis write SOCKET LAPS PAUSE
"""

import json
import re
import socket
import sys
import time

KEY = b"bench:bare"
_ID = re.compile(rb"\$[0-9]+\r\n([0-9]+-[0-9]+)\r\n\*2\r\n\$1\r\nb\r\n\$[0-9]+\r\n([0-9]+)\r\n")


def command(*words: bytes) -> bytes:
    """RESP2, as any client sends it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return connection


def read(path: str, laps: int) -> list[float]:
    """Microseconds from XADD's sending to XREAD's return."""
    connection, times, last = connect(path), list[float](), b"0"
    print("ready", flush=True)
    while len(times) < laps:
        connection.sendall(command(b"XREAD", b"BLOCK", b"5000", b"STREAMS", KEY, last))
        answer = connection.recv(65536)
        now = time.monotonic_ns()
        for match in _ID.finditer(answer):
            last = match[1]
            times.append((now - int(match[2])) / 1000)
    return times


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
    else:
        write(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
        print(json.dumps({}), flush=True)
