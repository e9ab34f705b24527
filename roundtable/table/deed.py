"""One command as its effect is noted: the first event of it bears the command's mark, and no other does."""

from typing import TypeVar

from msgspec.structs import replace

from protocol import events as e
from protocol.transcript import Transcript, Turn
from roundtable.table.floor import Floor
from roundtable.table.writer import Writer

T = TypeVar("T", bound=e.Asked)


class Deed:
    """The command with this key, at its place of the inbox."""

    def __init__(self, key: str, position: int, writer: Writer, floor: Floor) -> None:
        self._key, self._position, self._writer, self._floor = key, position, writer, floor
        self.done = False

    @property
    def table(self) -> Transcript:
        """As it stands, with what was noted."""
        return self._writer.transcript

    def note(self, event: e.Asked) -> None:
        """Part of the effect."""
        self._writer.note(self._marked(event))

    def prepare(self, event: e.Asked) -> None:
        """What must be so before the effect can be: part of it, and not what the command is told of."""
        self._writer.note(event)

    def stop(self, turn: Turn, reason: str) -> None:
        """As `note`: end a turn, queued or speaking."""
        self._floor.stop(
            turn.turn,
            self._marked(e.TurnCancelled(turn=turn.turn, panelist=turn.panelist, reason=reason)),
        )

    def ask_to_yield(self, turn: Turn, within: float, tokens: int) -> None:
        """As `note`: let a speaker end her sentence."""
        event = e.TurnYielding(turn=turn.turn, panelist=turn.panelist, within=within, tokens=tokens)
        self.note(event)
        self._floor.ask_to_yield(turn.turn)

    def queue(self, name: str, like: Turn, reason: str) -> None:
        """As `note`: give `name` a turn like that one, in the round that is now, for this reason."""
        self.note(e.TurnQueued(
            turn=f"t{len(self.table.turns) + 1}", panelist=name, kind=like.kind, round=self.table.round,
            reason=reason, question=like.question,
        ))  # fmt: skip

    def refuse(self, detail: str, code: str = "wrong_state") -> None:
        """Nothing is done; `detail` says why, and what to do."""
        self.note(e.CommandRefused(code=code, detail=detail))

    def _marked(self, event: T) -> T:
        if self.done:
            return event
        self.done = True
        return replace(event, command=self._key, inbox=self._position)
