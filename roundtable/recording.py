"""An export read back: its entries one by one. A file may be anything, so each line is bounded and checked."""

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from protocol import codec
from protocol.cursor import Cursor
from protocol.errors import Invalid, LogDamaged
from protocol.sse import MAX_LINE
from roundtable.log.base import Record

_HOW = "`roundtable export --format jsonl` makes what can be replayed."


class _Line(msgspec.Struct):
    """An entry has an `id`; the other form of export in JSON has a `transcript`."""

    id: str = ""
    transcript: msgspec.Raw = msgspec.Raw()


_line_decoder = msgspec.json.Decoder(_Line)


def read(file: BinaryIO) -> Iterator[Record]:
    """The entries of a `jsonl` export, as they are read. Raises `Invalid` at a line that is none."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if line.strip():
            yield _record(line, number)
    if not number:
        raise Invalid(f"The file is empty. {_HOW}", field="file")


def _record(line: bytes, number: int) -> Record:
    try:
        found = _line_decoder.decode(line)
        if bytes(found.transcript):
            raise Invalid(f"A transcript (json) holds no times. {_HOW}", field="file")
        # Ours begin with the id, and the rest is the body byte for byte; another's order of members is as good.
        _, _, rest = line.strip().partition(b",")
        body = b"{" + rest if rest.startswith(b'"type":"') else _reordered(line)
        record = Record(Cursor.parse(found.id), body)
        codec.decode_body(*record)
    except (*codec.UNREADABLE, LogDamaged) as error:
        raise Invalid(f"Line {number} is no entry. {_HOW}", field="file") from error
    return record


def _reordered(line: bytes) -> bytes:
    members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    del members["id"]
    return codec.encode({name: members.pop(name) for name in ("type", "at") if name in members} | members)
