"""One invocation while it runs: pulls its tool, writes its chain, and ends exactly once."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from protocol import invocation
from protocol.errors import Conflict, LogError, RoundtableError
from protocol.invocation import Cancelled, Converge, Entropy, Paused, Resumed
from protocol.messages import Failure
from roundtable.invocations.chain import Chain
from roundtable.invocations.lanes import Place
from roundtable.invocations.throttle import Throttle
from roundtable.tools.base import Entropy as Measured
from roundtable.tools.base import Final, Step, Steps, Told

log = logging.getLogger("roundtable.invocations")

# A tool whose generator takes longer to close is left to itself. Seconds.
CLOSE_WITHIN = 5.0
# A tool that awaits nothing is interrupted after so long, for everyone else on the loop. Seconds.
BREATH = 0.005
# A pause keeps a place in the lanes, and perhaps a connection to a model; so long, and then it is ended. Seconds.
PAUSED_WITHIN = 3600.0


class Running:
    """`run` it in a task. `place` says when it may begin; `throttle` is the caller's, if somebody waits for it."""

    def __init__(self, id: str, chain: Chain, place: Place, throttle: Throttle | None = None) -> None:
        self.id, self.chain, self.place = id, chain, place
        self._throttle = throttle
        self._going = asyncio.Event()
        self._going.set()
        self._pulling: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._breathed = 0.0
        self.over: asyncio.Future[None] = loop.create_future()
        """Done when the end is in the log, or nothing more can be written here."""

    async def run(self, told: AsyncGenerator[Told]) -> bool:
        """Everything up to the end in the log, and the tool closed behind it; False when the end is not ours, or could
        not be written. Raises nothing."""
        self._pulling = asyncio.create_task(self._pull(told), name=f"tool {self.id}")
        try:
            await self.chain.run()
            return True
        except Conflict:
            log.warning("invocation %s was written by another", self.id)
        except LogError as error:
            log.error("invocation %s ends unwritten: %s", self.id, error.detail)  # noqa: TRY400 - known by its text
        finally:
            if not self.over.done():
                self.over.set_result(None)
            self._stop_tool()
            await self._tool_closed(self._pulling)
            self.place.leave()
        return False

    def cancel(self, reason: str = "command") -> None:
        """End it now with what has been told; no effect when it has ended."""
        self.chain.tell(Cancelled(id=self.id, t=self.chain.t, reason=reason))
        self._stop_tool()

    def abandon(self) -> None:
        """It is another's: stop, and write nothing more."""
        self.chain.lose()

    def pause(self) -> None:
        """Take no further step until `resume`, or until `PAUSED_WITHIN` has passed: then it is ended."""
        if self._going.is_set() and not self.chain.ended:
            self._going.clear()
            self.chain.tell(Paused(id=self.id, t=self.chain.t))

    def resume(self) -> None:
        """Go on after a pause."""
        if not self._going.is_set():
            self._going.set()
            self.chain.tell(Resumed(id=self.id, t=self.chain.t))

    def _stop_tool(self) -> None:
        """Once: a second time would interrupt it while it lets go of what it holds."""
        if self._pulling and not self._pulling.cancelling():
            self._pulling.cancel()

    async def _tool_closed(self, pulling: asyncio.Task[None]) -> None:
        await asyncio.wait([pulling], timeout=CLOSE_WITHIN)
        if not pulling.done():
            log.warning("invocation %s: its tool did not stop within %.0f s", self.id, CLOSE_WITHIN)

    async def _pull(self, told: AsyncGenerator[Told]) -> None:
        try:
            async with aclosing(told):
                await self.place.turn()
                async for each in told:
                    if not self._going.is_set():
                        await self._resumed()
                    self._tell(each)
                    if self.chain.ended:
                        return
                    await self._may_go_on()
        except RoundtableError as error:
            self._fail(error)
        except Exception as error:  # a tool's bug is its invocation's end, and nobody else's
            log.exception("invocation %s: its tool broke", self.id)
            self._fail(RoundtableError(f"The tool broke: {type(error).__name__}."))
        finally:  # as also when something within the tool was cancelled, and not by us
            self._fail(RoundtableError("The tool ended without a result."))

    async def _resumed(self) -> None:
        try:
            async with asyncio.timeout(PAUSED_WITHIN):
                await self._going.wait()
        except TimeoutError:
            self.cancel("paused_too_long")

    def _tell(self, told: Told) -> None:
        match told:
            case Step():
                self._step([invocation.members(told.members)])
            case Steps():
                self._step(told.members)
            case Measured():
                self.chain.tell(Entropy(id=self.id, t=self.chain.t, value=told.value, of=told.of))
            case Final():
                self.chain.tell(Converge(id=self.id, t=self.chain.t, final=told.value, reason=told.reason))

    def _step(self, members: Sequence[bytes]) -> None:
        if not invocation.are_objects(members):
            raise RoundtableError(
                "The tool broke: a step of its own is no JSON object, or names what is ours."
            )
        self.chain.step(members)

    async def _may_go_on(self) -> None:
        await self.chain.room()
        if self._throttle:
            await self._throttle.open()
        if self._clock() - self._breathed > BREATH:
            await asyncio.sleep(0)
            self._breathed = self._clock()

    def _fail(self, error: RoundtableError) -> None:
        failure = Failure(error.code, error.detail, error.retryable)
        field = str(getattr(error, "field", ""))
        self.chain.tell(invocation.failed(self.id, self.chain.t, failure, fault=error.fault, field=field))
