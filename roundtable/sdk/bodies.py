"""What is sent: the bodies of requests, made once for every client. No I/O but the reading of files.

JSON has no word for NaN and infinity, and `null` in their place would mean "no limit": they are refused instead.
"""

import base64
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from protocol import codec
from protocol.errors import Invalid
from roundtable.material.forms import MAX_FILE

File = Path | str | tuple[str, bytes]
"""To lay on a table: a path, or a name and the bytes."""


def given(**members: Any) -> dict[str, Any]:
    """Those that are said: what is None is left to the server."""
    return {name: value for name, value in members.items() if value is not None}


def encoded(value: Any) -> bytes:
    """As JSON. Raises `Invalid` naming the member that JSON cannot say."""
    check(value)
    return codec.encode(value)


def check(value: Any, where: str = "") -> None:
    """Raise `Invalid` for NaN and infinity, wherever they are in it."""
    match value:
        case float() if not math.isfinite(value):
            raise Invalid(f"{where or 'The value'} is {value}, which is no number in JSON.", field=where)
        case msgspec.Struct():
            check(msgspec.structs.asdict(value), where)
        case Mapping():
            for name, inner in value.items():
                check(inner, f"{where}.{name}" if where else str(name))
        case list() | tuple():
            for place, inner in enumerate(value):
                check(inner, f"{where}[{place}]")
        case _:
            pass


def upload(file: File, author: str = "") -> dict[str, Any]:
    """A file as it is sent. It blocks while it reads one. Raises `Invalid` where that fails, or for one too large."""
    name, data = file if isinstance(file, tuple) else _read(Path(file))
    return {"name": name, "data": base64.b64encode(data).decode(), "author": author}


def _read(path: Path) -> tuple[str, bytes]:
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}.", field="file") from error
    if len(data) > MAX_FILE:
        raise Invalid(f"{path} is larger than {MAX_FILE >> 20} MiB, the most that is taken.", field="file")
    return path.name, data
