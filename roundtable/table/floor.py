"""Who has the floor: a table's turns under way, from `turn.started` to their end.

Notes their words and ends with the table's pen. A turn that is stopped has ended when that is noted; its provider is
closed behind it, and nothing it still says is heard.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from protocol import events as e
from protocol.errors import Invalid
from protocol.messages import Failure
from protocol.transcript import Transcript
from providers.catalog import Catalog
from roundtable.log.base import MAX_BATCH_BYTES
from roundtable.material.showing import Open
from roundtable.table import budget, seating
from roundtable.table.budget import Allowance, Limit
from roundtable.table.merge import Merge, Source, coalesce
from roundtable.table.turn import TurnRun
from roundtable.table.writer import Writer

# Characters taken from the merge for one append: a quarter of a batch in bytes, as UTF-8 needs at most four each.
TAKE = MAX_BATCH_BYTES // 4


class _Speaking(NamedTuple):
    run: TurnRun
    source: Source
    promised: Allowance


class Floor:
    """`give` turns the floor, `open` it to them once the log says so, then `hear` whenever `wake` is set."""

    def __init__(
        self,
        writer: Writer,
        catalog: Catalog,
        *,
        clock: Callable[[], float],
        wake: asyncio.Event,
        pictures: Open,
    ) -> None:
        self._writer = writer
        self._catalog = catalog
        self._clock = clock
        self._pictures = pictures
        self._merge = Merge(wake)
        self._speaking: dict[str, _Speaking] = {}
        self._given: list[tuple[str, TurnRun]] = []

    def give(self, turns: Sequence[str]) -> Limit | None:
        """Note that queued turns have started. What the limits leave is shared equally between them; who could not
        speak on that stays queued until others have ended. Returns the limit by which nobody speaks, if that is so."""
        short: Limit | None = None
        for place, turn in enumerate(turns):
            short = self._give(turn, among=len(turns) - place) or short
        return None if self._transcript.of("started") else short

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Ask the providers of all turns that were given the floor."""
        for turn, run in self._given:
            tasks.create_task(run.run(), name=turn)
        self._given.clear()

    def hear(self) -> None:
        """Note what was said, in fair order, and who has ended."""
        for item in coalesce(self._merge.take(TAKE)):
            self._writer.note(item.event, item.at)
            if isinstance(item.event, e.TurnCompleted | e.TurnFailed):
                self._merge.close(self._speaking.pop(item.event.turn).source)

    def stop(self, turn: str, why: e.TurnCancelled) -> None:
        """End a turn now, queued or speaking, with what the log holds of it; `why` is completed with that."""
        if speaking := self._speaking.pop(turn, None):
            self._merge.close(speaking.source)
            usage, cost = speaking.run.stop()
            state = self._transcript.turn(turn)
            why = replace(why, attempt=state.attempt, text=state.text, usage=usage, cost=cost)
        self._writer.note(why)

    def clear(self, reason: str, *, speaking: bool = True) -> None:
        """Stop every queued turn, and with `speaking` those under way."""
        for turn in self._transcript.of("queued", *(("started",) if speaking else ())):
            self.stop(turn.turn, e.TurnCancelled(turn=turn.turn, panelist=turn.panelist, reason=reason))

    def leave(self) -> None:
        """Close the providers and note nothing: the table is another's now."""
        for speaking in self._speaking.values():
            speaking.run.stop()

    @property
    def _transcript(self) -> Transcript:
        return self._writer.transcript

    def _give(self, turn: str, *, among: int) -> Limit | None:
        name = self._transcript.turn(turn).panelist
        model = seating.model_of(self._transcript, name)
        try:
            seated = self._seat(turn, among)
        except Invalid as error:
            self._writer.note(e.TurnStarted(turn=turn, panelist=name, model=model))
            failure = Failure(error.code, error.detail)
            self._writer.note(e.TurnFailed(turn=turn, panelist=name, error=failure))
            return None
        if not isinstance(seated, seating.Seated):
            return seated
        deadlines = seated.speaker.deadlines
        self._writer.note(e.TurnStarted(
            turn=turn, panelist=name, model=model, digest=seated.projection.digest(),
            first_within=deadlines.first, idle_within=deadlines.idle, total_within=deadlines.total,
        ))  # fmt: skip
        source = self._merge.open()
        run = TurnRun(seated.speaker, source, clock=self._clock)
        self._speaking[turn] = _Speaking(run, source, seated.promised)
        self._given.append((turn, run))
        return None

    def _seat(self, turn: str, among: int) -> seating.Seated | Limit:
        """The first to speak may do so in any case: a table with the smallest of limits still says something."""
        table = self._transcript
        promised = (speaking.promised for speaking in self._speaking.values())
        seated = self._seated(turn, budget.share(table, promised, among))
        if not isinstance(seated, seating.Seated) and table.spent.turns == table.base.turns:
            return self._seated(turn, None)
        return seated

    def _seated(self, turn: str, allowance: Allowance | None) -> seating.Seated | Limit:
        return seating.seat(self._transcript, turn, self._catalog, allowance, self._pictures)
