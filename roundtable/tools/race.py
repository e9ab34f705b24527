"""`race`: several invocations at once, speculatively; the first that converges ends the others.

Each of those who run takes one turn after the other: of everyone who has something waiting, one thing is told.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Annotated, Any

import msgspec

from protocol import codec
from protocol.errors import Invalid, NotFound, RoundtableError
from protocol.messages import Failure
from roundtable.tools.base import Context, Entropy, Final, Step, Steps, Told
from roundtable.tools.lane import Lane

log = logging.getLogger("roundtable.tools")

MOST = 8
"""Contestants: what one question may cost at once."""
# What one who runs may have told that is not passed on yet: it is heard to the end only at the pace of the others.
WAITING = 4
# Characters of a loser's words, and bytes of its last step, in the result. All of it is in the steps.
KEPT = 20_000


class Contestant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is run at which address. `name` is what its steps are of; without one, the address (with its number, where
    several have the same)."""

    address: str
    args: dict[str, Any] = {}
    name: Annotated[str, msgspec.Meta(max_length=60)] = ""


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who runs."""

    contestants: Annotated[tuple[Contestant, ...], msgspec.Meta(min_length=1, max_length=MOST)]


class Race:
    """A step is `of` a contestant, and has its `step` with its own `t`; or its `error`: then it is out.

    `Entropy` is `of` the contestant's name.
    """

    name = "race"
    title = "Race"
    summary = "Run several invocations at once; the first that converges wins, and the others are cancelled."
    args = Args

    def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        """`Final.value` is `{"winner","final","reason","t","losers"}`; a loser has `name`, `t`, the beginning of its
        `text`, its `last` step, and its `error` if it failed. The reason is `first`.

        When nobody converges the error names what became of each.
        """
        arrived = asyncio.Event()
        runners = [
            _Runner(name, _begun(each, index, context), arrived)
            for index, (each, name) in enumerate(zip(args.contestants, _names(args), strict=True))
        ]
        return _race(runners, arrived)


class _Runner:
    """One contestant, pulled by a task of its own."""

    def __init__(self, name: str, told: AsyncGenerator[Told], arrived: asyncio.Event) -> None:
        self.name, self.lane = name, Lane[Steps | Entropy | Final | Failure](arrived, WAITING)
        self.final: Final | None = None
        self._error: Failure | None = None
        self._told, self._of = told, b'{"of":%b,"step":{"t":' % codec.encode(name)
        self._t, self._text, self._last = 0, "", b"{}"

    async def run(self) -> None:
        """Hand over everything it tells, and how it failed if it did."""
        try:
            async with aclosing(self._told) as told:
                async for each in told:
                    await self.lane.put(
                        Steps([codec.encode(each.members)]) if isinstance(each, Step) else each
                    )
                    if isinstance(each, Final):
                        return
            failure = Failure("internal", "The tool ended without a result.")
        except RoundtableError as error:
            failure = Failure(error.code, error.detail, error.retryable)
        except Exception as error:  # a tool's bug is its own end, and not the race's
            log.exception("the contestant %s broke", self.name)
            failure = Failure("internal", f"The tool broke: {type(error).__name__}.")
        await self.lane.put(failure)

    def tell(self) -> Told | None:
        """What waits first, as the race tells it; None once it has arrived."""
        match self.lane.take():
            case Steps() as steps:
                return Steps([self._step(members) for members in steps.members])
            case Entropy() as entropy:
                return Entropy(entropy.value, f"{self.name}/{entropy.of}" if entropy.of else self.name)
            case Final() as final:
                self.final = final
                return None
            case Failure() as failure:
                self._error = failure
                return Step({"of": self.name, "error": failure})

    def won(self) -> dict[str, Any]:
        assert self.final
        return {"winner": self.name, "final": self.final.value, "reason": self.final.reason, "t": self._t}

    def lost(self) -> dict[str, Any]:
        """What is kept of it."""
        last = self._last if len(self._last) <= KEPT else b"{}"
        kept = {"name": self.name, "t": self._t, "text": self._text[:KEPT], "last": msgspec.Raw(last)}
        return kept | ({"error": self._error} if self._error else {})

    @property
    def running(self) -> bool:
        return self._error is None

    def why(self) -> str:
        """How it failed, in a line."""
        return f"{self.name}: {self._error.detail}" if self._error else ""

    @property
    def retryable(self) -> bool:
        return self._error is not None and self._error.retryable

    def _step(self, members: bytes) -> bytes:
        self._t += 1
        self._last = members
        if len(self._text) < KEPT and b'"text"' in members:
            self._text += _text(members)
        return b"%b%d%b}" % (self._of, self._t, b"}" if members == b"{}" else b"," + members[1:])


async def _race(runners: list[_Runner], arrived: asyncio.Event) -> AsyncGenerator[Told]:
    tasks = [asyncio.create_task(runner.run(), name=f"contestant {runner.name}") for runner in runners]
    try:
        winner = None
        while winner is None and any(runner.running for runner in runners):
            await arrived.wait()
            arrived.clear()
            for told in _rounds(runners):
                yield told
            winner = next((runner for runner in runners if runner.final), None)
        if winner is None:
            raise _nobody(runners)
        _cancel(tasks)  # now: the result does not wait until they are closed, only our end does
        losers = [runner.lost() for runner in runners if runner is not winner]
        yield Final({**winner.won(), "losers": losers}, "first")
    finally:
        _cancel(tasks)
        await asyncio.wait(tasks)


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    """Once: a second time would cut short who is closing."""
    for task in tasks:
        if not task.cancelling():
            task.cancel()


def _nobody(runners: list[_Runner]) -> RoundtableError:
    return RoundtableError(
        "Nobody arrived. " + " ".join(runner.why() for runner in runners),
        code="unavailable",
        retryable=any(runner.retryable for runner in runners),
    )


def _rounds(runners: list[_Runner]) -> Iterator[Told]:
    """Whatever waits, one from each in turn, until somebody arrives."""
    while waiting := [runner for runner in runners if runner.lane.waiting]:
        for runner in waiting:
            told = runner.tell()
            if told is None:
                return
            yield told


def _begun(contestant: Contestant, index: int, context: Context) -> AsyncGenerator[Told]:
    field = f"contestants[{index}]"
    try:
        return context.run(contestant.address, contestant.args)
    except NotFound as error:
        raise Invalid(error.detail, field=f"{field}.address", code=error.code) from error
    except Invalid as error:
        raise Invalid(error.detail, field=f"{field}.{error.field}", code=error.code) from error


def _names(args: Args) -> list[str]:
    """One for each, and all different. Raises `Invalid`."""
    addresses = [each.address for each in args.contestants if not each.name]
    names = list[str]()
    for at, each in enumerate(args.contestants):
        numbered = f"{each.address} {at + 1}" if addresses.count(each.address) > 1 else each.address
        name = each.name or numbered
        if name in names:
            raise Invalid(f"Two are named {name[:60]!r}.", field=f"contestants[{at}].name")
        names.append(name)
    return names


class _Words(msgspec.Struct):
    text: str = ""


_words = msgspec.json.Decoder(_Words)


def _text(members: bytes) -> str:
    try:
        return _words.decode(members).text
    except msgspec.ValidationError:  # another tool's `text`, that is none
        return ""
