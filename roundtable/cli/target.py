"""A file that a command makes: written beside its place and renamed, so that it is there whole or not at all."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from protocol.errors import Invalid


@contextmanager
def made(name: str, *, replace: bool) -> Iterator[BinaryIO]:
    """Where to write what `name` shall hold, `-` being standard output. Raises `Invalid` before anything is written
    when there is such a file and not `replace`."""
    path = Path(name)
    if name == "-":
        yield sys.stdout.buffer
    elif path.exists() and not path.is_file():
        with _opened(path, "wb") as file:  # a device or a pipe, which cannot be renamed over; not a directory
            yield file
    else:
        check(path, replace=replace)
        yield from _beside(path.resolve())  # a link stays one


def check(path: Path, *, replace: bool) -> None:
    """Raises `Invalid` when `path` is there and may not be replaced."""
    if path.exists() and not replace:
        raise Invalid(f"{path} is there already; --force replaces it.", field="out")


def _beside(path: Path) -> Iterator[BinaryIO]:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with _opened(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _opened(path: Path, mode: Literal["wb", "xb"]) -> BinaryIO:
    try:
        return path.open(mode)
    except OSError as error:
        raise Invalid(f"{path.parent if mode == 'xb' else path}: {error.strerror}.", field="out") from error
