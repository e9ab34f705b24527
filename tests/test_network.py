"""The network under the SDKs' HTTP client: plain and encrypted, both directions held back, every end by its name."""

import asyncio
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore2
import httpx2
import pytest

from providers.connection import settings
from providers.network import MAX_WAITING, Network, Transport
from providers.presets import PRESETS

MEGABYTES = bytes(range(256)) * 4096 * 8  # 8 MiB
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(
    serve: Serve, context: ssl.SSLContext | None = None
) -> AsyncIterator[httpcore2.AsyncNetworkStream]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as server:
        stream = await Network().connect_tcp("127.0.0.1", server.sockets[0].getsockname()[1], 5.0)
        try:
            yield stream
        finally:
            await stream.aclose()


async def everything(stream: httpcore2.AsyncNetworkStream) -> bytes:
    received = b""
    while data := await stream.read(64 * 1024):
        assert len(data) <= 64 * 1024
        received += data
    return received


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = await reader.readexactly(len(MEGABYTES))
    writer.write(data)
    await writer.drain()


async def test_what_is_sent_and_read_is_whole_in_both_directions() -> None:
    async with connected(echo) as stream:
        await stream.write(MEGABYTES)
        assert await everything(stream) == MEGABYTES
        assert stream.get_extra_info("is_readable")


async def test_a_server_that_says_more_than_is_read_is_held_back() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.transport.set_write_buffer_limits(0)
        for start in range(0, len(MEGABYTES), 65536):
            writer.write(MEGABYTES[start : start + 65536])
            await writer.drain()
            sent += 65536

    async with connected(serve) as stream:
        before = -1
        while sent != before:  # nothing moves any more in a thousand turns of the loop
            before = sent
            for _ in range(1000):
                await asyncio.sleep(0)
        assert sent < len(MEGABYTES)
        assert len(stream._received) <= 2 * MAX_WAITING  # type: ignore[attr-defined]
        assert await everything(stream) == MEGABYTES


async def test_who_does_not_read_what_we_send_is_waited_for_no_longer_than_asked() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await left.wait()

    left = asyncio.Event()
    async with connected(serve) as stream:
        with pytest.raises(httpcore2.WriteTimeout):
            await stream.write(MEGABYTES, timeout=0.01)
        with pytest.raises(httpcore2.ReadTimeout):
            await stream.read(1, timeout=0.01)
        left.set()


async def test_every_end_has_its_name() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        linger = struct.pack("ii", 1, 0)  # a reset instead of an end
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with connected(reset) as stream:
        await stream.write(b"xyz")
        with pytest.raises(httpcore2.ReadError):
            await stream.read(1)
        with pytest.raises(httpcore2.WriteError):
            await stream.write(b"more")
        port = stream.get_extra_info("server_addr")[1]
    with pytest.raises(httpcore2.ConnectError):
        await Network().connect_tcp("127.0.0.1", port, 5.0)


async def test_a_reading_that_is_cancelled_loses_nothing() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(b"words")

    async with connected(serve) as stream:
        reading = asyncio.create_task(stream.read(10))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        await stream.write(b"?")
        assert await everything(stream) == b"words"


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate, and is not installed")
async def test_an_encrypted_connection_is_checked_and_carries_the_same(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key", "-out", "cert"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    trusting = ssl.create_default_context(cafile=tmp_path / "cert")
    async with connected(echo, ours) as stream:
        encrypted = await stream.start_tls(trusting, "localhost", 5.0)
        await encrypted.write(MEGABYTES)
        assert await everything(encrypted) == MEGABYTES
    async with connected(echo, ours) as stream:
        with pytest.raises(httpcore2.ConnectError, match="certificate"):
            await stream.start_tls(ssl.create_default_context(), "localhost", 5.0)


async def test_what_we_connect_to_directly_is_on_this_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for preset in (PRESETS["vllm"], PRESETS["openai"]):
        transport = settings(preset)["transport"]
        assert isinstance(transport._pool._network_backend, Network)  # as httpx2's own is, if it is renamed
        assert isinstance(transport, httpx2.AsyncHTTPTransport)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert "transport" not in settings(PRESETS["openai"])
    assert isinstance(settings(PRESETS["vllm"])["transport"], Transport)
