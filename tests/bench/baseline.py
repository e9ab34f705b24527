"""The C programs beside this file: what a machine can do at best, to hold our own figures against.

    fanout.c      a server that sends one frame per event to each of N spectators
    bulk.c        a server that sends a file of frames to one late reader
    spectators.c  the load: N readers, the same for our server and for the two above

Each file's first comment is its usage; each prints one line of JSON at its end.
"""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parent


@cache
def _directory() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="roundtable-bench-")  # removed when the process ends


@cache
def compile(name: str) -> Path:  # noqa: A001 - the word for it
    """The program made from `name`.c, compiled once per process with `cc -O2`.

    Raises `FileNotFoundError` without a compiler, `CalledProcessError` when it refuses.
    """
    program = Path(_directory().name) / name
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", program, SOURCES / f"{name}.c"], check=True)
    return program
