"""The walk behind `vector_markov`, on NumPy. Imported when first walked: NumPy takes 0.1 s.

A chain is worked out in blocks although each step needs the one before: the picks of a block are guessed, and mended
until they agree with themselves. What agrees is what one step after the other would have given (Jacobi iteration; Song
et al., "Accelerating Feedforward Computation via Parallel Nonlinear Equation Solving", ICML 2021).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Picks = NDArray[np.int64]

STATES = 32
"""States of the chain: enough for an entropy worth watching, few enough for a row of them to be cheap."""
# Steps in a block, and numbers in its vectors, at the most: some two milliseconds of work, encoding included.
_LARGEST, _NUMBERS = 512, 8192
# Times a block is mended before only the part that agrees is taken; mostly one is enough.
MENDINGS = 8
# Uniform numbers drawn at once; the order in which they are used does not depend on it.
_DRAW = 4096
# States lie on a grid, so that sums of five million of them are exact, and the same on every machine.
_GRID = 2.0**28
# Digits that are told. The vector's error, at 256 numbers, is below 1e-6; the last bits of `exp` are a machine's own.
_VECTOR, _ENTROPY, _CHANGE = 7, 6, 12


class Block(NamedTuple):
    """Steps that follow each other: the vectors, and for each its entropy (nats) and its distance from the last."""

    vectors: Floats
    entropy: Floats
    change: Floats


class Walk:
    """A chain from its beginning; `tools/vector_markov.py` says which. Two of the same arguments are the same."""

    def __init__(self, seed: int, dim: int, temperature: float) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed))
        beginning, *states = _directions(self._random.standard_normal((STATES + 1, dim)))
        self._states, self._temperature = np.array(states), temperature
        self._draws: Floats = np.empty(0)
        self._sum = beginning / 2
        self._last: Floats = beginning[None, :]
        self._size = 1
        self._largest = min(_LARGEST, max(1, _NUMBERS // dim))

    def block(self, most: int) -> Block:
        """The next steps: one at least and `most` at most."""
        size = min(self._size, most)
        if len(self._draws) < size:
            self._draws = np.concatenate([self._draws, self._random.random(_DRAW)])
        sums, vectors, entropy, agreed = self._agree(self._draws[:size])
        before, self._last = np.concatenate([self._last, vectors[: agreed - 1]]), vectors[agreed - 1 : agreed]
        self._sum, self._draws = sums[agreed - 1], self._draws[agreed:]
        self._size = min(2 * self._size, self._largest) if agreed == size else agreed
        vectors = vectors[:agreed]
        return Block(
            np.round(vectors, _VECTOR) + 0.0,  # no -0.0
            np.round(entropy[1 : agreed + 1], _ENTROPY),
            np.round(_norms(vectors - before), _CHANGE),
        )

    def _agree(self, draws: Floats) -> tuple[Floats, Floats, Floats, int]:
        """Sums and vectors after each step, entropies from the one before the first, and how many steps are right."""
        likely, _ = self._distributions(self._last)
        picks = _pick(np.repeat(likely, len(draws), axis=0), draws)
        mendings = 0
        while True:
            sums = self._sum + np.cumsum(self._states[picks], axis=0)
            vectors = sums / _norms(sums)[:, None]
            likely, entropy = self._distributions(np.concatenate([self._last, vectors]))
            mended = _pick(likely[:-1], draws)
            wrong = np.flatnonzero(mended != picks)
            if not len(wrong):
                return sums, vectors, entropy, len(draws)
            mendings, picks = mendings + 1, mended
            if mendings == MENDINGS:
                return sums, vectors, entropy, int(wrong[0])

    def _distributions(self, vectors: Floats) -> tuple[Floats, Floats]:
        """From each vector the probabilities of the states, and their entropy."""
        logits = vectors @ self._states.T / self._temperature
        logits -= logits.max(axis=1, keepdims=True)
        weights = np.exp(logits)
        total = weights.sum(axis=1)
        likely = weights / total[:, None]
        return likely, np.maximum(0.0, np.log(total) - (likely * logits).sum(axis=1))


def _directions(numbers: Floats) -> Floats:
    """Unit vectors in the rows' directions, on the grid."""
    numbers = np.round(numbers * 2.0**16)
    numbers[numbers == 0] = 1
    return np.round(numbers / _norms(numbers)[:, None] * _GRID) / _GRID


def _norms(rows: Floats) -> Floats:
    """Column by column: every machine adds in the same order."""
    squares = np.zeros(len(rows))
    for column in rows.T:
        squares += column * column
    return np.sqrt(squares)


def _pick(likely: Floats, draws: Floats) -> Picks:
    """The states at which the probabilities, summed up, pass the draws."""
    passed: Picks = (np.cumsum(likely, axis=1) < draws[:, None]).sum(axis=1)
    return np.minimum(passed, STATES - 1)
