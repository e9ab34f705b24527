"""Measures how far apart a round's positions are: by a model's embeddings where one is configured, else by words.

A model is asked beside the table's loop, which goes on hearing commands; whatever goes wrong, the round is measured by
words, and the measure says by what it was.
"""

import asyncio
import logging
from typing import NamedTuple

from msgspec.structs import replace

from protocol.errors import ProviderError
from protocol.findings import Entropy
from protocol.messages import Usage
from protocol.transcript import Transcript
from providers import prices
from providers.catalog import Embedder
from roundtable.deliberation import convergence, dispersion

log = logging.getLogger("roundtable.gauge")

# A round waits no longer for a measure. A batch of twelve sentences takes a server well under a second.
WITHIN = 10.0


class _Question(NamedTuple):
    """What a model is asked, and the measure that stands if it does not answer."""

    embedder: Embedder
    texts: list[str]
    otherwise: Entropy


class Gauge:
    """`measure` a round, `open` what that asks of a model once the loop runs, and measure again when `wake` is set."""

    def __init__(self, embedder: Embedder | None, wake: asyncio.Event) -> None:
        self._embedder = embedder
        self._wake = wake
        self._round = (0, 0)  # which one is asked about: a sitting's first entry, and its number
        self._question: _Question | None = None
        self._task: asyncio.Task[None] | None = None
        self._found: Entropy | None = None

    def measure(self, table: Transcript) -> Entropy | None:
        """The dispersion of the round that is over, which has two positions or more; None while a model is asked."""
        embedder = self._embedder
        if embedder is None or not (embedder.local or _hears(table, embedder)):
            return convergence.lexical(table)
        if self._round != (table.base_seq, table.round):
            self.leave()
            self._round, self._found = (table.base_seq, table.round), None
            texts = list(convergence.positions(table).values())
            self._question = _Question(embedder, texts, convergence.lexical(table))
        return self._found

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Ask."""
        if self._question is not None:
            self._task = tasks.create_task(self._ask(self._question), name="gauge")
            self._question = None

    def leave(self) -> None:
        """Ask no more: the table is another's now, or over."""
        if self._task is not None:
            self._task.cancel()

    async def _ask(self, question: _Question) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                self._found = await _embedded(question)
        except (ProviderError, TimeoutError, ValueError) as error:
            why = str(error) or f"no answer within {WITHIN:.0f} s"
            log.warning("%s: measured by words instead: %s", question.embedder.model, why)
        except Exception as error:  # whatever another package's provider does, the table goes on
            log.warning("%s: measured by words instead", question.embedder.model, exc_info=error)
        self._found = self._found or question.otherwise
        self._wake.set()


def _hears(table: Transcript, embedder: Embedder) -> bool:
    """Whether its provider is sent what is said at this table in any case. Nobody else is: people were told who is."""
    seated = {seat.model.partition(":")[0] for seat in table.panel if seat.name not in table.removed}
    return embedder.model.partition(":")[0] in seated


async def _embedded(question: _Question) -> Entropy:
    """Raises `ProviderError`, and `ValueError` for vectors that cannot be compared."""
    embedder = question.embedder
    answer = await embedder.provider.embed(embedder.name, question.texts)
    if len(answer.vectors) != len(question.texts):
        raise ValueError(f"{len(answer.vectors)} vectors for {len(question.texts)} texts")
    tokens = answer.tokens
    return replace(
        question.otherwise,
        value=round(dispersion.by_embeddings(answer.vectors), 4),
        method="embedding",
        model=embedder.model,
        tokens=tokens or 0,
        cost=None if tokens is None else prices.cost(embedder.model, Usage(input=tokens)),
    )
