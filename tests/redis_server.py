"""A real Redis for tests, on a unix socket of its own: to be killed, stopped and reconfigured at will."""

import atexit
import contextlib
import ctypes
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
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from roundtable.log.base import EventLog
from roundtable.log.redis import RedisLog

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """One server process over `directory`, which keeps its append-only file."""

    def __init__(self, directory: Path, *settings: str) -> None:
        if PROGRAM is None:
            pytest.skip("neither redis-server nor valkey-server is installed")
        self.socket = directory / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._directory = directory
        self._settings = settings
        self.start()

    def start(self) -> None:
        """Returns once it answers and has loaded what it kept."""
        assert PROGRAM
        self.process = subprocess.Popen(
            [
                *(PROGRAM, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._directory)),
                *("--save", "", "--appendonly", "yes", *self._settings),
            ],
            stdout=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
        )
        with self.client(Retry(ConstantBackoff(0.02), 500)) as client:
            client.ping()

    def client(self, retry: Retry | None = None) -> "redis.Redis":
        """As an operator would use it; to be closed."""
        return redis.Redis(unix_socket_path=str(self.socket), retry=retry, protocol=2)

    def run(self, *command: str | bytes | int) -> Any:
        """One command's answer."""
        with self.client() as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        """SIGKILL; `start` brings it back with what it kept."""
        self.process.kill()
        self.process.wait()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """It hangs meanwhile: connections are taken, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not even a killed test run leaves it behind


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
