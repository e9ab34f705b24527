"""A server of tools as a process of ours: messages by the line over its stdin and stdout, all of it bounded.

The SDK's own way to run one reads a line of any length. Source:
https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

log = logging.getLogger("roundtable.mcp")

# Bytes of one message: a picture of a page in base64. A server that writes more in one line is stopped.
MOST_MESSAGE = 4 * 1024 * 1024
# Messages a second that are read, and at once after a silence; one that writes more waits for us.
PACE = 1_000
# Seconds to end by itself once its stdin is closed, and then once more after SIGTERM, before it is killed.
END_WITHIN = 2.0
# Bytes of its stderr that one line of our log, at debug, shows.
_SHOWN = 500


@asynccontextmanager
async def process(
    name: str,
    command: Sequence[str],
    cwd: Path | None,
    environ: Mapping[str, str],
    *,
    scrub: Callable[[str], str],
    ended: Callable[[], None],
) -> AsyncGenerator[Any]:
    """The SDK's streams to a new process; at the end it and all that it started are gone. `ended` is called when it
    says no more, and what it murmurs is shown after `scrub`. Raises `OSError`."""
    running, transport = await _begun(command, cwd, environ)
    heard, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, told = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(_hear(running, heard), name=f"mcp {name} hears"),
        asyncio.create_task(_tell(running, told), name=f"mcp {name} tells"),
        asyncio.create_task(_murmur(name, running, scrub), name=f"mcp {name} murmurs"),
    ]
    tasks[0].add_done_callback(lambda _: ended())
    try:
        yield incoming, outgoing
    finally:
        try:
            await _end(running)
        finally:
            _kill(running, signal.SIGKILL)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            transport.close()
            for stream in (heard, incoming, outgoing, told):
                stream.close()


async def _begun(
    command: Sequence[str], cwd: Path | None, environ: Mapping[str, str]
) -> tuple[asyncio.subprocess.Process, asyncio.SubprocessTransport]:
    """As `asyncio.create_subprocess_exec`, which keeps the transport to itself: it is to be closed even where others
    hold its pipes."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: asyncio.subprocess.SubprocessStreamProtocol(MOST_MESSAGE, loop),
        *command,
        cwd=cwd,
        env=environ,
        start_new_session=True,
    )
    return asyncio.subprocess.Process(transport, protocol, loop), transport


class Pace:
    """`wait` (seconds) before each message, so that there are `PACE` a second."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due = now() - 1.0

    def wait(self) -> float:
        """What is due a second later at the most is let through at once."""
        self._due = max(self._due, self._now() - 1.0) + 1 / PACE
        return max(0.0, self._due - self._now())


async def _hear(running: asyncio.subprocess.Process, heard: Any) -> None:
    """Its messages, at a pace. What is no message is a line that somebody printed."""
    assert running.stdout is not None
    pace = Pace(asyncio.get_running_loop().time)
    async with heard:
        with contextlib.suppress(
            anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError, ValueError
        ):
            while line := await running.stdout.readline():  # ValueError: longer than `MOST_MESSAGE`
                if wait := pace.wait():
                    await asyncio.sleep(wait)
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    continue
                await heard.send(SessionMessage(message))


async def _tell(running: asyncio.subprocess.Process, told: Any) -> None:
    assert running.stdin is not None
    with contextlib.suppress(OSError):
        async with told:
            async for each in told:
                line = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                running.stdin.write(f"{line}\n".encode())
                await running.stdin.drain()


async def _murmur(name: str, running: asyncio.subprocess.Process, scrub: Callable[[str], str]) -> None:
    """What it writes to stderr is read, so that it need not wait, and shown at debug."""
    assert running.stderr is not None
    while said := await running.stderr.read(65_536):
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %r", name, scrub(said.decode(errors="replace"))[:_SHOWN])


async def _end(running: asyncio.subprocess.Process) -> None:
    assert running.stdin is not None
    with contextlib.suppress(OSError):
        running.stdin.close()
    if not await _ended(running):
        _kill(running, signal.SIGTERM)
        await _ended(running)


async def _ended(running: asyncio.subprocess.Process) -> bool:
    """Whether it ended in time. Its pipes may be held by others longer than it lives, so they are not waited for."""
    until = asyncio.get_running_loop().time() + END_WITHIN
    while running.returncode is None and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    return running.returncode is not None


def _kill(running: asyncio.subprocess.Process, how: signal.Signals) -> None:
    """It, and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(running.pid, how)
