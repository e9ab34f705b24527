"""One table under its own name: to steer, to read, to fork, and to lay something on."""

from typing import Any

from protocol.events import Entry
from protocol.findings import VerdictGiven
from protocol.transcript import Transcript
from roundtable.hosting.lineage import ForkLine
from roundtable.hosting.shown import Lens
from roundtable.sdk.bodies import File
from roundtable.sdk.steering import Steering
from roundtable.sdk.tables import Convened, Tables


class Table(Steering):
    """`Streams.table` gives it. Beside the commands it has what `Tables` can be asked of one table."""

    def __init__(self, id: str, tables: Tables) -> None:
        super().__init__(id, tables.command)
        self._tables = tables

    async def transcript(self) -> Transcript:
        """The table as it stands. Raises `NotFound`."""
        return await self._tables.transcript(self.id)

    async def verdict_given(self) -> VerdictGiven | None:
        """The newest verdict, of whichever sitting; None before the first. Raises `NotFound`."""
        found = (await self.transcript()).found(VerdictGiven, sitting=False)
        return found[-1] if found else None

    async def fork(self, **changes: Any) -> Convened:
        """Another future of it, as `Tables.fork`."""
        return await self._tables.fork(self.id, **changes)

    async def forks(self) -> list[ForkLine]:
        """Those that are still there, oldest first. Raises `NotFound`."""
        return await self._tables.forks(self.id)

    async def put(self, file: File, *, author: str = "", key: str = "") -> Entry | None:
        """Lay a file on it, as `Tables.put`; its effect, None when that is still to come."""
        return (await self._tables.put(self.id, file, author=author, key=key)).entry

    async def material(self, material: str) -> bytes:
        """A file that lies on it (`d1`, ...), as it was sent. Raises `NotFound`."""
        return await self._tables.material(self.id, material)

    async def prompt(self, turn: str) -> Lens:
        """What that turn's model was sent, word for word. Raises `NotFound`."""
        return await self._tables.prompt(self.id, turn)
