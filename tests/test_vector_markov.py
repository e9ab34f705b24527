"""What `vector_markov` promises of every seed, and that its blocks are the chain as it would be walked step by step."""

import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.errors import Invalid
from roundtable.tools.base import Entropy, Final, Steps, Told
from roundtable.tools.vector_markov import STILL, VectorMarkov
from roundtable.tools.walk import STATES, Walk
from tests.tools import heard, run, steps


async def walked(**args: Any) -> list[Told]:
    return await heard(run("tool/vector_markov", args, VectorMarkov()))


CHAINS = {
    "seed": st.integers(0, 2**53 - 1),
    "steps": st.integers(1, 700),
    "dim": st.integers(1, 256),
    "temperature": st.floats(0.001, 1000),
    "epsilon": st.sampled_from([0.0, 1e-6, 0.001, 0.01, 0.1, 2.0]),
}


@settings(max_examples=40)
@given(chain=st.fixed_dictionaries(CHAINS))
@example(chain={"seed": 0, "steps": 700, "dim": 2, "temperature": 0.001, "epsilon": 0.0})
async def test_every_chain_keeps_its_promises(chain: dict[str, Any]) -> None:
    told = await walked(**chain)
    assert told == await walked(**chain), "a seed is a chain"
    walk = steps(told)
    assert all(abs(math.hypot(*step["vector"]) - 1) < 1e-6 for step in walk)
    assert all(0 <= step["entropy"] <= math.log(STATES) + 1e-6 for step in walk)
    still = [step["change"] < chain["epsilon"] for step in walk]
    ends = [at for at in range(STILL, len(walk) + 1) if all(still[at - STILL : at])]
    final = told[-1]
    assert isinstance(final, Final)
    assert final.reason == ("epsilon" if ends else "steps")
    assert (ends or [chain["steps"]]) == [len(walk)], "no step too few, and none too many"
    assert final.value == {"vector": walk[-1]["vector"], "entropy": walk[-1]["entropy"]}


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), dim=st.integers(1, 40), temperature=st.floats(0.02, 3))
def test_a_block_is_what_one_step_after_the_other_gives(seed: int, dim: int, temperature: float) -> None:
    slow, fast = Walk(seed, dim, temperature), Walk(seed, dim, temperature)
    singly = [tuple(map(list, block.vectors)) for block in (slow.block(1) for _ in range(300))]
    together = list[Any]()
    while len(together) < 300:
        together += [(list(vector),) for vector in fast.block(300 - len(together)).vectors]
    assert singly == together


async def test_a_seed_gives_these_numbers_on_every_machine() -> None:
    last = steps(await walked(seed=7, steps=1000, dim=3, epsilon=0))[-1]
    vector = [-0.4075311, 0.8354116, -0.3687898]
    assert last == {"vector": vector, "entropy": 3.12051, "change": 0.000867224554}


async def test_entropy_is_told_after_powers_of_two_and_before_the_end() -> None:
    told, at, found = await walked(steps=21, epsilon=0), 0, list[int]()
    for each in told:
        if isinstance(each, Steps):
            at += len(each.members)
        elif isinstance(each, Entropy):
            found.append(at)
    assert found == [1, 2, 4, 8, 16, 21]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1), ("seed", 2**53), ("steps", 0), ("steps", 5_000_001), ("steps", 1.5), ("dim", 0), ("dim", 257),
        ("temperature", 0), ("temperature", 1e4), ("epsilon", -0.1), ("epsilon", "x"), ("epsilom", 0.1),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        run("tool/vector_markov", {field: value}, VectorMarkov())
    assert refused.value.field == f"args.{field}"


def test_a_server_that_walks_nowhere_does_not_import_numpy() -> None:
    code = "import sys, roundtable.cli, roundtable.edge.app; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
