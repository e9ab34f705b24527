"""Spectators with a stop-watch: how long after an append has the last of them got it?

    python -m tests.bench.watchers PORT COUNT LAPS

Opens COUNT event streams, reads until LAPS words came to each, and prints one line of JSON: `laps`, microseconds
from the time that a word carries to its arrival at the last spectator.
"""

import json
import re
import selectors
import socket
import sys
import time

from tests.bench.processes import PATH

_STAMP = re.compile(rb'"text":"([0-9]+)"')


def watch(port: int, count: int, laps: int) -> list[float]:
    """Microseconds of each lap, in the order in which they ended."""
    ready = selectors.DefaultSelector()
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % PATH.encode())
        connection.setblocking(False)
        ready.register(connection, selectors.EVENT_READ, bytearray())
    arrived: dict[bytes, int] = {}
    times: list[float] = []
    while len(times) < laps:
        for key, _ in ready.select():
            assert isinstance(key.fileobj, socket.socket)
            data = key.fileobj.recv(65536)
            if not data:
                raise RuntimeError("the server hung up")
            key.data.extend(data)
            whole, found, rest = key.data.rpartition(b"\n\n")
            if found:
                key.data[:] = rest
            for stamp in _STAMP.findall(whole):
                arrived[stamp] = arrived.get(stamp, 0) + 1
                if arrived[stamp] == count:
                    times.append((time.monotonic_ns() - int(stamp)) / 1000)
    return times


if __name__ == "__main__":
    port, count, laps = map(int, sys.argv[1:])
    print(json.dumps({"laps": watch(port, count, laps)}), flush=True)
