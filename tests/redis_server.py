"""A real Redis for tests, on a unix socket of its own: to be killed, stopped and reconfigured at will."""

import atexit
import contextlib
import functools
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry

from roundtable.log.base import EventLog
from roundtable.log.redis import RedisLog

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")
# PR_SET_PDEATHSIG: not even a killed test run leaves a server behind.
_TIE = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
_TIED = (sys.executable, "-c", _TIE) if sys.platform == "linux" else ()
_ONCE = Retry(NoBackoff(), 0)


class RedisServer:
    """One server process over `directory`, which keeps its append-only file."""

    def __init__(self, directory: Path, *settings: str) -> None:
        if PROGRAM is None:
            pytest.skip("neither redis-server nor valkey-server is installed")
        self._command = (
            *(*_TIED, PROGRAM, "--dir", str(directory), "--port", "0", "--unixsocket", "redis.sock"),
            *("--save", "", "--appendonly", "yes", *settings),
        )
        self._socket = str(directory / "redis.sock")
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        """Returns once it answers and has loaded what it kept; 10 seconds at the most."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with self.client(Retry(ConstantBackoff(0.02), 500)) as client:
            client.ping()

    def client(self, retry: Retry = _ONCE) -> "redis.Redis":
        """As an operator would use it; to be closed."""
        return redis.Redis(unix_socket_path=self._socket, retry=retry, protocol=2)

    def run(self, *command: str | bytes | int) -> Any:
        """One command's answer."""
        with self.client() as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        """SIGKILL; `start` brings it back with what it kept."""
        self._process.kill()
        self._process.wait()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """It hangs meanwhile: connections are taken, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@functools.cache
def shared() -> RedisServer:
    """The one that all tests use which do it no harm."""
    directory = tempfile.TemporaryDirectory(prefix="roundtable-redis-")
    server = RedisServer(Path(directory.name))
    atexit.register(directory.cleanup)
    atexit.register(server.kill)
    return server


async def open_fresh(_: Path) -> EventLog:
    """An empty log on the shared server."""
    shared().run("FLUSHALL")
    return await RedisLog.open(shared().url)
