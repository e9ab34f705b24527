"""`vector_markov`: a Markov chain over unit vectors, for load, for tests, and to see what an invocation is.

There are 32 unit vectors s_1 ... s_32, the states, and a beginning x_0, all drawn from `seed`. From x the chain goes
towards state k with probability exp(s_k.x / temperature), divided by the sum of these over all states (Boltzmann's
distribution); then x is the direction of the sum of all states visited, where x_0 counts half. So a step is the shorter
the more were made, about 1/t, and what was visited draws (Benaim, Ledoux and Raimond, "Self-interacting diffusions I",
2002).
"""

import asyncio
from collections.abc import AsyncGenerator
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import msgspec

from roundtable.tools.base import Context, Entropy, Final, Steps, Told

if TYPE_CHECKING:
    from roundtable.tools.walk import Block, Walk

# Successive changes below `epsilon` that make an end: one may be chance.
STILL = 3


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`seed` chooses the chain; it ends after `steps`, or when its change stays below `epsilon` (0: never).

    `dim` is the vectors' length; the higher the `temperature`, the less similarity counts.
    """

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] = 0
    steps: Annotated[int, msgspec.Meta(ge=1, le=5_000_000)] = 10_000
    dim: Annotated[int, msgspec.Meta(ge=1, le=256)] = 16
    temperature: Annotated[float, msgspec.Meta(ge=0.001, le=1000)] = 0.5
    epsilon: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.001


class _Members(msgspec.Struct, gc=False):
    """What a step tells."""

    vector: list[float]
    entropy: float
    change: float


class VectorMarkov:
    """A step has `vector` (unit norm to 1e-6), `entropy` (nats, of where the chain may go from there) and `change` (how
    far the vector moved). `Entropy` is told after every step whose number is a power of two, and before the end."""

    name = "vector_markov"
    title = "Markov chain"
    summary = "Walk over unit vectors until they stay; the same seed gives the same walk."
    args = Args

    async def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        """`Final.value` is `{"vector", "entropy"}`; its reason `epsilon` or `steps`."""
        walk: Walk = (await asyncio.to_thread(_imported)).Walk(args.seed, args.dim, args.temperature)
        done = still = 0
        while True:
            block = walk.block(min(_next_power(done) - done, args.steps - done))
            made, still = _until_still(block, still, args.epsilon)
            done += made
            steps = _members(block, made)
            yield Steps(_encoder.encode_lines(steps).splitlines())
            last, ended = steps[-1], done == args.steps or still == STILL
            if ended or done == _next_power(done - 1):
                yield Entropy(last.entropy)
            if ended:
                break
            await asyncio.sleep(0)
        final = {"vector": last.vector, "entropy": last.entropy}
        yield Final(final, "epsilon" if still == STILL else "steps")


_encoder = msgspec.json.Encoder()


def _imported() -> ModuleType:
    """In a thread: the loop goes on while NumPy is read from the disk."""
    from roundtable.tools import walk  # noqa: PLC0415 - see above

    return walk


def _next_power(done: int) -> int:
    """The least power of two above `done`."""
    return 1 << done.bit_length()


def _members(block: "Block", made: int) -> list[_Members]:
    rows = (block.vectors[:made].tolist(), block.entropy[:made].tolist(), block.change[:made].tolist())
    return [_Members(*row) for row in zip(*rows, strict=True)]


def _until_still(block: "Block", still: int, epsilon: float) -> tuple[int, int]:
    """How many steps of the block there are before the chain ends, and how many of the last were below epsilon."""
    if float(block.change.min()) >= epsilon:
        return len(block.change), 0
    for made, change in enumerate(block.change.tolist(), 1):
        still = still + 1 if change < epsilon else 0
        if still == STILL:
            return made, still
    return len(block.change), still
