"""What a client library takes for the same: redis-py's asyncio client, XADD in one process, a waiting XREAD in another.

python -m tests.bench.client_redis read SOCKET LAPS      prints one line of JSON: `laps`, microseconds of each
python -m tests.bench.client_redis write SOCKET LAPS PAUSE
"""

import asyncio
import json
import sys
import time
from typing import Any

from redis.asyncio import Redis

KEY = "bench:client"
# Below the 5 seconds after which redis-py gives a silent server up. Milliseconds.
BLOCK = 4_000


async def read(path: str, laps: int) -> list[float]:
    """Microseconds from XADD's sending to XREAD's return."""
    times, last = list[float](), b"0"
    async with Redis(unix_socket_path=path) as client:
        await client.ping()
        print("ready", flush=True)
        while len(times) < laps:
            answer: Any = await client.xread({KEY: last}, block=BLOCK)
            now = time.monotonic_ns()
            for _, entries in answer or ():
                last = entries[-1][0]
                times += [(now - int(fields[b"b"])) / 1000 for _, fields in entries]
    return times


async def write(path: str, laps: int, pause: float) -> None:
    async with Redis(unix_socket_path=path) as client:
        for number in range(1, laps + 1):
            await asyncio.sleep(pause)
            await client.xadd(KEY, {"b": time.monotonic_ns()}, id=f"1-{number}")
        await client.delete(KEY)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        print(json.dumps({"laps": asyncio.run(read(sys.argv[2], int(sys.argv[3])))}), flush=True)
    else:
        asyncio.run(write(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
        print(json.dumps({}), flush=True)
