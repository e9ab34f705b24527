"""Several real nodes on one real Redis, for tests that kill and freeze them, and a viewer who moves between them."""

import asyncio
import itertools
import signal
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientError

from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.events import Entry
from tests.server_process import PATIENCE, Server, serving

# Pauses of a viewer whose node is gone, before it tries the next; seconds.
AGAIN = 0.05


class Cluster:
    """Nodes by number. A new one starts for each that was killed, so there is always another to go on."""

    def __init__(self, stack: AsyncExitStack, folder: Path, url: str, *, quiet: bool) -> None:
        self.nodes: list[Server] = []
        self._stack, self._folder, self._url, self._quiet = stack, folder, url, quiet
        self._numbers = itertools.count()

    async def add(self) -> Server:
        """One more node."""
        folder = self._folder / f"node{next(self._numbers)}"
        errors = DEVNULL if self._quiet else None
        node = await self._stack.enter_async_context(serving(folder, "--redis", self._url, errors=errors))
        self.nodes.append(node)
        return node

    def owner(self, entry: Entry) -> Server:
        """The node that began a term; its name in the log says which process it is."""
        assert isinstance(entry.event, e.TermBegan)
        pid = int(entry.event.owner.split(":")[1])
        return next(node for node in self.nodes if node.pid == pid)

    async def kill(self, node: Server, how: signal.Signals = signal.SIGKILL) -> None:
        self.nodes.remove(node)
        node.signal(how)
        await node.ended()

    async def watch(self, table: str, after: Cursor = ZERO) -> AsyncIterator[Entry]:
        """A viewer who goes on at another node whenever the one it reads from is gone; to the table's end."""
        at, closed = after, False
        for number in itertools.count():
            async with asyncio.timeout(PATIENCE):
                await asyncio.sleep(0 if number == 0 else AGAIN)
            node = self.nodes[number % len(self.nodes)]
            try:
                async for entry in node.entries(table, at):
                    at, closed = entry.cursor, isinstance(entry.event, e.TableClosed)
                    yield entry
            except ClientError:
                continue
            if closed:
                return


@asynccontextmanager
async def cluster(folder: Path, url: str, count: int, *, quiet: bool = False) -> AsyncIterator[Cluster]:
    """So many nodes on the Redis at `url`; `quiet` drops what they log."""
    async with AsyncExitStack() as stack:
        nodes = Cluster(stack, folder, url, quiet=quiet)
        await asyncio.gather(*(nodes.add() for _ in range(count)))
        yield nodes


def counting(name: str, words: int, rate: float) -> dict[str, Any]:
    """A seat that counts."""
    options = {"text": " ".join(map(str, range(words))), "rate": rate, "ttft": 0}
    return {"name": name, "model": "scripted:x", "options": options}
