"""One panelist's turn: asks her model, keeps her to her own lines, and ends exactly once.

It tells what happens as events into its `Source`; the last is `turn.completed` or `turn.failed`. A turn that is
stopped tells nothing more: whoever stops it writes its end. When its task is cancelled (the owner goes away) there
is no end: the next owner writes it.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from protocol import events as e
from protocol.messages import Cost, Failure, Usage
from providers import base
from roundtable.table.asking import Asking, Deadlines, silence
from roundtable.table.counting import GUESSING, Counter
from roundtable.table.guard import SpeakerGuard
from roundtable.table.merge import Happened, Source, pieces


class Speaker(msgspec.Struct, frozen=True):
    """Who speaks, through what, and how her usage is priced. A `clerk` reports, and may begin lines with her name."""

    turn: str
    panelist: str
    provider: base.Provider
    request: base.Request
    others: tuple[str, ...]
    price: Callable[[Usage], Cost | None]
    deadlines: Deadlines = Deadlines()
    clerk: bool = False
    counter: Counter = GUESSING
    go_on: Callable[[str], bool] = lambda _: True


class TurnRun:
    """One run of one turn. `run` it in a task; `stop` ends it early, with what was said."""

    def __init__(self, speaker: Speaker, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self._speaker = speaker
        self._source = source
        self._clock = clock
        self._attempt = 1
        self._text = ""
        self._guard = SpeakerGuard("" if speaker.clerk else speaker.panelist, speaker.others)
        self._asking = Asking(
            speaker.provider, speaker.request, self,
            price=speaker.price, deadlines=speaker.deadlines, label=f"turn {speaker.turn}",
            counter=speaker.counter, go_on=speaker.go_on,
        )  # fmt: skip

    def stop(self) -> tuple[Usage, Cost | None]:
        """Close the provider's stream now, and tell nothing more; what the turn used until here, and its price."""
        self._asking.stop()
        return self._asking.bill()

    async def run(self) -> None:
        """Everything from asking to the end, which comes `CLOSE_WITHIN` seconds after a deadline at the latest."""
        ending = await self._asking.run()
        if isinstance(ending, base.Stop):
            await self._say(self._guard.flush())
            if not self._text.strip() and ending.reason != "tool_calls":
                error = silence(ending)
                ending = Failure(error.code, error.detail, error.retryable)
        if ending is not None:
            await self._put(self._ended(ending))

    # -- as the listener ---------------------------------------------------------------------------------------

    async def hear(self, chunk: base.Text | base.Thinking | base.ToolCall) -> bool:
        """Tell it, if it is hers; where she speaks as another she is cut."""
        match chunk:
            case base.Text():
                await self._say(self._guard.feed(chunk.text))
            case base.Thinking():
                for part in pieces(chunk.text):
                    await self._put(e.TurnThinking(**self._who(), text=part))
            case base.ToolCall():
                name = chunk.name
                for part in pieces(chunk.arguments):
                    await self._put(e.TurnTool(**self._who(), call=chunk.call, name=name, arguments=part))
                    name = ""
        return not self._guard.cut

    async def retrying(self, attempt: int, error: Failure, wait: float) -> None:
        """Tell that she is asked again."""
        self._attempt = attempt
        await self._put(e.TurnRetried(**self._who(), error=error, wait=round(wait, 3)))

    async def _say(self, text: str) -> None:
        """What a deadline keeps from being handed over was not said, and its end does not hold it."""
        for part in pieces(text) if text else ():
            await self._put(e.TurnDelta(**self._who(), text=part))
            self._text += part

    async def _put(self, event: e.TurnEvent) -> None:
        await self._source.put(Happened(self._clock(), event))

    def _ended(self, ending: base.Stop | Failure) -> e.TurnEvent:
        usage, cost = self._asking.bill()
        if isinstance(ending, Failure):
            if ending.code == "context_overflow":  # her next prompt has half the room: `window`
                ending = msgspec.structs.replace(ending, retryable=True)
            return e.TurnFailed(**self._who(), text=self._text, error=ending, usage=usage, cost=cost)
        return e.TurnCompleted(
            **self._who(), text=self._text, stop_reason=ending.reason, usage=usage, cost=cost
        )

    def _who(self) -> dict[str, Any]:
        return {"turn": self._speaker.turn, "panelist": self._speaker.panelist, "attempt": self._attempt}
