"""`serve --workers N`: so many processes on one port, watched by a parent that does nothing else.

Each worker is a whole node and listens with SO_REUSEPORT: the kernel deals connections out between them. One that dies
is started anew; its tables go on in another meanwhile.
"""

import asyncio
import logging
import signal
import socket
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from typing import Any

from protocol.errors import Invalid
from roundtable.signals import stop_on

log = logging.getLogger("roundtable.workers")

LISTENING = "listening on "
"""How the line begins that says where a server listens."""
# A worker that dies at once would keep a core busy being started. Seconds: at first, doubled, at most; and what it
# must live for to begin anew with the first.
BACK_OFF = (0.5, 15.0)
STEADY = 30.0
# Longer than a worker's own stop, which is bounded; see edge/server.py. Seconds.
STOP_WITHIN = 15.0
# A shared store may be slow to open. Seconds.
START_WITHIN = 30.0


class CannotStart(Exception):
    """A worker ended before it listened, and has said why. `code` is what it exited with."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a worker exited with {code}")
        self.code = code


def reserve(host: str, port: int) -> socket.socket:
    """Bind the address that all workers will share, without listening: it stays ours while workers come and go.

    Port 0 picks one. Raises `Invalid` when another program has it.
    """
    family, *_, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    try:
        # Sharing a port is agreed on by the socket option alone, so first see that nobody has it: not another server
        # with workers either.
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            address = alone.getsockname()
        return _bind(family, address)
    except OSError as error:
        raise Invalid(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --host or --port.",
            field="port",
        ) from error


def _bind(family: int, address: Any) -> socket.socket:
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except BaseException:
        held.close()
        raise
    return held


class Workers:
    """`run` starts them with `command`, and returns when SIGINT or SIGTERM has ended them all."""

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._command = command
        self._count = count
        self._processes: dict[int, Process] = {}

    async def run(self, listening: Callable[[str], None]) -> None:
        """`listening` is told the address once all listen. Raises `CannotStart`."""
        stopping = asyncio.create_task(stop_on(signal.SIGINT, signal.SIGTERM).wait())
        working = asyncio.create_task(self._work(listening))
        try:
            await asyncio.wait([stopping, working], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (stopping, working):
                task.cancel()
            await asyncio.gather(stopping, working, return_exceptions=True)
            await asyncio.gather(*map(_end, self._processes.values()))

    async def _work(self, listening: Callable[[str], None]) -> None:
        url = await self._start(0)  # alone: what keeps it from starting would keep all, and is said once
        started = await asyncio.gather(*map(self._start, range(1, self._count)), return_exceptions=True)
        if failed := next((each for each in started if isinstance(each, BaseException)), None):
            raise failed
        listening(url)
        async with asyncio.TaskGroup() as watching:
            for number in range(self._count):
                watching.create_task(self._watch(number))

    async def _start(self, number: int) -> str:
        """Start a worker and wait until it listens; the address. Raises `CannotStart`."""
        # A session of its own: Ctrl-C in a terminal goes to the parent alone, which asks each worker once. Its standard
        # input is the parent's life: when it ends, the worker stops.
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, start_new_session=True
        )
        self._processes[number] = process
        assert process.stdout
        try:
            async with asyncio.timeout(START_WITHIN):
                line = (await process.stdout.readline()).decode().strip()
        except TimeoutError:
            log.error("worker %d did not listen within %.0f s", number, START_WITHIN)  # noqa: TRY400 - that is all
            process.kill()
            line = ""
        if not line.startswith(LISTENING):
            raise CannotStart(await process.wait())
        return line.removeprefix(LISTENING)

    async def _watch(self, number: int) -> None:
        """Start worker `number` anew whenever it ends."""
        loop = asyncio.get_running_loop()
        pause = BACK_OFF[0]
        began = loop.time()
        while True:
            code = await self._processes[number].wait()
            if loop.time() - began > STEADY:
                pause = BACK_OFF[0]
            log.error("worker %d ended (%s); another starts in %.1f s", number, _cause(code), pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, BACK_OFF[1])
            began = loop.time()
            try:
                await self._start(number)
            except CannotStart:
                continue  # it has said why; wait longer
            except OSError as error:  # no memory, or too many processes: those that run are worth keeping
                log.error("worker %d could not be started: %s", number, error)  # noqa: TRY400 - known by its text


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
