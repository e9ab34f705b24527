"""A panelist's options for a model on this machine: how it samples, and how the file is loaded."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from providers.llama.wire import Sampling
from providers.options import read

# Tokens of one conversation unless told otherwise: a table of some thirty contributions. The cache takes memory for
# twice as many (core.FULL_CONVERSATIONS), by its shape some 0.9 GB with Qwen2.5-7B.
CONTEXT = 8192
# More is no stop sequence but a filter; each is looked for at every token.
MOST_STOPS = 16

_Stop = Annotated[str, Meta(min_length=1, max_length=200)]


class Loading(NamedTuple):
    """How a file is loaded: another way is another child."""

    context: int
    threads: int
    gpu_layers: int


class Options(msgspec.Struct, frozen=True):
    """By llama.cpp's names and with its defaults. `context` (tokens) is bounded by what the model was trained for.

    `gpu_layers` -1 is all of them, where there is a GPU that this llama.cpp was compiled for.
    """

    temperature: Annotated[float, Meta(ge=0, le=5)] = 0.8
    top_p: Annotated[float, Meta(gt=0, le=1)] = 0.95
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] = 40
    min_p: Annotated[float, Meta(ge=0, le=1)] = 0.05
    repeat_penalty: Annotated[float, Meta(gt=0, le=10)] = 1.0
    seed: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop: _Stop | Annotated[list[_Stop], Meta(max_length=MOST_STOPS)] = []
    context: Annotated[int, Meta(ge=128, le=1_048_576)] = CONTEXT
    threads: Annotated[int, Meta(ge=1, le=512)] | None = None
    gpu_layers: Annotated[int, Meta(ge=-1, le=10_000)] = -1

    @property
    def sampling(self) -> Sampling:
        """How the next token is chosen."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.min_p, self.repeat_penalty, self.seed)

    @property
    def loading(self) -> Loading:
        """How the file is to be loaded."""
        return Loading(self.context, self.threads or usual_threads(), self.gpu_layers)

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop sequences."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


def read_options(options: Mapping[str, Any]) -> Options:
    """The options; raises `Invalid` naming the one that is unknown or wrong."""
    return read(dict(options), Options)


def usual_threads() -> int:
    """One less than the processors we may use. With one for each, all wait for whichever is disturbed: README.md."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (usable or 1) - 1)
