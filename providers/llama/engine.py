"""Continuous batching: one call of llama.cpp a round, with a token of every answer that speaks and a piece of the
oldest prompt that is still to be read. Decides who reads, speaks, waits and is remembered; no I/O, no clock.

So all seats of a panel speak at once, at nearly the cost of one, and no prompt is read but from where it differs from
what any sequence holds: a seat goes on from its own last turn, and what several seats share is read once.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Literal, NamedTuple, Protocol

from protocol.messages import Logprob, Message, StopReason, ToolSpec
from providers.llama.chat import Refused, TooLong
from providers.llama.text import Words
from providers.llama.wire import About, Ask, Done, Failed, Halted, Reading, Said, Sampling

# Tokens of a prompt that are read in a round while others speak. They wait for these, so few; fewer still would
# not fill llama.cpp's matrix products. Measured: README.md.
READ_BESIDE = 64

Outcome = Literal["done", "full", "stopped"]


class Row(NamedTuple):
    """One token of a batch: where it stands, in which sequence, and whether what follows it is wanted."""

    token: int
    position: int
    sequence: int
    wanted: bool


class Sampler(Protocol):
    """Chooses one answer's tokens."""

    def after(self, row: int) -> int: ...
    def close(self) -> None: ...


class Core(Protocol):
    """What is needed of llama.cpp; `providers.llama.core` says what each does."""

    sequences: int
    batch: int
    context: int
    whole_only: bool

    @property
    def stops(self) -> tuple[str, ...]: ...

    def prompt(self, system: str, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[int]: ...
    def raw(self, text: str) -> list[int]: ...
    def piece(self, token: int) -> bytes: ...
    def ends(self, token: int) -> bool: ...
    def decode(self, rows: Sequence[Row]) -> Outcome: ...
    def sampler(self, sampling: Sampling, prompt: Sequence[int]) -> Sampler: ...
    def logprob(self, row: int, token: int, top: int) -> Logprob: ...
    def cut(self, sequence: int, keep: int) -> int: ...
    def share(self, source: int, target: int, size: int) -> None: ...


class _Slot:
    """One sequence of the cache and the tokens in it; without an `answer` it is only remembered."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.tokens: list[int] = []
        self.answer: _Answer | None = None
        self.used = 0  # when last, in no unit


class _Answer:
    """A request in work: `tokens` are its prompt and what it has said; what its slot lacks of them is to be read."""

    def __init__(
        self, ask: Ask, tokens: list[int], limit: int, sampler: Sampler, stops: tuple[str, ...]
    ) -> None:
        self.id = ask.id
        self.tokens = tokens
        self.prompt = len(tokens)
        self.limit = limit
        self.sampler = sampler
        self.words = Words(stops)
        self.raw = ask.raw is not None
        self.top = ask.logprobs
        self.logprobs: list[Logprob] = []  # of tokens whose words are held back
        self.cached = -1  # until it begins
        self.slot: _Slot | None = None

    @property
    def said(self) -> int:
        return len(self.tokens) - self.prompt


class _Part(NamedTuple):
    """What one answer contributes to a batch; `row` is the last of it."""

    answer: _Answer
    slot: _Slot
    tokens: list[int]
    row: int


class Engine:
    """Answers requests through a `Core`; `tell` hears what comes of them."""

    def __init__(self, core: Core, tell: Callable[[About], None]) -> None:
        self._core = core
        self._tell = tell
        self._slots = [_Slot(sequence) for sequence in range(core.sequences)]
        self._waiting: deque[_Answer] = deque()  # by age; bounded by who asks (child.MOST_OPEN)
        self._active: list[_Answer] = []  # at most one per slot
        self._crowded = False  # an answer had to leave: nobody begins before another ends
        self._ticks = count(1)

    @property
    def busy(self) -> bool:
        """Whether a `step` has anything to do."""
        return bool(self._active or self._waiting)

    def admit(self, ask: Ask) -> None:
        """Take a request, or fail it for what can be known before anything is computed."""
        core = self._core
        try:
            tokens = (
                core.prompt(ask.system, ask.messages, ask.tools) if ask.raw is None else core.raw(ask.raw)
            )
        except (Refused, TooLong) as error:
            code = "bad_request" if isinstance(error, Refused) else "context_overflow"
            self._tell(Failed(ask.id, code, str(error)))
            return
        room = core.context - len(tokens)
        if room <= 0:
            detail = (
                f"The conversation has {len(tokens)} tokens, and it can read {core.context} with its answer"
            )
            self._tell(Failed(ask.id, "context_overflow", detail))
            return
        limit = room if ask.max_tokens is None else min(room, ask.max_tokens)
        sampler = core.sampler(ask.sampling, tokens)
        stops = ask.stop if ask.raw is not None else (*ask.stop, *core.stops)
        self._waiting.append(_Answer(ask, tokens, limit, sampler, stops))

    def halt(self, request: int) -> None:
        """Stop a request; nothing when it has ended."""
        for answer in (*self._active, *self._waiting):
            if answer.id == request:
                read = min(len(answer.slot.tokens), answer.prompt) if answer.slot else 0
                self._release(answer)
                self._tell(Halted(request, read))

    def step(self) -> None:
        """One round."""
        self._begin()
        parts, rows = self._plan()
        match self._core.decode(rows):
            case "done":
                for part in parts:
                    self._advance(part)
            case "full":
                self._make_room()
            case "stopped":
                for part in parts:
                    self._cut(part.slot, len(part.slot.tokens))

    # -- who takes part ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Let waiting answers begin while nobody reads: who comes after a reader finds what it has read."""
        while (
            self._waiting and not self._crowded and all(len(self._missing(one)) == 1 for one in self._active)
        ):
            idle = [slot for slot in self._slots if slot.answer is None]
            if not idle:
                return
            answer = self._waiting.popleft()
            answer.slot = self._slot_for(answer.tokens, idle)
            answer.slot.answer = answer
            if answer.cached < 0:
                answer.cached = len(answer.slot.tokens)
            self._active.append(answer)

    def _slot_for(self, tokens: list[int], idle: list[_Slot]) -> _Slot:
        """An idle slot, with as much of `tokens` in it as any slot holds."""
        best = max(self._slots, key=lambda slot: self._useful(slot, tokens))
        size = self._useful(best, tokens)
        # Mostly the same conversation, so its own memory; else it is somebody else's, who will want it back.
        if best.answer is None and 2 * size >= len(best.tokens):
            self._cut(best, size)
            return best
        slot = min(idle, key=lambda slot: (bool(slot.tokens), slot.used))
        if slot is best:
            self._cut(slot, size)
        else:
            self._cut(slot, 0)
            if size:
                self._core.share(best.sequence, slot.sequence, size)
                slot.tokens = tokens[:size]
        return slot

    def _useful(self, slot: _Slot, tokens: list[int]) -> int:
        """How many of `tokens` need not be read because of this slot. The last is always read: it has what follows."""
        size = min(_common(slot.tokens, tokens), len(tokens) - 1)
        if self._core.whole_only and (slot.answer is not None or size < len(slot.tokens)):
            return 0
        return size

    def _make_room(self) -> None:
        """Forget who was last heard longest ago; if all are speaking, the youngest leaves and will be read again."""
        remembered = [slot for slot in self._slots if slot.answer is None and slot.tokens]
        if remembered:
            self._cut(min(remembered, key=lambda slot: slot.used), 0)
            return
        youngest = max(self._active, key=lambda answer: answer.id)
        if len(self._active) == 1:
            self._release(youngest)
            self._tell(
                Failed(youngest.id, "context_overflow", "The conversation does not fit into its cache")
            )
            return
        self._leave(youngest)
        self._waiting.appendleft(youngest)
        self._crowded = True

    def _leave(self, answer: _Answer) -> None:
        self._active.remove(answer)
        if answer.slot is not None:
            answer.slot.answer = None  # remembered, until the room is needed
            answer.slot = None

    def _release(self, answer: _Answer) -> None:
        """It is over; its slot remembers what was said."""
        answer.sampler.close()
        if answer.slot is None:
            self._waiting.remove(answer)
            return
        self._active.remove(answer)
        answer.slot.used = next(self._ticks)
        answer.slot.answer = None
        self._crowded = False

    # -- one batch ---------------------------------------------------------------------------------------------

    def _plan(self) -> tuple[list[_Part], list[Row]]:
        missing = {answer: self._missing(answer) for answer in sorted(self._active, key=lambda one: one.id)}
        speaking = [answer for answer, tokens in missing.items() if len(tokens) == 1]
        reading = [answer for answer in missing if answer not in speaking][:1]
        room = self._core.batch - len(speaking)
        room = min(room, READ_BESIDE) if speaking else room
        parts: list[_Part] = []
        rows: list[Row] = []
        for answer in speaking + reading:
            slot, tokens = answer.slot, missing[answer][:room]
            assert slot is not None
            end = len(answer.tokens) - 1
            for position, token in enumerate(tokens, start=len(slot.tokens)):
                rows.append(Row(token, position, slot.sequence, position == end))
            parts.append(_Part(answer, slot, tokens, len(rows) - 1))
        return parts, rows

    def _missing(self, answer: _Answer) -> list[int]:
        return answer.tokens[len(answer.slot.tokens) :] if answer.slot else []

    def _advance(self, part: _Part) -> None:
        answer = part.answer
        part.slot.tokens += part.tokens
        if len(part.slot.tokens) < len(answer.tokens):
            self._tell(Reading(answer.id, min(len(part.slot.tokens), answer.prompt), answer.prompt))
        else:
            self._hear(answer, answer.sampler.after(part.row), part.row)

    def _hear(self, answer: _Answer, token: int, row: int) -> None:
        if self._core.ends(token):
            self._finish(answer, "end")
            return
        answer.tokens.append(token)
        if answer.top is not None:
            answer.logprobs.append(self._core.logprob(row, token, answer.top))
        self._say(answer, answer.words.feed(self._core.piece(token)), token if answer.raw else -1)
        if answer.words.stopped:
            self._finish(answer, "stop_sequence")
        elif answer.said >= answer.limit:
            self._finish(answer, "length")

    def _say(self, answer: _Answer, text: str, token: int = -1) -> None:
        if text or token >= 0:
            self._tell(Said(answer.id, text, tuple(answer.logprobs), token))
            answer.logprobs.clear()

    def _finish(self, answer: _Answer, reason: StopReason) -> None:
        self._say(answer, answer.words.end(whole=answer.raw))
        self._release(answer)
        self._tell(Done(answer.id, reason, answer.prompt, answer.cached, answer.said))

    def _cut(self, slot: _Slot, keep: int) -> None:
        kept = self._core.cut(slot.sequence, keep)
        slot.tokens = slot.tokens[:kept]


def _common(one: list[int], other: list[int]) -> int:
    """The length of the prefix that both have."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))
