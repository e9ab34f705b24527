"""The event stream over real sockets: what a browser, curl or a proxy meets at `/v1/roundtables/{id}/events`."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import ClientSession, ClientTimeout, web

from protocol import events as e
from protocol import sse
from protocol.cursor import ZERO, Cursor
from roundtable.broadcast import Broadcast
from roundtable.edge import problems
from roundtable.edge.keys import BROADCAST, LOG
from roundtable.edge.sse import events
from roundtable.log.sqlite import SqliteLog
from tests.readers import TABLE, delta, records

PATH = "/v1/roundtables/one/events"
CLOSED = e.TableClosed(reason="max_turns")


class House:
    """A server with one table, as the production runner serves it."""

    def __init__(self, log: SqliteLog, broadcast: Broadcast, port: int) -> None:
        self.log, self.broadcast, self.port = log, broadcast, port
        self.url = f"http://127.0.0.1:{port}{PATH}"
        self.last = ZERO

    async def write(self, *made: e.Event) -> None:
        for start in range(0, len(made), 500):
            batch = records(made[start : start + 500], self.last)
            await self.log.append(TABLE, self.last, batch)
            self.last = batch[-1].cursor

    async def say(self, count: int) -> None:
        await self.write(*[delta(f"word {number}") for number in range(count)])

    def ids(self, after: int = 0) -> list[str]:
        return [str(Cursor(self.last.term, seq)) for seq in range(after + 1, self.last.seq + 1)]

    async def until(self, spectators: int) -> None:
        """Until there are so many."""
        while self.broadcast.spectators(TABLE) != spectators:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.001)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    log = await SqliteLog.open(tmp_path)
    broadcast = Broadcast(log, heartbeat=0.05)
    await broadcast.start()
    app = web.Application(middlewares=[problems.middleware])
    app[LOG], app[BROADCAST] = log, broadcast
    app.router.add_get("/v1/roundtables/{id}/events", events)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    house = House(log, broadcast, runner.addresses[0][1])
    await house.write(e.TermBegan(owner="test"))
    yield house
    await broadcast.close(within=2.0)
    await runner.cleanup()
    await log.close()


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    frames: list[sse.Frame]
    decoder: sse.Decoder

    def ids(self) -> list[str]:
        return [frame.id for frame in self.frames if frame.id]

    def names(self) -> list[str]:
        return [frame.event for frame in self.frames if frame.event != "hb"]


async def get(url: str, headers: Mapping[str, str] | None = None, until: int | None = None) -> Answer:
    """Read to the end, or until so many frames with ids have come."""
    async with (
        ClientSession(timeout=ClientTimeout(total=30)) as session,
        session.get(url, headers=headers) as response,
    ):
        decoder, frames = sse.Decoder(), list[sse.Frame]()
        async for chunk in response.content.iter_any():
            frames += decoder.feed(chunk)
            if until is not None and sum(1 for frame in frames if frame.id) >= until:
                break
        return Answer(response.status, response.headers, frames, decoder)


async def test_a_closed_table_is_replayed_to_its_end(house: House) -> None:
    await house.say(3000)
    await house.write(CLOSED)
    answer = await get(house.url)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache, no-transform"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Connection"] == "close"
    assert answer.ids() == house.ids()
    assert answer.names()[-2:] == ["table.closed", "end"]


async def test_a_deleted_table_is_told_its_end_and_is_not_found_again(house: House) -> None:
    await house.say(3)
    reading = asyncio.create_task(get(house.url))
    await house.until(spectators=1)
    await house.log.delete(TABLE)
    answer = await reading
    assert answer.ids() == house.ids()[: len(answer.ids())]
    assert answer.names()[-1] == "end"
    assert '"reason":"deleted"' in answer.frames[-1].data
    assert (await get(house.url)).status == 404
    house.last = ZERO
    await house.write(e.TermBegan(owner="again"), CLOSED)
    assert (await get(house.url)).ids() == house.ids()


async def test_entries_come_as_they_are_written(house: House) -> None:
    reading = asyncio.create_task(get(house.url, until=21))
    for _ in range(10):
        await house.say(2)
        await asyncio.sleep(0.005)
    answer = await reading
    assert answer.ids() == house.ids()
    await house.until(spectators=0)


@pytest.mark.parametrize("compressed", ["gzip, deflate, br", ""])
async def test_nothing_is_compressed(house: House, compressed: str) -> None:
    await house.write(CLOSED)
    answer = await get(house.url, {"Accept-Encoding": compressed})
    assert "Content-Encoding" not in answer.headers
    assert answer.names() == ["term.began", "table.closed", "end"]


# Where to begin


async def test_the_header_wins_over_the_url(house: House) -> None:
    await house.say(9)
    await house.write(CLOSED)
    stale = f"{house.url}?after={Cursor(house.last.term, 2)}"
    assert (await get(stale)).ids() == house.ids(2)
    assert (await get(stale, {"Last-Event-ID": str(Cursor(house.last.term, 7))})).ids() == house.ids(7)


async def test_after_now_shows_only_what_follows(house: House) -> None:
    await house.say(9)
    reading = asyncio.create_task(get(f"{house.url}?after=now", until=2))
    await house.until(spectators=1)
    await house.say(2)
    assert (await reading).ids() == house.ids(10)


async def test_a_reader_at_the_end_is_told_not_to_come_back(house: House) -> None:
    await house.write(CLOSED)
    assert (await get(house.url, {"Last-Event-ID": str(house.last)})).status == 204
    assert (await get(f"{house.url}?after=now")).status == 204


async def test_an_unknown_cursor_is_reset_even_at_the_end(house: House) -> None:
    await house.write(CLOSED)
    answer = await get(house.url, {"Last-Event-ID": "5-1"})
    assert answer.status == 200
    assert answer.names() == ["reset", "end"]
    assert answer.decoder.last_id == str(house.last)


@pytest.mark.parametrize(
    ("query", "headers", "status", "named"),
    [
        ("?after=yesterday", {}, 400, '"field":"after"'),
        ("", {"Last-Event-ID": "7"}, 400, '"field":"Last-Event-ID"'),
        ("?after=1-2.0", {}, 400, '"field":"after"'),
    ],
)
async def test_a_malformed_cursor_is_the_callers_fault(
    house: House, query: str, headers: Mapping[str, str], status: int, named: str
) -> None:
    async with ClientSession() as session, session.get(house.url + query, headers=headers) as response:
        assert response.status == status
        assert named in await response.text()


async def test_an_unknown_table_is_not_found(house: House) -> None:
    async with ClientSession() as session, session.get(house.url.replace("one", "none")) as response:
        assert response.status == 404


# Raw connections


async def request(house: House, version: str = "1.1", receive_buffer: int = 0) -> socket.socket:
    """A connection on which the stream was asked for."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", house.port))
    await loop.sock_sendall(sock, f"GET {PATH} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
    return sock


async def read_all(sock: socket.socket) -> bytes:
    data = b""
    while piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
        data += piece
    sock.close()
    return data


def unchunk(body: bytes) -> bytes:
    """The strict reading of chunked transfer coding: nothing may be missing and nothing may follow."""
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        chunk, body = body[: int(size, 16)], body[int(size, 16) :]
        whole += chunk
        assert body[:2] == b"\r\n"
        body = body[2:]
        if not chunk:
            assert body == b""
            return whole


async def test_http_1_1_is_chunked_to_the_byte(house: House) -> None:
    await house.say(1000)
    await house.write(CLOSED)
    head, _, body = (await read_all(await request(house))).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    stream = unchunk(body)
    assert stream.startswith(b": \n\nid: ")
    assert [frame.id for frame in sse.Decoder().feed(stream) if frame.id] == house.ids()


async def test_http_1_0_is_ended_by_closing(house: House) -> None:
    await house.say(1000)
    await house.write(CLOSED)
    head, _, body = (await read_all(await request(house, "1.0"))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert b"chunked" not in head
    assert [frame.id for frame in sse.Decoder().feed(body) if frame.id] == house.ids()


async def test_the_first_byte_does_not_wait_for_an_entry(house: House) -> None:
    sock = await request(house)
    head = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 4096), 5)
    assert head.startswith(b"HTTP/1.1 200")
    sock.close()


