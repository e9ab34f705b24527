"""The bytes of what lies on tables: a stream of one record for each file (`material/TABLE.SHA256`).

What is to be read is in the table's log; here is what a person gets back, and what a model that sees is shown.
"""

import base64
import contextlib
from collections.abc import Callable

import msgspec

from protocol.codec import UNREADABLE, encode
from protocol.cursor import ZERO, Cursor, next_term
from protocol.errors import Conflict, LogDamaged, NotFound
from roundtable.log.base import EventLog, Record
from roundtable.log.split import OFF_RECORD, is_off_record

KIND = "material"
# Names in one look when a table's files are removed; a table has fewer.
_PAGE = 100


class _Stored(msgspec.Struct, frozen=True, tag="material.stored", tag_field="type"):
    at: float
    data: str


_decoder = msgspec.json.Decoder(_Stored)


class MaterialStore:
    """All methods may raise `LogUnavailable`."""

    def __init__(self, log: EventLog, clock: Callable[[], float]) -> None:
        self._log, self._clock = log, clock

    async def keep(self, table: str, sha256: str, data: bytes) -> None:
        """Keep a file; the same one again is no other."""
        now = self._clock()
        body = encode(_Stored(now, base64.b64encode(data).decode()))
        with contextlib.suppress(Conflict):  # it is there already
            await self._log.append(_name(table, sha256), ZERO, [Record(Cursor(next_term(0, now), 1), body)])

    async def open(self, table: str, sha256: str) -> str:
        """The file in base64. Raises `NotFound`, `LogDamaged`."""
        record = await self._log.last(_name(table, sha256))
        if record is None:
            raise NotFound("The bytes of this file are not kept any more.")
        try:
            return _decoder.decode(record.body).data
        except UNREADABLE as error:
            raise LogDamaged(f"A file of table {table} is not readable: {error}.") from error

    async def copy(self, table: str, other: str) -> None:
        """Keep for `other` what is kept for `table`."""
        for name in await self._names(table):
            record = await self._log.last(name)
            if record is not None:
                with contextlib.suppress(Conflict):
                    await self._log.append(_name(other, _sha256(name)), ZERO, [record])

    async def forget(self, table: str) -> None:
        """Remove all that is kept for a table."""
        for name in await self._names(table):
            await self._log.delete(name)

    async def _names(self, table: str) -> list[str]:
        """A full stop comes before all letters, so those of one table stand together."""
        names = await self._log.streams(KIND, before=f"{KIND}/{table}/", limit=_PAGE)
        return [name for name in names if name.startswith(f"{KIND}/{table}.")]


def _name(table: str, sha256: str) -> str:
    return f"{KIND}/{table}.{sha256}{OFF_RECORD if is_off_record(table) else ''}"


def _sha256(name: str) -> str:
    return name.removesuffix(OFF_RECORD).rpartition(".")[2]
