"""The only writer of one table: policy -> turns -> merge -> log.

One loop: gather what happened, decide what follows, append it all at once, then start what was decided. While an
append is in flight new words wait in the merge, so a busy table batches by itself and an idle one adds no delay.
Nothing is begun before the log says that it has begun.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from protocol import commands
from protocol import events as e
from protocol.cursor import Cursor
from protocol.errors import Invalid
from protocol.messages import Failure
from protocol.transcript import Transcript
from providers.catalog import Catalog
from roundtable import budget, seating
from roundtable.log.base import MAX_BATCH_BYTES, EventLog
from roundtable.merge import Merge, Source, coalesce
from roundtable.policies import Plan, TurnPolicy
from roundtable.turn import TurnRun
from roundtable.writer import Writer

# Characters taken from the merge for one append: a quarter of a batch in bytes, as UTF-8 needs at most four each.
TAKE = MAX_BATCH_BYTES // 4
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
    ) -> None:
        self._stream = stream
        self._log = log
        self._catalog = catalog
        self._policy = policy
        self._owner = owner
        self._clock = clock
        self._writer = Writer(stream, log, clock)
        self._wake = asyncio.Event()
        self._merge = Merge(self._wake)
        self._runs: dict[str, tuple[TurnRun, Source]] = {}
        self._to_start: list[tuple[TurnRun, str]] = []
        self._delivered = 0  # inbox position up to which commands were handed over
        self._commands: deque[tuple[int, e.CommandSubmitted]] = deque()
        # Turn, key and inbox position of a cancel under way.
        self._cancelling: tuple[str, str, int] | None = None
        self._closing: e.TableClosed | None = None

    # -- taking the table --------------------------------------------------------------------------------------

    async def begin(self, opening: e.TableOpened) -> Cursor:
        """Write a new table's first entries, up to who has the floor. Returns the cursor of `table.opened`.

        Raises `LogUnavailable` at once when the store cannot be written: nobody waits for this table yet.
        """
        self._writer.begin_term(self._owner)
        self._writer.note(opening)
        opened = self._writer.last
        self._advance()
        await self._writer.commit(patient=False)
        return opened

    async def take_over(self, transcript: Transcript, *, lost: int = 0) -> None:
        """Go on with a table that another owner left: `transcript` is the fold of the whole log, and now ours.

        `lost` entries had been acknowledged and are not in the log any more.
        """
        self._writer = Writer(self._stream, self._log, self._clock, transcript)
        self._delivered = transcript.inbox
        self._writer.begin_term(self._owner, lost=lost)
        for turn in transcript.of("started"):
            error = Failure("interrupted", "The server stopped during this turn.", retryable=True)
            self._writer.note(e.TurnFailed(
                turn=turn.turn, panelist=turn.panelist, attempt=turn.attempt, text=turn.text, error=error
            ))  # fmt: skip
        self._advance()
        await self._writer.commit()

    @property
    def acknowledged(self) -> Cursor:
        """The last entry that the log has accepted from us."""
        return self._writer.acknowledged

    # -- what others ask ---------------------------------------------------------------------------------------

    def deliver(self, position: int, submitted: e.CommandSubmitted) -> None:
        """Act on a command from the inbox, once; what was acted on before is passed over."""
        if position > self._delivered:
            self._delivered = position
            self._commands.append((position, submitted))
            self._wake.set()

    # -- the loop ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hold the table. Raises `Conflict` when another owner has written."""
        async with asyncio.TaskGroup() as turns:
            while True:
                for run, turn in self._to_start:
                    turns.create_task(run.run(), name=f"{self._stream}/{turn}")
                self._to_start.clear()
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
        try:
            async with asyncio.timeout(self._seconds_left()):
                await self._wake.wait()
        except TimeoutError:
            pass  # max_seconds is over; _advance sees to it

    def _seconds_left(self) -> float | None:
        seconds = budget.seconds_left(self._transcript, self._clock())
        return None if seconds is None or self._closing or self._ran_out() else max(0.0, seconds)

    def _ran_out(self) -> bool:
        return budget.reached(self._transcript, self._clock()) == "max_seconds"

    def _gather(self) -> None:
        for item in coalesce(self._merge.take(TAKE)):
            self._writer.note(item.event, item.at)
            if isinstance(item.event, e.TurnCompleted | e.TurnFailed | e.TurnCancelled):
                self._ended(item.event)
        while self._commands and self._cancelling is None and self._closing is None:
            self._act(*self._commands.popleft())

    def _ended(self, event: e.TurnCompleted | e.TurnFailed | e.TurnCancelled) -> None:
        _, source = self._runs.pop(event.turn)
        self._merge.close(source)
        if self._cancelling is not None and self._cancelling[0] == event.turn:
            turn, key, position = self._cancelling
            self._cancelling = None
            if not isinstance(event, e.TurnCancelled):
                self._refuse(key, position, f"{turn} ended before it could be cancelled.")

    # -- commands ----------------------------------------------------------------------------------------------

    def _act(self, position: int, submitted: e.CommandSubmitted) -> None:
        key, status = submitted.key, self._transcript.status
        match submitted.command:
            case commands.Say() as say:
                self._say(say, key, position)
            case commands.Pause() if status == "open":
                self._writer.note(e.TablePaused(reason="command", command=key, inbox=position))
            case commands.Resume() if status in ("paused", "resting"):
                self._writer.note(e.TableResumed(reason="command", command=key, inbox=position))
            case commands.Close() if status != "closed":
                self._closing = e.TableClosed(reason="command", command=key, inbox=position)
            case commands.Cancel(turn=turn):
                self._cancel(turn, key, position)
            case command:
                asked = type(command).__name__.lower()
                self._refuse(key, position, f"The table is {status}; {asked} would change nothing.")

    def _say(self, say: commands.Say, key: str, position: int) -> None:
        if say.to and all(panelist.name != say.to for panelist in self._transcript.panel):
            self._refuse(
                key, position, f"Nobody named {say.to!r} sits at this table.", code="unknown_panelist"
            )
            return
        message = f"m{len(self._transcript.messages) + 1}"
        self._writer.note(e.MessagePosted(
            message=message, author=say.author or commands.HOST, text=say.text, to=say.to, command=key, inbox=position
        ))  # fmt: skip
        if self._transcript.status == "resting":
            self._writer.note(e.TableResumed(reason="message"))

    def _cancel(self, turn: str, key: str, position: int) -> None:
        state = next((known for known in self._transcript.turns if known.turn == turn), None)
        if state is None:
            self._refuse(key, position, f"This table has no turn {turn[:40]!r}.", code="unknown_turn")
        elif state.status == "started":
            self._cancelling = (turn, key, position)
            self._runs[turn][0].stop(
                e.TurnCancelled(turn=turn, panelist=state.panelist, command=key, inbox=position)
            )
        elif state.status == "queued":
            self._writer.note(
                e.TurnCancelled(turn=turn, panelist=state.panelist, command=key, inbox=position)
            )
        else:
            self._refuse(key, position, f"{turn} has ended: it is {state.status}.")

    def _refuse(self, key: str, position: int, detail: str, *, code: str = "wrong_state") -> None:
        self._writer.note(e.CommandRefused(code=code, detail=detail, command=key, inbox=position))

    # -- what follows ------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Do what the policy plans and the limits allow, until something must be waited for."""
        for _ in range(MAX_STEPS):
            if self._closing is not None:
                self._end(self._closing, "closing", cut=True)  # `command` is for the turn a person cancelled
                return
            if self._transcript.status != "open":
                return
            limit = budget.reached(self._transcript, self._clock())
            if limit:
                self._end_by(limit, cut=limit == "max_seconds")
                return
            before = self._writer.last
            self._carry_out(self._policy.plan(self._transcript))
            if self._writer.last == before:
                return
        raise RuntimeError(f"Policy {self._policy.name} plans without end.")

    def _carry_out(self, plan: Plan) -> None:
        for turn in plan.drop:
            self._drop(turn, "absent")
        seats = plan.queue
        if plan.round is not None:
            if not budget.may_begin_round(self._transcript):
                self._end_by("max_rounds")
                return
            self._writer.note(e.RoundStarted(round=plan.round))
            seats = seats[: budget.turns_left(self._transcript)]
        for seat in seats:
            self._writer.note(e.TurnQueued(
                turn=f"t{len(self._transcript.turns) + 1}", panelist=seat.panelist, kind=seat.kind,
                round=self._transcript.round, reason=seat.reason,
            ))  # fmt: skip
        for turn in plan.run[: budget.turns_left(self._transcript)]:
            self._start(turn)
        if plan.end:
            self._end_by(plan.end)

    def _start(self, turn: str) -> None:
        name = self._transcript.turn(turn).panelist
        model = seating.model_of(self._transcript, name)
        try:
            seated = seating.seat(self._transcript, turn, self._catalog)
        except Invalid as error:
            self._writer.note(e.TurnStarted(turn=turn, panelist=name, model=model))
            failure = Failure(error.code, error.detail)
            self._writer.note(e.TurnFailed(turn=turn, panelist=name, error=failure))
            return
        deadlines = seated.speaker.deadlines
        self._writer.note(e.TurnStarted(
            turn=turn, panelist=name, model=model, digest=seated.projection.digest(),
            first_within=deadlines.first, idle_within=deadlines.idle, total_within=deadlines.total,
        ))  # fmt: skip
        source = self._merge.open()
        run = TurnRun(seated.speaker, source, clock=self._clock)
        self._runs[turn] = run, source
        self._to_start.append((run, turn))

    def _drop(self, turn: str, reason: str) -> None:
        self._writer.note(
            e.TurnCancelled(turn=turn, panelist=self._transcript.turn(turn).panelist, reason=reason)
        )

    def _end_by(self, reason: str, *, cut: bool = False) -> None:
        rests = self._transcript.then == "rest"
        self._end(e.TableRested(reason=reason) if rests else e.TableClosed(reason=reason), reason, cut=cut)

    def _end(self, ending: e.TableRested | e.TableClosed, reason: str, *, cut: bool) -> None:
        """End the table once nobody speaks any more; with `cut`, whoever speaks is stopped."""
        for turn in self._transcript.of("queued"):
            self._drop(turn.turn, reason)
        speaking = self._transcript.of("started")
        if not speaking:
            self._writer.note(ending)
        elif cut:
            for turn in speaking:
                self._runs[turn.turn][0].stop(
                    e.TurnCancelled(turn=turn.turn, panelist=turn.panelist, reason=reason)
                )

    # -- writing -----------------------------------------------------------------------------------------------

    @property
    def _transcript(self) -> Transcript:
        return self._writer.transcript