async def test_a_reader_who_does_not_read_costs_little_and_misses_nothing(house: House) -> None:
    sock = await request(house, receive_buffer=4096)
    await house.until(spectators=1)
    await house.say(20_000)  # about 3 MB
    answer = await get(house.url, until=20_001)  # meanwhile the others are served
    assert answer.ids() == house.ids()
    await house.write(CLOSED)
    _, _, body = (await read_all(sock)).partition(b"\r\n\r\n")
    frames = list(sse.Decoder().feed(unchunk(body)))
    assert [frame.id for frame in frames if frame.id] == house.ids()
    assert frames[-1].event == "end"


async def test_a_reader_who_hangs_up_is_forgotten(house: House) -> None:
    socks = [await request(house) for _ in range(20)]
    await house.until(spectators=20)
    for sock in socks:
        sock.close()
    await house.until(spectators=0)


async def test_a_hundred_reconnections_equal_one_unbroken_read(house: House) -> None:
    unbroken = asyncio.create_task(get(house.url))
    seen: list[str] = []
    at = ""
    for number in range(100):
        await house.say(number % 7)
        answer = await get(house.url, {"Last-Event-ID": at} if at else None, until=number % 3 + 1)
        seen += answer.ids()  # what came beyond what was waited for counts as well
        at = answer.decoder.last_id
        assert at == seen[-1]
        if at == str(house.last):
            await house.say(9)
    await house.write(CLOSED)
    seen += (await get(house.url, {"Last-Event-ID": at})).ids()
    assert seen == (await unbroken).ids() == house.ids()


async def test_a_server_that_stops_tells_readers_when_to_come_back(house: House) -> None:
    reading = [asyncio.create_task(get(house.url)) for _ in range(5)]
    await house.until(spectators=5)
    await house.broadcast.close()
    answers = await asyncio.gather(*reading)
    late = await get(house.url)
    for answer in [*answers, late]:
        assert answer.status == 200
        assert 1_000 <= (answer.decoder.retry or 0) <= 5_000
        assert "end" not in answer.names()
    assert len({answer.decoder.retry for answer in answers}) > 1


async def test_hundreds_of_readers_of_one_table_get_everything(house: House) -> None:
    crowd = [await request(house) for _ in range(400)]  # with the server's ends below the usual 1024 files
    await house.until(spectators=400)
    for _ in range(20):
        await house.say(5)
    await house.write(CLOSED)
    for sock in crowd:
        _, _, body = (await read_all(sock)).partition(b"\r\n\r\n")
        assert [frame.id for frame in sse.Decoder().feed(unchunk(body)) if frame.id] == house.ids()
