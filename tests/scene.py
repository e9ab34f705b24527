"""A table in fake time: voices that say what a test tells them, and a log in memory whose appends take their time."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from protocol import codec, commands
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict
from protocol.messages import Limits, Office, Panelist, Until, Usage
from protocol.transcript import Transcript, fold
from providers.base import Chunk, Provider, Request, Stop, Text, Thinking
from providers.catalog import Embedder
from roundtable import policies
from roundtable.log import batch as rules
from roundtable.log.base import Checkpoint, Outcome, Record
from roundtable.table.orchestrator import StreamOrchestrator
from tests import fake_time
from tests.tables import AT

STREAM = "table/scene"
FOREVER = 1e6
Step = str | float | Exception | Thinking
Script = Sequence[Step] | Callable[[Request], Sequence[Step]]


class InTurn(list[Step]):
    """A voice that says another thing each time it is asked, and the last for good."""

    def __init__(self, *scripts: list[Step]) -> None:
        super().__init__()
        self.scripts = list(scripts)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0])


class MemoryLog:
    """As `EventLog`, for what an owner and its readers use. `slow` is asked before each append for the seconds it
    takes; while it is not `open` no append returns."""

    def __init__(self, slow: Callable[[], float] = lambda: 0.0) -> None:
        self.records: list[Record] = []
        self.appends: list[int] = []  # how many records each brought
        self.asked: Callable[[], None] = lambda: (
            None
        )  # called when an append arrives, before anyone else may act
        self.slow = slow
        self.open = asyncio.Event()
        self.open.set()
        self._checkpoint: Checkpoint | None = None

    async def append(self, stream: str, expected: Cursor, batch: Sequence[Record]) -> Outcome:
        rules.check(expected, batch)
        self.asked()
        await asyncio.sleep(self.slow())
        await self.open.wait()
        if (self.records[-1].cursor if self.records else ZERO) != expected:
            raise Conflict("Another has written.")
        self.records += batch
        self.appends.append(len(batch))
        return "appended"

    async def read(self, stream: str, after_seq: int, *, limit: int = 1000) -> list[Record]:
        return self.records[after_seq : after_seq + limit]

    async def has(self, stream: str, cursor: Cursor) -> bool:
        return any(record.cursor == cursor for record in self.records)

    async def save_checkpoint(self, stream: str, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        return self._checkpoint

    @property
    def entries(self) -> list[e.Entry]:
        return [codec.decode_body(*record) for record in self.records]


class Voices:
    """As `Provider`. Each says its script every turn, or what that gives for the prompt: words, pauses in seconds, an
    error; `taken` counts its chunks."""

    name, local, destination = "voice", False, "nobody"
    embedder: Embedder | None = None  # as the catalog has

    def __init__(self, scripts: Mapping[str, Script], log: MemoryLog) -> None:
        self.scripts = scripts
        self.log = log
        self.taken = Counter(dict.fromkeys(scripts, 0))
        self.asked: list[Request] = []
        self.closing = 0.0  # seconds that each takes to close
        self.open = 0

    def resolve(self, model: str) -> tuple[Provider, str]:
        """As `Catalog`: everybody speaks through here."""
        return self, model.removeprefix("voice:")

    def suited(self, panelist: Panelist, provider: Provider) -> dict[str, Any]:
        """As `Catalog`: voices take no options."""
        return {}

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        turns = fold(self.log.entries).of("started")
        assert request.speaker in [turn.panelist for turn in turns], "asked before the log says so"
        self.asked.append(request)
        self.open += 1
        said = 0
        try:
            script = self.scripts[request.speaker]
            for step in script(request) if callable(script) else script:
                if isinstance(step, Exception):
                    raise step.with_traceback(None)
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                if isinstance(step, Thinking):
                    yield step
                    continue
                if request.max_tokens is not None and said >= request.max_tokens:
                    break
                said += 1
                self.taken[request.speaker] += 1
                yield Text(step)
            prompt = len(request.system) + sum(len(message.text) for message in request.messages)
            yield Stop("end", Usage(input=prompt // 4, output=said))
        finally:
            try:
                await asyncio.sleep(self.closing)
            finally:
                self.open -= 1

    async def close(self) -> None:
        pass


class Scene:
    """One table of `voices` under `policy`, which comes to a verdict if that is the policy's way, or as told."""

    def __init__(
        self,
        policy: str,
        voices: Mapping[str, Script],
        *,
        log: MemoryLog | None = None,
        then: e.Then = "close",
        verdict: bool | None = None,
        until: Until | None = None,
        roles: Mapping[str, Office] = {},
        **limits: Any,
    ) -> None:
        self.log: Any = log or MemoryLog()
        self.voices = Voices(voices, self.log)
        self.policy = policy
        panel = [Panelist(name, f"voice:{name}", role=roles.get(name, "")) for name in voices]
        self.opening = e.TableOpened(
            table="scene",
            topic="Why?",
            panel=panel,
            policy=policy,
            limits=Limits(**limits),
            then=then,
            verdict=policies.concludes(policy) if verdict is None else verdict,
            until=policies.until(policy) if until is None else until,
        )
        self.owner = self.new_owner()
        self.position = 0
        self.told: dict[int, e.CommandSubmitted] = {}  # the inbox

    def new_owner(self) -> StreamOrchestrator:
        catalog: Any = self.voices
        loop = asyncio.get_running_loop()
        return StreamOrchestrator(
            STREAM,
            self.log,
            catalog,
            policies.find(self.policy),
            owner="test",
            clock=lambda: AT + loop.time(),
        )

    def tell(self, command: commands.ANY) -> str:
        self.position += 1
        key = f"k{self.position}"
        self.told[self.position] = e.CommandSubmitted(key=key, command=command)
        self.owner.deliver(self.position, self.told[self.position])
        return key

    async def play(self) -> Transcript:
        """From the opening to the end."""
        async with self.playing():
            pass
        return self.table

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        """Opened and held; at the end of the block the table is waited for."""
        await self.owner.begin(self.opening)
        async with self.held():
            yield

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.owner.run())
        try:
            yield
            await task
        finally:
            task.cancel()
            await asyncio.wait([task])

    @property
    def entries(self) -> list[e.Entry]:
        entries: list[e.Entry] = self.log.entries
        return entries

    @property
    def table(self) -> Transcript:
        """The fold of what the log holds now."""
        return fold(self.entries)


def played(policy: str, voices: dict[str, Any], *said: commands.ANY, **options: Any) -> Scene:
    """A table from its opening to its end, in fake time; what is `said` comes right behind the opening."""

    async def run() -> Scene:
        scene = Scene(policy, voices, **options)
        async with scene.playing():
            for each in said:
                scene.tell(each)
        return scene

    return fake_time.run(run())
