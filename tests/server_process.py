"""The real `roundtable serve` as a child process, for tests that kill it, and what is read from it over the wire."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from aiohttp import ClientError, ClientSession

from protocol import codec, sse
from protocol.cursor import ZERO, Cursor
from protocol.events import Entry, TableClosed
from protocol.transcript import Transcript
from tests.serving import TABLES

ROOT = Path(__file__).parent.parent
# Seconds for anything that is waited for; some twenty times what it takes on an idle machine.
PATIENCE = 30.0


class Server:
    """One life of the server, at `url`."""

    def __init__(self, process: Process, url: str, session: ClientSession) -> None:
        self._process, self.url, self._session = process, url, session

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    async def convene(self, **body: Any) -> str:
        """Open a table; its id."""
        async with self._session.post(TABLES, json={"topic": "Why?", **body}) as response:
            assert response.status == 201, await response.text()
            return str((await response.json())["id"])

    async def command(self, table: str, key: str, **command: Any) -> dict[str, Any]:
        """Ask something of a table and hear what came of it."""
        headers = {"Idempotency-Key": key}
        url = f"{TABLES}/{table}/commands"
        async with self._session.post(url, json=command, headers=headers) as response:
            assert response.status in (200, 202), await response.text()
            return dict(await response.json())

    async def say(self, table: str, key: str, text: str) -> dict[str, Any]:
        """Say something and hear what came of it."""
        return await self.command(table, key, type="say", text=text)

    async def delete(self, table: str) -> None:
        """Delete a table."""
        async with self._session.delete(f"{TABLES}/{table}") as response:
            assert response.status == 204, await response.text()

    async def status(self, table: str) -> int:
        """How asking for a table is answered."""
        async with self._session.get(f"{TABLES}/{table}") as response:
            return response.status

    async def transcript(self, table: str) -> Any:
        """The transcript in plain JSON."""
        async with self._session.get(f"{TABLES}/{table}") as response:
            return (await response.json())["transcript"]

    async def entries(self, table: str, after: Cursor = ZERO) -> AsyncGenerator[Entry]:
        """A table's entries as they come, to its end or the server's. An end that is no answer at all is one too."""
        url, headers = f"{TABLES}/{table}/events", {"Last-Event-ID": str(after)}
        decoder = sse.Decoder()
        async with asyncio.timeout(PATIENCE), self._session.get(url, headers=headers) as response:
            assert response.status in (200, 204), await response.text()
            try:
                async for chunk in response.content.iter_any():
                    for frame in decoder.feed(chunk):
                        assert frame.event != "reset", frame
                        if frame.id and frame.data:
                            yield codec.decode_body(Cursor.parse(frame.id), frame.data.encode())
            except ClientError:
                pass  # killed: a reader sees no more than a connection that breaks

    async def follow(self, table: str) -> AsyncGenerator[Entry]:
        """A table's entries to its end, reconnecting whenever the connection breaks before it."""
        at = ZERO
        async with asyncio.timeout(PATIENCE):
            while True:
                async for entry in self.entries(table, at):
                    yield entry
                    at = entry.cursor
                    if isinstance(entry.event, TableClosed):
                        return
                await asyncio.sleep(0.05)

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended; its exit code, negative for a signal."""
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()


@asynccontextmanager
async def serving(
    data: Path,
    *options: str,
    errors: BinaryIO | int | None = None,
    environ: Mapping[str, str] | None = None,
    program: str = "roundtable.cli",
) -> AsyncIterator[Server]:
    """A server on this directory, on a free port, with nothing set in its environment but `environ`. Its standard error
    goes to `errors`, or ours. `program` is a module that runs our command line. Killed in the end."""
    command = [sys.executable, "-m", program, "serve", "--port", "0", "--data", str(data), *options]
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**own, **(environ or {})}, stdout=PIPE, stderr=errors
    )
    try:
        assert process.stdout
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        url = line.removeprefix("listening on ").strip()
        assert url.startswith("http://127.0.0.1:"), line
        async with ClientSession(url) as session:
            yield Server(process, url, session)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def whole(server: Server, table: str, after: Cursor = ZERO) -> list[Entry]:
    """All entries after a cursor, to the table's end."""
    return [entry async for entry in server.entries(table, after)]


def plain(transcript: Transcript) -> Any:
    """As JSON tells it."""
    return msgspec.json.decode(codec.encode(transcript))
