"""Who reads, speaks, waits and is remembered, over a cache of cells like llama.cpp's that checks what is done to it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import Logprob, Message, ToolSpec
from providers.llama.engine import READ_BESIDE, Engine, Outcome, Row
from providers.llama.wire import About, Ask, Done, Failed, Halted, Reading, Said, Sampling

SAMPLING = Sampling(0, 1, 0, 0, 1, 0)
CONTEXT, CELLS = 40, 60


def follows(tokens: Sequence[int]) -> int:
    """What this model says after these tokens: every one of them matters, and its place; 0 is the end."""
    return sum(place * token for place, token in enumerate(tokens, start=3)) % 23


class Cells:
    """A `Core` whose prompts are bytes. One cell may be shared by several sequences, as after `seq_cp`."""

    sequences, batch, context = 4, 16, CONTEXT
    stops = ()

    def __init__(self, cells: int = CELLS, *, whole_only: bool = False, brakes: Iterable[bool] = ()) -> None:
        self.whole_only = whole_only
        self._room = cells
        self._cells: list[tuple[int, int, set[int]]] = []  # position, token, sequences
        self._brakes = iter(brakes)
        self._wanted: dict[int, int] = {}
        self.samplers = 0
        self.read = Counter[int]()  # token by token
        self.rounds: list[list[int]] = []  # the sequence of each row

    def prompt(self, system: str, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[int]:
        return self.raw("".join([system, *(message.text for message in messages)]))

    def raw(self, text: str) -> list[int]:
        return list(text.encode())

    def logprob(self, row: int, token: int, top: int) -> Logprob:
        return Logprob(chr(96 + token), 0.0)

    def piece(self, token: int) -> bytes:
        return bytes([96 + token])

    def ends(self, token: int) -> bool:
        return token == 0

    def decode(self, rows: Sequence[Row]) -> Outcome:
        assert 0 < len(rows) <= self.batch
        assert all(
            row.position == after.position - 1
            for row, after in pairwise(rows)
            if row.sequence == after.sequence
        )
        assert sum(row.wanted for row in rows) <= len({row.sequence for row in rows})
        stopped = next(self._brakes, False)
        if len(self._cells) + len(rows) > self._room:
            return "full"
        self._wanted = {}
        for at, row in enumerate(rows[: len(rows) // 2] if stopped else rows):
            assert row.position == len(self.held(row.sequence))
            self._cells.append((row.position, row.token, {row.sequence}))
            self.read[row.token] += 1
            if row.wanted:
                self._wanted[at] = follows(self.held(row.sequence))
        self.rounds.append([row.sequence for row in rows])
        return "stopped" if stopped else "done"

    def sampler(self, sampling: Sampling, prompt: Sequence[int]) -> "Chooser":
        self.samplers += 1
        return Chooser(self)

    def cut(self, sequence: int, keep: int) -> int:
        if self.whole_only and keep < len(self.held(sequence)):
            keep = 0
        for position, _, owners in self._cells:
            if position >= keep:
                owners.discard(sequence)
        self._cells = [cell for cell in self._cells if cell[2]]
        return keep

    def share(self, source: int, target: int, size: int) -> None:
        assert not self.held(target)
        assert not self.whole_only
        for position, _, owners in self._cells:
            if source in owners and position < size:
                owners.add(target)

    def held(self, sequence: int) -> list[int]:
        """A sequence's tokens, in order and without a gap."""
        mine = sorted((position, token) for position, token, owners in self._cells if sequence in owners)
        assert [position for position, _ in mine] == list(range(len(mine)))
        return [token for _, token in mine]


class Chooser:
    def __init__(self, core: Cells) -> None:
        self._core = core

    def after(self, row: int) -> int:
        return self._core._wanted[row]

    def close(self) -> None:
        self._core.samplers -= 1


def alone(prompt: str, max_tokens: int) -> tuple[str, str]:
    """What is to be said to this prompt, and why it ends, by the model's definition."""
    tokens, said = list(prompt.encode()), ""
    for _ in range(min(max_tokens, CONTEXT - len(tokens))):
        token = follows(tokens)
        if token == 0:
            return said, "end"
        tokens.append(token)
        said += chr(96 + token)
    return said, "length"


def ask(request: int, prompt: str, max_tokens: int = 10) -> Ask:
    return Ask(request, "", (Message("user", prompt),), SAMPLING, max_tokens=max_tokens)


