"""The children there are: one per file and way of loading, so many at a time, and none too soon after it failed."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple

from protocol.errors import ProviderError
from providers.llama import endings
from providers.llama.child import Child, Patience
from providers.llama.files import ModelFile
from providers.llama.options import Loading

log = logging.getLogger("roundtable.llama")

# Models in memory at a time. A panel of three with a model each must not load one at every turn; more is more memory
# than most machines have. Past it, who was idle longest is ended; if all are speaking, the next waits.
LOADED = 3
# Seconds before a child is started again: none after a first failure, then this, doubled up to the longest.
BACK_OFF = 1.0
LONGEST_BACK_OFF = 60.0


# Files whose context is remembered once they have been loaded; a machine with more forgets the oldest.
REMEMBERED = 256


class _Trouble(NamedTuple):
    """How often in a row a file has failed, until when it is left alone (clock), and why."""

    times: int
    until: float
    failure: ProviderError


class Children:
    """Obtain a child to ask it; `close` ends all. `clock` is in seconds and times the back-off."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        most: int = LOADED,
    ) -> None:
        self._environ = environ
        self._patience = patience or Patience()
        self._clock = clock
        self._most = most
        self._children: dict[tuple[Path, Loading], Child] = {}
        self._idle_since: dict[Child, int] = {}
        self._troubles: dict[Path, _Trouble] = {}
        self._contexts: dict[tuple[Path, Loading], int] = {}
        self._ticks = count(1)
        self._changed = asyncio.Event()
        self._closed = False

    async def obtain(self, file: ModelFile, loading: Loading) -> Child:
        """The child for this file, started if need be; ask it at once, before anything is awaited.

        Raises `ProviderError`: closed, or left alone after it has failed (`retry_after` says for how long).
        """
        while True:
            if self._closed:
                raise endings.closed()
            child = self._children.get((file.path, loading))
            if child is not None and child.leaving:
                await child.end()
                continue
            if child is not None:
                self._idle_since.pop(child, None)
                return child
            self._check_trouble(file)
            if len(self._children) < self._most:
                return self._start(file, loading)
            await self._make_room()

    async def close(self) -> None:
        """End all; open requests fail, and so does every later one."""
        self._closed = True
        self._changed.set()
        await asyncio.gather(*(child.end(endings.closed()) for child in list(self._children.values())))

    def context(self, file: ModelFile, loading: Loading) -> int:
        """Tokens of one conversation: as that file has, or as it is asked for while nobody has loaded it."""
        return self._contexts.get((file.path, loading), loading.context)

    @property
    def all(self) -> list[Child]:
        """The children there are now."""
        return list(self._children.values())

    # -- what the children tell --------------------------------------------------------------------------------

    def answered(self, child: Child) -> None:
        """Its file is well."""
        if child.context is not None:
            self._contexts[child.file.path, child.loading] = child.context
            if len(self._contexts) > REMEMBERED:
                del self._contexts[next(iter(self._contexts))]
        self._troubles.pop(child.file.path, None)

    def vacant(self, child: Child) -> None:
        """It may be ended for another."""
        if child in self._children.values():
            self._idle_since[child] = next(self._ticks)
            self._changed.set()

    def ended(self, child: Child, failure: ProviderError | None) -> None:
        """It is gone; the next request starts another, after the back-off."""
        if self._children.get((child.file.path, child.loading)) is child:
            del self._children[child.file.path, child.loading]
        self._idle_since.pop(child, None)
        if failure is not None:
            before = self._troubles.get(child.file.path)
            times = before.times + 1 if before else 1
            wait = min(LONGEST_BACK_OFF, BACK_OFF * 2.0 ** (times - 2)) if times > 1 else 0.0
            self._troubles[child.file.path] = _Trouble(times, self._clock() + wait, failure)
        self._changed.set()

    # ----------------------------------------------------------------------------------------------------------

    def _start(self, file: ModelFile, loading: Loading) -> Child:
        child = Child(file, loading, self, self._environ, self._patience)
        self._children[file.path, loading] = child
        log.info(
            "llama.cpp loads: model=%s context=%d threads=%d", file.name, loading.context, loading.threads
        )
        return child

    def _check_trouble(self, file: ModelFile) -> None:
        trouble = self._troubles.get(file.path)
        if trouble is not None and (wait := trouble.until - self._clock()) > 0:
            raise endings.again(trouble.failure, wait)

    async def _make_room(self) -> None:
        """End who was idle longest, or wait until somebody is."""
        if self._idle_since:
            child = min(self._idle_since, key=self._idle_since.__getitem__)
            del self._idle_since[child]
            await child.end()
        else:
            self._changed.clear()
            await self._changed.wait()
