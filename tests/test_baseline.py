"""The C programs of the benchmarks count right: what they report is compared with what was sent."""

import asyncio
import contextlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from protocol import sse
from tests.bench import baseline

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


def serve(program: str, *args: str) -> tuple["subprocess.Popen[str]", str]:
    """A server of ours on a free port; the port."""
    server = subprocess.Popen([str(baseline.compile(program)), "0", *args], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    return server, server.stdout.readline().removeprefix("port ").strip()


def finish(server: "subprocess.Popen[str]") -> dict[str, Any]:
    printed, _ = server.communicate(timeout=30)
    assert server.returncode == 0
    return dict(json.loads(printed.splitlines()[-1]))


def load(port: str, *args: str) -> "subprocess.Popen[str]":
    command = [str(baseline.compile("spectators")), "127.0.0.1", port, "/events", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_every_spectator_of_the_fan_out_sees_every_event() -> None:
    server, port = serve("fanout", "40", "200", "0.25", "180")
    seen = finish(load(port, "40", "0", "20"))
    sent = finish(server)
    assert sent["deliveries"] == seen["events_total"] == 40 * 50
    assert (seen["connected"], seen["ended"], seen["failed"]) == (40, 40, 0)
    assert seen["min_events"] == seen["max_events"] == 50
    assert seen["bytes"] >= 40 * 50 * 180


def test_a_blocked_spectator_gets_the_rest_later() -> None:
    server, port = serve("fanout", "4", "400", "0.25", "60000")  # 6 MB each, more than a socket takes
    seen = finish(load(port, "4", "0", "20"))
    assert finish(server)["cut_off"] == 0
    assert seen["min_events"] == 100


@pytest.mark.parametrize("how", ["frames", "blocks"])
def test_the_whole_file_is_served(tmp_path: Path, how: str) -> None:
    frames = [sse.encode(b"x" * (i % 500), event="turn.delta", id=f"1-{i}") for i in range(1, 3001)]
    (tmp_path / "frames").write_bytes(b"".join(frames))
    server, port = serve("bulk", str(tmp_path / "frames"), how)
    seen = finish(load(port, "1", "0", "20"))
    sent = finish(server)
    assert sent["bytes"] == sum(map(len, frames))
    assert sent["sends"] == (3000 if how == "frames" else -(-sent["bytes"] // 65536))
    # A block may end within the five bytes that are counted; then chunk framing lies between them.
    assert (
        seen["events_total"] == 3000 if how == "frames" else abs(seen["events_total"] - 3000) < sent["sends"]
    )


async def test_spectators_count_words_cut_anywhere_and_say_who_was_refused() -> None:
    refusals = iter((True, False, False))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert b"GET /events HTTP/1.1\r\n" in request
        assert b"\r\nLast-Event-ID: 1-5\r\n" in request
        if next(refusals):
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        else:
            body = (
                b"HTTP/1.1 200 OK\r\n\r\n" + sse.encode(b"x", id="1-6") * 7 + sse.encode(b"{}", event="end")
            )
            with contextlib.suppress(ConnectionError):  # it leaves as soon as it knows the end
                for i in range(len(body)):
                    writer.write(body[i : i + 1])
                    await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = str(server.sockets[0].getsockname()[1])
        seen = await asyncio.to_thread(lambda: finish(load(port, "3", "0", "20", "Last-Event-ID: 1-5")))
    assert (seen["connected"], seen["failed"], seen["ended"]) == (2, 1, 2)
    assert (seen["events_total"], seen["min_events"], seen["max_events"]) == (14, 7, 7)
