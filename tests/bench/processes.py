"""The programs of a measurement: each is started, asked by lines, and ends by itself or is ended here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
PATH = "/v1/roundtables/bench/events"
# No row lasts longer, its preparation included. Seconds.
DEADLINE = 120.0


class Program:
    """A child whose standard output is read line by line."""

    def __init__(self, *command: str | Path, quiet: bool = False) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def line(self) -> str:
        """The next line; raises `RuntimeError` when the program ended instead."""
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return line.strip()
        raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait(DEADLINE)}")

    def port(self) -> int:
        """Where it listens: the number in its first line."""
        return int(self.line().rpartition(" ")[2])

    def answer(self) -> dict[str, float]:
        """The next line that is JSON."""
        while not (line := self.line()).startswith("{"):
            pass
        return dict(json.loads(line))

    def laps(self) -> list[float]:
        """The times that a program with a stop-watch prints at its end, in microseconds."""
        while not (line := self.line()).startswith("{"):
            pass
        return list(json.loads(line)["laps"])

    def cpu(self) -> float:
        """Seconds it has used, user and system, in all its threads: for programs that cannot be asked."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, word: str) -> dict[str, float]:
        """Send a line and read the answer."""
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self.answer()


def python(name: str, *arguments: str) -> Program:
    """The program `name` beside this file."""
    return Program(sys.executable, "-m", f"tests.bench.{name}", *arguments)


def server(directory: Path, *options: str) -> Program:
    """Our server on the log in `directory`; see `server.py`."""
    return python("server", str(directory), *options)


@contextmanager
def redis(directory: Path) -> Iterator[Path]:
    """A Redis that keeps what it is told as the product asks for (`appendonly yes`); its socket."""
    path = directory / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--dir", str(directory)]
    with Program(*command, "--save", "", "--appendonly", "yes") as program:
        while "eady to accept connections" not in program.line():
            pass
        yield path


def machine() -> str:
    """What the figures were measured on."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    kernel = f"{os.uname().sysname} {os.uname().release}"
    return f"{cores} cores, Python {sys.version.split()[0]}, {kernel}, load {load:.1f}"
