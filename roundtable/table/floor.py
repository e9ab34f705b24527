"""Who has the floor: a table's turns under way, from `turn.started` to their end.

Notes their words and ends with the table's pen. A turn that is stopped has ended when that is noted; its provider is
closed behind it, and nothing it still says is heard.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from protocol import events as e
from protocol.errors import Invalid
from protocol.messages import Failure
from protocol.transcript import Transcript
from providers.catalog import Catalog
from roundtable.deliberation.record import BARGE_IN
from roundtable.log.base import MAX_BATCH_BYTES
from roundtable.material.showing import Open
from roundtable.table import budget, seating
from roundtable.table.budget import Allowance, Limit
from roundtable.table.merge import Happened, Merge, Source, coalesce
from roundtable.table.meter import Meter
from roundtable.table.turn import Speaker, TurnRun
from roundtable.table.using import NO_TOOLS, ToolServers
from roundtable.table.writer import Writer
from roundtable.table.yielding import Yielding

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
        tools: ToolServers = NO_TOOLS,
    ) -> None:
        self._writer = writer
        self._catalog = catalog
        self._tools = tools
        self._clock = clock
        self._pictures = pictures
        self._merge = Merge(wake)
        self._meter = Meter(lambda: budget.remaining(self._transcript))
        self._speaking: dict[str, _Speaking] = {}
        self._yielding: dict[str, Yielding] = {}
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
        """Note what was said, in fair order, and who has ended; who yields is stopped where her sentence ends."""
        for item in coalesce(self._admitted(self._merge.take(TAKE))):
            self._writer.note(item.event, item.at)
            if isinstance(item.event, e.TurnCompleted | e.TurnFailed):
                self._yielding.pop(item.event.turn, None)
                self._meter.close(item.event.turn)
                self._merge.close(self._speaking.pop(item.event.turn).source)
        for turn in [turn for turn, yielding in self._yielding.items() if yielding.is_over]:
            panelist = self._transcript.turn(turn).panelist
            self.stop(turn, e.TurnCancelled(turn=turn, panelist=panelist, reason=BARGE_IN))

    def _admitted(self, items: Iterable[Happened]) -> Iterator[Happened]:
        for item in items:
            yielding = self._yielding.get(item.event.turn)
            if yielding is None:
                yield item
            elif not yielding.over and (heard := yielding.hear(item)):
                yield heard

    def ask_to_yield(self, turn: str) -> None:
        """From now on hear a speaker only to the end of her sentence, within bounds."""
        self._yielding[turn] = Yielding(self._transcript.turn(turn).text)

    @property
    def yields_in(self) -> float | None:
        """Seconds until `hear` has somebody to stop, whatever is said meanwhile; None while nobody yields."""
        return min((yielding.seconds_left for yielding in self._yielding.values()), default=None)

    def stop(self, turn: str, why: e.TurnCancelled) -> None:
        """End a turn now, queued or speaking, with what the log holds of it; `why` is completed with that."""
        self._yielding.pop(turn, None)
        if speaking := self._speaking.pop(turn, None):
            self._merge.close(speaking.source)
            self._meter.close(turn)
            usage, cost = speaking.run.stop()
            state = self._transcript.turn(turn)
            why = replace(why, attempt=state.attempt, text=state.text, usage=usage, cost=cost)
        self._writer.note(why)

    def clear(self, reason: str, *, speaking: bool = True) -> None:
        """Stop every queued turn, and with `speaking` those under way."""
        for turn in self._transcript.of("queued", *(("started",) if speaking else ())):
            self.stop(turn.turn, e.TurnCancelled(turn=turn.turn, panelist=turn.panelist, reason=reason))

    def lower_hands(self) -> None:
        """The discussion, or the table, is over: nobody is waited for any more."""
        for author in self._transcript.hands:
            self._writer.note(e.HandLowered(author=author, reason="ended"))

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
            turn=turn, panelist=name, model=model, digest=seated.projection.digest(), room=seated.room,
            length=seated.projection.characters(), pictures=seated.pictures,
            most=seated.speaker.request.max_tokens or 0,
            first_within=deadlines.first, idle_within=deadlines.idle, total_within=deadlines.total,
        ))  # fmt: skip
        source = self._merge.open()
        run = TurnRun(self._metered(turn, seated), source, clock=self._clock)
        self._speaking[turn] = _Speaking(run, source, seated.promised)
        self._given.append((turn, run))
        return None

    def _metered(self, turn: str, seated: seating.Seated) -> Speaker:
        """Who speaks, and is stopped once her share, or all of the table's tokens or dollars, is used up."""
        limits, speaker = self._transcript.limits, seated.speaker
        if limits.max_tokens is None and limits.max_dollars is None:
            return speaker
        charge = self._meter.open(
            turn, speaker.counter, prompt=seated.prompt, price=speaker.price, share=seated.share,
            free=0 if seated.share else seating.LEAST,
        )  # fmt: skip
        return replace(speaker, go_on=charge)

    def _seat(self, turn: str, among: int) -> seating.Seated | Limit:
        """The first to speak may do so in any case: a table with the smallest of limits still says something."""
        table = self._transcript
        promised = (speaking.promised for speaking in self._speaking.values())
        seated = self._seated(turn, budget.share(table, promised, among))
        if not isinstance(seated, seating.Seated) and table.spent.turns == table.base.turns:
            return self._seated(turn, None)
        return seated

    def _seated(self, turn: str, allowance: Allowance | None) -> seating.Seated | Limit:
        return seating.seat(
            self._transcript, turn, self._catalog, allowance, pictures=self._pictures, servers=self._tools
        )
