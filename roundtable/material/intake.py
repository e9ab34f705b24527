"""A file as it is sent, and what of it is laid on the table."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec

from protocol import commands
from protocol.commands import HOST
from protocol.errors import Invalid, WrongState
from protocol.transcript import Material
from roundtable.material.forms import MAX_FILE, MAX_NAME, plain_name
from roundtable.material.reading import Readers

MAX_BODY = MAX_FILE * 4 // 3 + 4096
"""Bytes of JSON that hold one file in base64."""
MAX_FILES = 24
"""On one table."""
MAX_BYTES = 32 * 1024 * 1024
"""Of all files of one table."""


class Upload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file to lay on the table: what it is is told by its bytes. `data` is in base64; `author` puts it there."""

    name: Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": 4 * MAX_NAME})]
    data: Annotated[str, msgspec.Meta(extra_json_schema={"contentEncoding": "base64"})]
    author: str = ""


class Taken(NamedTuple):
    """What is laid on the table, and the bytes that are kept beside it."""

    put: commands.Put
    data: bytes


async def take(upload: Upload, readers: Readers) -> Taken:
    """Read a file. Raises `Invalid`, naming the member, and `Busy`."""
    name, data = plain_name(upload.name), _bytes(upload.data)
    contents = await readers.read(name, data)
    return Taken(
        commands.Put(
            name=name,
            media_type=contents.media_type,
            form=contents.form,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            text=contents.text,
            pages=contents.pages,
            cut=contents.cut,
            author=upload.author or HOST,
        ),
        data,
    )


def check_room(there: Sequence[Material], coming: Sequence[commands.Put]) -> None:
    """Raise `WrongState` when the table would have more on it than it takes."""
    if len(there) + len(coming) > MAX_FILES:
        raise WrongState(f"A table takes {MAX_FILES} files.", code="table_full")
    if sum(each.size for each in there) + sum(each.size for each in coming) > MAX_BYTES:
        raise WrongState(f"A table takes {MAX_BYTES >> 20} MiB of files.", code="table_full")


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("The data is not in base64.", field="data") from error
