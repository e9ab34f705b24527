"""One invocation while it runs: pulls its tool, writes its chain, and ends exactly once."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from protocol import invocation
from protocol.errors import Conflict, RoundtableError
from protocol.invocation import Cancelled, Converge, Entropy, Paused, Resumed
from protocol.messages import Failure
from roundtable.invocations.chain import Chain
from roundtable.invocations.throttle import Throttle
from roundtable.tools.base import Entropy as Measured
from roundtable.tools.base import Final, Step, Steps, Told

log = logging.getLogger("roundtable.invocations")

# A tool whose generator takes longer to close is left to itself. Seconds.
CLOSE_WITHIN = 5.0


class Running:
    """`run` it in a task. `throttle` is the caller's, if somebody waits for it."""

    def __init__(self, id: str, chain: Chain, throttle: Throttle | None = None) -> None:
        self.id, self.chain, self._throttle = id, chain, throttle
        if throttle:
            chain.on_written = throttle.wrote
        self._going = asyncio.Event()
        self._going.set()
        self._pulling: asyncio.Task[None] | None = None

    async def run(self, told: AsyncGenerator[Told]) -> None:
        """Everything up to the end in the log, and the tool closed behind it."""
        self._pulling = asyncio.create_task(self._pull(told), name=f"tool {self.id}")
        try:
            await self.chain.run()
        except Conflict:
            log.warning("invocation %s was written by another", self.id)
        finally:
            self._pulling.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN):
                    await asyncio.wait([self._pulling])

    def cancel(self, reason: str = "command") -> None:
        """End it now with what has been told; no effect when it has ended."""
        self.chain.tell(Cancelled(id=self.id, t=self.chain.t, reason=reason))
        if self._pulling:
            self._pulling.cancel()

    def pause(self) -> None:
        """Take no further step until `resume`."""
        if self._going.is_set() and not self.chain.ended:
            self._going.clear()
            self.chain.tell(Paused(id=self.id, t=self.chain.t))

    def resume(self) -> None:
        """Go on after a pause."""
        if not self._going.is_set():
            self._going.set()
            self.chain.tell(Resumed(id=self.id, t=self.chain.t))

    async def _pull(self, told: AsyncGenerator[Told]) -> None:
        try:
            async with aclosing(told):
                async for each in told:
                    self._tell(each)
                    if self.chain.ended:
                        return
                    await self._may_go_on()
            self._fail(Failure("internal", "The tool ended without a result."))
        except RoundtableError as error:
            self._fail(Failure(error.code, error.detail, error.retryable))
        except Exception as error:  # a tool's bug is its invocation's end, and nobody else's
            log.exception("invocation %s: its tool broke", self.id)
            self._fail(Failure("internal", f"The tool broke: {type(error).__name__}."))

    def _tell(self, told: Told) -> None:
        match told:
            case Step():
                self.chain.step(invocation.members(told.members))
            case Steps():
                for members in told.members:
                    self.chain.step(members)
            case Measured():
                self.chain.tell(Entropy(id=self.id, t=self.chain.t, value=told.value, of=told.of))
            case Final():
                self.chain.tell(Converge(id=self.id, t=self.chain.t, final=told.value, reason=told.reason))

    async def _may_go_on(self) -> None:
        await self._going.wait()
        await self.chain.room()
        if self._throttle:
            await self._throttle.open()

    def _fail(self, failure: Failure) -> None:
        self.chain.tell(invocation.failed(self.id, self.chain.t, failure))
