"""One panelist's turn: asks her model, or one that speaks for it, has it use tools, keeps her to her own lines, and
ends exactly once.

It tells what happens as events into its `Source`; the last is `turn.completed` or `turn.failed`. A turn that is
stopped tells nothing more: whoever stops it writes its end. When its task is cancelled (the owner goes away) there
is no end: the next owner writes it.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from protocol import events as e
from protocol.messages import Cost, Failure, Usage
from providers import base
from roundtable.table import using
from roundtable.table.asking import CLOSE_WITHIN, MOST, Asking, Deadlines, silence
from roundtable.table.counting import GUESSING, Counter
from roundtable.table.deadline import Deadline
from roundtable.table.guard import SpeakerGuard
from roundtable.table.merge import Happened, Source, pieces
from roundtable.table.using import NO_TOOLS, Result, ToolServers, Using

T = TypeVar("T")

# A model that refuses has answered, and nobody else is asked until one does not.
_ITS_ANSWER = frozenset({"content_filter"})
# Between what she said before she used tools, and after.
_BREAK = "\n\n"

Price = Callable[[Usage], Cost | None]
"""What so much costs, None where that is unknown."""
Bill = tuple[Usage, Cost | None]
"""What was used, and its price."""


class Voice(msgspec.Struct, frozen=True):
    """A model to speak through, what it is asked, and how it is priced and waited for."""

    model: str
    provider: base.Provider
    request: base.Request
    price: Price
    deadlines: Deadlines = Deadlines()


def _unlimited(request: base.Request, price: Price, bill: Bill) -> base.Request:
    return request


class Speaker(msgspec.Struct, frozen=True):
    """Who speaks, through what, and how her usage is priced; `fallback` are the voices for when hers fails. A `clerk`
    reports, and may begin lines with her name. What she says is counted by `counter` until her provider tells, and
    `go_on` hears it and says whether there is enough left for more.

    `tools` are those she may use, at `servers`. What she is asked after she used some goes through `within` first, with
    what the turn has used until then: it bounds the answer, and None is that the limits leave none.
    """

    turn: str
    panelist: str
    provider: base.Provider
    request: base.Request
    others: tuple[str, ...]
    price: Price
    deadlines: Deadlines = Deadlines()
    clerk: bool = False
    counter: Counter = GUESSING
    go_on: Callable[[str], bool] = lambda _: True
    fallback: tuple[Voice, ...] = ()
    tools: tuple[str, ...] = ()
    servers: ToolServers = NO_TOOLS
    within: Callable[[base.Request, Price, Bill], base.Request | None] = _unlimited

    @property
    def voices(self) -> tuple[Voice, ...]:
        """Hers first."""
        return (Voice("", self.provider, self.request, self.price, self.deadlines), *self.fallback)


class TurnRun:
    """One run of one turn. `run` it in a task; `stop` ends it early, with what was said."""

    def __init__(self, speaker: Speaker, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self._speaker = speaker
        self._source = source
        self._clock = clock
        self._attempt = 1
        self._text = ""
        self._before = 0  # how much of it was said before this answer
        self._room = MOST
        self._heard = self._stopped = False
        self._asked: list[Asking] = []
        self._using: Using | None = None
        self._deadline = Deadline(grace=CLOSE_WITHIN)  # of what is awaited beside her model
        self._began_at: float | None = None
        self._ready(speaker.voices[0], speaker.request)

    def stop(self) -> Bill:
        """Close the provider's stream now, with what tools do for her, and tell nothing more; what the turn used until
        here, and its price."""
        self._stopped = True
        self._asking.stop()
        self._deadline.move(0.0)
        return self._bill()

    async def run(self) -> None:
        """Everything from asking to the end, which comes `CLOSE_WITHIN` seconds after a deadline at the latest."""
        self._began_at = asyncio.get_running_loop().time()
        ending = await self._speak()
        if isinstance(ending, base.Stop):
            await self._say(self._guard.flush())
            if not self._text.strip() and (self._using or ending.reason != "tool_calls"):
                error = silence(ending)
                ending = Failure(error.code, error.detail, error.retryable)
        if ending is not None and not self._stopped:
            await self._put(self._ended(ending))

    # -- asking ------------------------------------------------------------------------------------------------

    async def _speak(self) -> base.Stop | Failure | None:
        """Until she has answered in words; None when she was stopped."""
        if self._speaker.tools:
            self._using = await self._beside(using.begin(self._speaker.servers, self._speaker.tools))
        ending = await self._ask_who_can()
        while isinstance(ending, base.Stop) and self._wishes(ending):
            following = await self._beside(self._use())
            if not isinstance(following, base.Request):
                return following or self._too_late()
            self._ready(self._voice, following)
            ending = await self._ask()
        return ending

    async def _ask_who_can(self) -> base.Stop | Failure | None:
        """Her model, or before a first word the next that speaks for it."""
        ending: base.Stop | Failure | None = None
        voices = self._speaker.voices
        for voice, following in zip(voices, (*voices[1:], None), strict=True):
            self._ready(voice, self._with_tools(voice.request), replaceable=following is not None)
            ending = await self._ask()
            if not isinstance(ending, Failure) or ending.code in _ITS_ANSWER or self._heard or not following:
                break
            self._attempt += 1
            await self._put(e.TurnRetried(**self._who(), error=ending, model=following.model))
        return ending

    def _ready(self, voice: Voice, request: base.Request, *, replaceable: bool = False) -> None:
        self._voice, self._request = voice, request
        self._before = len(self._text)
        speaker = self._speaker
        self._guard = SpeakerGuard("" if speaker.clerk else speaker.panelist, speaker.others)
        self._asking = Asking(
            voice.provider, request, self,
            price=voice.price, deadlines=voice.deadlines, label=f"turn {speaker.turn}",
            counter=speaker.counter, go_on=speaker.go_on,
            began_at=self._began_at, attempt=self._attempt, room=self._room, replaceable=replaceable,
        )  # fmt: skip
        self._asked.append(self._asking)

    async def _ask(self) -> base.Stop | Failure | None:
        ending = None if self._stopped else await self._asking.run()
        self._room = self._asking.room
        return ending

    # -- using tools -------------------------------------------------------------------------------------------

    def _with_tools(self, request: base.Request) -> base.Request:
        return replace(request, tools=self._using.specs) if self._using else request

    def _wishes(self, ending: base.Stop) -> bool:
        """Whether she ended to have tools used, and not because she was cut."""
        if self._using is None or not self._using.wishes or self._guard.cut:
            return False
        # Some servers say only that it ended.
        return self._using.full or ending.reason in ("tool_calls", "end")

    async def _use(self) -> base.Request | base.Stop:
        """Carry out what was called; what her model is asked then, or the end where the limits leave no more."""
        assert self._using is not None
        await self._say(self._guard.flush())
        told = await self._using.carry_out(self._text[self._before :].strip(), self._tell)
        messages = (*self._request.messages, *told)
        request = replace(self._request, messages=messages, tool_choice=self._using.choice)
        return self._speaker.within(request, self._voice.price, self._bill()) or base.Stop("length")

    async def _tell(self, result: Result) -> None:
        outcome = msgspec.structs.asdict(result.outcome)
        await self._put(e.TurnToolResult(
            **self._who(), call=result.call, name=result.name, **outcome, seconds=round(result.seconds, 3)
        ))  # fmt: skip

    async def _beside(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What is awaited beside her model; None when she was stopped, or the turn's time is over."""
        self._deadline = Deadline(grace=CLOSE_WITHIN)
        total = self._voice.deadlines.total
        self._deadline.move(0.0 if self._stopped else (self._began_at or 0.0) + total if total else None)
        try:
            async with self._deadline:
                return await work
        except TimeoutError:
            return None

    def _too_late(self) -> Failure | None:
        if self._stopped:
            return None
        return Failure(
            "timeout", f"The answer took longer than {self._voice.deadlines.total:g} s.", retryable=True
        )

    # -- as the listener ---------------------------------------------------------------------------------------

    async def hear(self, chunk: base.Text | base.Thinking | base.ToolCall) -> bool:
        """Tell it, if it is hers; where she speaks as another she is cut, as where her calls have no end."""
        self._heard = True
        match chunk:
            case base.Text():
                await self._say(self._guard.feed(chunk.text))
            case base.Thinking():
                for part in pieces(chunk.text):
                    await self._put(e.TurnThinking(**self._who(), text=part))
            case base.ToolCall():
                call, name = self._using.heard(chunk) if self._using else (chunk.call, chunk.name)
                name = name if chunk.name else ""
                for part in pieces(chunk.arguments):
                    await self._put(e.TurnTool(**self._who(), call=call, name=name, arguments=part))
                    name = ""
        return not self._guard.cut and not (self._using and self._using.full)

    async def retrying(self, attempt: int, error: Failure, wait: float) -> None:
        """Tell that she is asked again."""
        self._attempt = attempt
        await self._put(e.TurnRetried(**self._who(), error=error, wait=round(wait, 3)))

    async def _say(self, text: str) -> None:
        """What a deadline keeps from being handed over was not said, and its end does not hold it."""
        if text and self._text and len(self._text) == self._before:
            text = _BREAK + text
        for part in pieces(text) if text else ():
            await self._put(e.TurnDelta(**self._who(), text=part))
            self._text += part

    async def _put(self, event: e.TurnEvent) -> None:
        await self._source.put(Happened(self._clock(), event))

    # -- its end -----------------------------------------------------------------------------------------------

    def _ended(self, ending: base.Stop | Failure) -> e.TurnEvent:
        usage, cost = self._bill()
        if isinstance(ending, Failure):
            if ending.code == "context_overflow":  # her next prompt has half the room: `window`
                ending = msgspec.structs.replace(ending, retryable=True)
            return e.TurnFailed(**self._who(), text=self._text, error=ending, usage=usage, cost=cost)
        return e.TurnCompleted(
            **self._who(), text=self._text, stop_reason=ending.reason, usage=usage, cost=cost
        )

    def _bill(self) -> Bill:
        """Of all that was asked; without a price as soon as one of them has none."""
        bills = [asking.bill() for asking in self._asked]
        used = [bill for bill in bills if bill[0] != Usage()] or bills[-1:]
        costs = [cost.dollars for _, cost in used if cost is not None]
        usage = sum((usage for usage, _ in used[1:]), used[0][0])
        return usage, Cost(sum(costs)) if len(costs) == len(used) else None

    def _who(self) -> dict[str, Any]:
        return {"turn": self._speaker.turn, "panelist": self._speaker.panelist, "attempt": self._attempt}
