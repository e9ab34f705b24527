"""A panelist's options for a model on this machine: how it samples, and how the file is loaded."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from protocol.errors import Invalid
from providers.llama.wire import Sampling
from providers.options import LIMIT, Bias, One, Penalty, Share, Stops, Tokens, Top, read, renamed

# Tokens of one conversation unless told otherwise: a table of some thirty contributions. The cache takes memory for
# twice as many (core.FULL_CONVERSATIONS), by its shape some 0.9 GB with Qwen2.5-7B.
CONTEXT = 8192


class Loading(NamedTuple):
    """How a file is loaded: another way is another child."""

    context: int
    threads: int
    gpu_layers: int


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """How tokens are chosen, by llama.cpp's names and with its defaults; `seed` None draws one."""

    temperature: Annotated[float, Meta(ge=0, le=5)] = 0.8
    top_p: Share = 0.95
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] = 40
    min_p: Share = 0.05
    repeat_penalty: Annotated[float, Meta(gt=0, le=10)] = 1.0
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 0.0
    logit_bias: Bias = {}
    seed: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    stop: Stops = []


class _Words(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """The only format there is here."""


class Options(Sampled, frozen=True, kw_only=True):
    """`context` (tokens) is bounded by what the model was trained for; `gpu_layers` -1 is all of them, where there is a
    GPU that this llama.cpp was compiled for. `user` is told to nobody.
    """

    max_tokens: Tokens | None = None
    logprobs: bool = False
    top_logprobs: Top = 0
    parallel_tool_calls: bool = True
    response_format: _Words | None = None
    user: str = ""
    n: One = 1
    context: Annotated[int, Meta(ge=128, le=1_048_576)] = CONTEXT
    threads: Annotated[int, Meta(ge=1, le=512)] | None = None
    gpu_layers: Annotated[int, Meta(ge=-1, le=10_000)] = -1

    @property
    def sampling(self) -> Sampling:
        """How the next token is chosen."""
        return Sampling(
            self.temperature, self.top_p, self.top_k, self.min_p, self.repeat_penalty, self.seed,
            self.frequency_penalty, self.presence_penalty,
            {int(token): value for token, value in self.logit_bias.items()},
        )  # fmt: skip

    @property
    def loading(self) -> Loading:
        """How the file is to be loaded."""
        return Loading(self.context, self.threads or usual_threads(), self.gpu_layers)


def read_options(options: Mapping[str, Any]) -> Options:
    """The options; raises `Invalid` naming the one that is unknown or wrong."""
    found = read(renamed(dict(options), LIMIT), Options)
    if found.top_logprobs and not found.logprobs:
        raise Invalid("'top_logprobs' needs 'logprobs'.", field="options.top_logprobs")
    return found


def usual_threads() -> int:
    """One less than the processors we may use. With one for each, all wait for whichever is disturbed: README.md."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (usable or 1) - 1)
