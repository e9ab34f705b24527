"""The only writer of one table: policy -> turns -> merge -> log.

One loop: act on what was asked, hear what was said, decide what follows, append it all at once, then open the floor to
whom it was given. While an append is in flight new words wait in the merge, so a busy table batches by itself and an
idle one adds no delay. Nothing is begun before the log says that it has begun.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from protocol import events as e
from protocol.cursor import Cursor
from protocol.messages import Failure
from protocol.transcript import TableStatus, Transcript
from providers.catalog import Catalog
from roundtable.deliberation.record import INTERRUPTED
from roundtable.log.base import EventLog
from roundtable.material.store import MaterialStore
from roundtable.policies import Plan, TurnPolicy
from roundtable.policies.order import turns_left
from roundtable.table import agenda, budget, commanding, economy, forecast, hands
from roundtable.table.floor import Floor
from roundtable.table.gauge import Gauge
from roundtable.table.using import NO_TOOLS, ToolServers
from roundtable.table.writer import Writer

# A policy that plans more steps than this without a turn to wait for is broken.
MAX_STEPS = 200


class StreamOrchestrator:
    """Owns table `stream` from `begin` or `take_over` until `run` returns, because the table rests or is closed."""

    def __init__(
        self,
        stream: str,
        log: EventLog,
        catalog: Catalog,
        policy: TurnPolicy,
        *,
        owner: str,
        clock: Callable[[], float],
        tools: ToolServers = NO_TOOLS,
    ) -> None:
        self._stream = stream
        self._log = log
        self._catalog = catalog
        self._tools = tools
        self._policy = policy
        self._owner = owner
        self._clock = clock
        self._wake = asyncio.Event()
        self._hold(Transcript())
        # What waits to be acted on, by key, each with its place in the inbox.
        self._commands: dict[str, tuple[int, e.CommandSubmitted]] = {}

    def _hold(self, transcript: Transcript) -> None:
        self._writer = Writer(self._stream, self._log, self._clock, transcript)
        self._floor = Floor(
            self._writer,
            self._catalog,
            clock=self._clock,
            wake=self._wake,
            pictures=self._picture,
            tools=self._tools,
        )
        self._gauge = Gauge(self._catalog.embedder, self._wake)

    async def _picture(self, sha256: str) -> str:
        store = MaterialStore(self._log, self._clock)
        return await store.open(self._stream.partition("/")[2], sha256)

    # -- taking the table --------------------------------------------------------------------------------------

    async def begin(self, opening: e.TableOpened, *said: e.Event) -> Cursor:
        """Write a new table's first entries, up to who has the floor: `said` is what follows its opening at once.
        Returns the cursor of `table.opened`.

        Raises `LogUnavailable` at once when the store cannot be written: nobody waits for this table yet.
        """
        now = self._clock()
        return await self.begin_from([(now, opening), *((now, event) for event in said)])

    async def begin_from(self, happened: Sequence[tuple[float, e.Event]]) -> Cursor:
        """As `begin`, with all that happened before: the opening first, each event at its time in Unix seconds."""
        self._writer.begin_term(self._owner, at=happened[0][0])
        opened = self._writer.last.next()
        for at, event in happened:
            self._writer.note(event, at)
        self._advance()
        await self._writer.commit(patient=False)
        return opened

    async def take_over(self, transcript: Transcript, *, lost: int = 0) -> None:
        """Go on with a table that another owner left: `transcript` is the fold of the whole log, and now ours.

        `lost` entries had been acknowledged and are not in the log any more.
        """
        self._hold(transcript)
        self._writer.begin_term(self._owner, lost=lost)
        for turn in transcript.of("started"):
            error = Failure(INTERRUPTED, "The server stopped during this turn.", retryable=True)
            self._writer.note(e.TurnFailed(
                turn=turn.turn, panelist=turn.panelist, attempt=turn.attempt, text=turn.text, error=error
            ))  # fmt: skip
        self._advance()
        await self._writer.commit()

    @property
    def acknowledged(self) -> Cursor:
        """The last entry that the log has accepted from us."""
        return self._writer.acknowledged

    @property
    def status(self) -> TableStatus:
        """What the table is now, as far as this owner has written."""
        return self._transcript.status

    # -- what others ask ---------------------------------------------------------------------------------------

    def deliver(self, position: int, submitted: e.CommandSubmitted) -> None:
        """Act on a command from the inbox, once; what was acted on before, by whatever owner, is passed over."""
        if submitted.key not in self._transcript.commands:
            self._commands.setdefault(submitted.key, (position, submitted))
            self._wake.set()

    # -- the loop ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hold the table. Raises `Conflict` when another owner has written."""
        async with asyncio.TaskGroup() as turns:
            try:
                await self._loop(turns)
            finally:
                self._floor.leave()  # however it ends, providers have so long to close and no longer
                self._gauge.leave()

    async def _loop(self, turns: asyncio.TaskGroup) -> None:
        while True:
            self._floor.open(turns)
            self._gauge.open(turns)
            if self._over():
                return
            await self._anything()
            self._wake.clear()
            self._gather()
            self._advance()
            await self._writer.commit()

    def _over(self) -> bool:
        """A closed table takes no more commands; a resting one is woken by those that came meanwhile."""
        status = self._transcript.status
        return status == "closed" or (status == "resting" and not self._commands)

    async def _anything(self) -> None:
        now = self._clock()
        waits = (
            budget.seconds_left(self._transcript, now),  # max_seconds is over; _advance sees to it
            hands.seconds_left(self._transcript, now),  # likewise
            self._floor.yields_in,  # _gather does
        )
        seconds = min((wait for wait in waits if wait is not None), default=None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds is None else max(0.0, seconds)):
                await self._wake.wait()

    def _gather(self) -> None:
        """Commands before words: however much is being said, what a person asks is acted on in the next append."""
        while self._commands and self._transcript.status != "closed":
            position, submitted = self._commands.pop(next(iter(self._commands)))
            commanding.act(position, submitted, self._writer, self._floor)
        self._floor.hear()

    # -- what follows ------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Do what the policy plans and the limits allow, until something must be waited for."""
        for _ in range(MAX_STEPS):
            if self._transcript.status != "open":
                return
            before = self._writer.last
            self._wait_no_longer()
            limit = budget.reached(self._transcript, self._clock())
            if budget.is_over(self._transcript, self._clock()):
                self._floor.clear("max_seconds")
            self._carry_out(agenda.plan(self._policy, self._transcript, limit))
            if self._writer.last == before:
                return
        raise RuntimeError(f"Policy {self._policy.name} plans without end.")

    def _wait_no_longer(self) -> None:
        """For a hand that was waited for long enough."""
        left = hands.seconds_left(self._transcript, self._clock())
        if left is not None and left <= 0:
            self._writer.note(e.HandLowered(author=self._transcript.hands[0], reason="timeout"))

    def _carry_out(self, plan: Plan) -> None:
        for finding in plan.note:
            self._writer.note(finding)
        if plan.measure and (measured := self._gauge.measure(self._transcript)):
            self._writer.note(measured)
        for turn in plan.drop:
            panelist = self._transcript.turn(turn).panelist
            self._floor.stop(turn, e.TurnCancelled(turn=turn, panelist=panelist, reason="absent"))
        seats = plan.queue
        if saving := economy.at_verdict(self._transcript, seats):
            self._writer.note(saving)
            return
        if plan.round is not None:
            if not self._begin_round(plan.round):
                return
            seats = seats[: turns_left(self._transcript)]
        for seat in seats:
            self._writer.note(e.TurnQueued(
                turn=f"t{len(self._transcript.turns) + 1}", panelist=seat.panelist, kind=seat.kind,
                round=self._transcript.round, reason=seat.reason, question=seat.question,
            ))  # fmt: skip
        limit = self._floor.give(plan.run[: turns_left(self._transcript)])
        if plan.end or limit:
            self._end_by(plan.end or limit or "")

    def _begin_round(self, round: int) -> bool:
        """Note that it begins, and what it is likely to use; or end the discussion when it cannot be had."""
        if not budget.may_begin_round(self._transcript):
            self._end_by("max_rounds")
            return False
        coming = forecast.of_round(self._transcript, round)
        if dear := economy.fewer_rounds(self._transcript, coming):
            saving, limit = dear
            if not economy.was_told(self._transcript, saving.measure):
                self._writer.note(saving)
            self._end_by(limit)
            return False
        self._writer.note(e.RoundStarted(round=round))
        if economy.is_told(self._transcript, coming):
            self._writer.note(coming)
        return True

    def _end_by(self, reason: str) -> None:
        """End the table once nobody speaks any more, after its verdict if it comes to one."""
        self._floor.clear(reason, speaking=False)
        table = self._transcript
        if table.of("started"):
            return
        if agenda.concludes(self._policy, table):
            if not table.concluding:
                self._writer.note(e.TableConcluding(reason=reason))
            return
        self._floor.lower_hands()
        # Who wants the verdict now, or asked one panelist after it, may want to ask on.
        asked = table.concluding == "command" or agenda.is_errand(self._policy, table)
        if table.then == "rest" or asked or table.testing:
            self._writer.note(e.TableRested(reason=reason))
        else:
            self._writer.note(e.TableClosed(reason=reason))
        if table.status == "resting" and agenda.is_waited_for(self._policy, table):
            # It was spoken to while the last words within the limits were said: as if it had come now.
            self._writer.note(e.TableResumed(reason="message"))

    # -- writing -----------------------------------------------------------------------------------------------

    @property
    def _transcript(self) -> Transcript:
        return self._writer.transcript