def run(engine: Engine, most: int = 2000) -> None:
    for _ in range(most):
        if not engine.busy:
            return
        engine.step()
    raise AssertionError("it does not come to an end")


def said(told: list[About], request: int) -> str:
    return "".join(message.text for message in told if isinstance(message, Said) and message.id == request)


PROMPTS = st.lists(
    st.tuples(
        st.sampled_from(["", "system ", "system of Ada "]),
        st.text("ab ", min_size=1, max_size=20),
        st.integers(1, 25),
        st.integers(0, 6),  # rounds before it comes
    ),
    min_size=1,
    max_size=9,
)


@given(PROMPTS, st.booleans(), st.lists(st.booleans(), max_size=40), st.sets(st.integers(0, 8), max_size=3))
def test_every_answer_is_what_it_would_be_alone(
    prompts: list[tuple[str, str, int, int]], whole_only: bool, brakes: list[bool], halted: set[int]
) -> None:
    """Whoever shares the cache, leaves it for want of room and returns, or is stopped in the middle of a round."""
    told: list[About] = []
    core = Cells(whole_only=whole_only, brakes=brakes)
    engine = Engine(core, told.append)
    for request, (system, text, limit, pause) in enumerate(prompts):
        engine.admit(ask(request, system + text, limit))
        for _ in range(pause):
            if engine.busy:
                engine.step()
        if request in halted:
            engine.halt(request)
    run(engine)
    for request, (system, text, limit, _) in enumerate(prompts):
        ends = [one for one in told if one.id == request and isinstance(one, Done | Failed | Halted)]
        assert len(ends) == 1
        words, reason = alone(system + text, limit)
        match ends[0]:
            case Done(_, why, prompt, cached, count):
                assert (said(told, request), why) == (words, reason)
                assert (prompt, count) == (len(system + text), len(words))
                assert 0 <= cached < prompt
            case Halted(_, done):
                assert request in halted
                assert words.startswith(said(told, request))
                assert done <= len(system + text)
            case failed:
                raise AssertionError(failed)
    assert core.samplers == 0


def test_everybody_speaks_in_every_round() -> None:
    core = Cells()
    engine = Engine(core, lambda _: None)
    for request in range(3):
        engine.admit(ask(request, f"{request} well"))
    engine.step()
    engine.step()
    engine.step()
    run(engine)
    assert sorted(core.rounds[3]) == [0, 1, 2]


def test_a_prefix_that_is_shared_is_read_once() -> None:
    told: list[About] = []
    core = Cells(cells=200)
    engine = Engine(core, told.append)
    for request, end in enumerate("XYZ"):
        engine.admit(ask(request, "*" * 20 + end, 1))
    run(engine)
    assert core.read[ord("*")] == 20
    assert [one.cached for one in told if isinstance(one, Done)] == [0, 20, 20]


def test_a_seat_goes_on_from_its_own_last_turn() -> None:
    told: list[About] = []
    core = Cells(cells=200)
    engine = Engine(core, told.append)
    for more in ("", " and so", " and so on"):
        for request, name in enumerate(("Ada Ada", "Ben Ben")):
            engine.admit(ask(request, name + more, 1))
            run(engine)
    assert [one.cached for one in told if isinstance(one, Done)] == [0, 0, 7, 7, 14, 14]


def test_a_long_prompt_does_not_hold_up_who_speaks() -> None:
    class Wide(Cells):
        batch, context = 512, 1000

    core = Wide(cells=2000)
    engine = Engine(core, lambda _: None)
    engine.admit(ask(1, "b", 900))
    engine.step()
    engine.admit(ask(2, "a" * 400, 1))
    while engine.busy and len(core.rounds) < 5:
        engine.step()
    assert all(len(rows) == 1 + READ_BESIDE for rows in core.rounds[1:5])


def test_a_conversation_that_fills_the_context_is_refused_before_anything_is_read() -> None:
    told: list[About] = []
    core = Cells()
    engine = Engine(core, told.append)
    engine.admit(ask(1, "a" * CONTEXT))
    assert not engine.busy
    assert isinstance(told[0], Failed)
    assert told[0].code == "context_overflow"


def test_reading_is_told_as_it_goes() -> None:
    told: list[About] = []
    engine = Engine(Cells(), told.append)
    engine.admit(ask(1, "a" * 35, 1))
    run(engine)
    assert [one for one in told if isinstance(one, Reading)] == [Reading(1, 16, 35), Reading(1, 32, 35)]
