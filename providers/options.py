"""A panelist's options, read strictly: what a provider does not know is refused by name, never ignored.

Where several dialects have the same option, its bounds stand here.
"""

from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from protocol.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)

# The bounds of OpenAI's API, which its imitators have taken over:
# https://platform.openai.com/docs/api-reference/chat/create
Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Bias = dict[Annotated[str, Meta(pattern="^[0-9]{1,9}$")], Annotated[float, Meta(ge=-100, le=100)]]
"""Added to tokens' logits, by token id."""
Top = Annotated[int, Meta(ge=0, le=20)]
# More than any model reads; beyond 64 bits it would be no number on the way to llama.cpp.
Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
One = Literal[1]
"""How many answers: several would be several turns."""
# More is no stop sequence but a filter; each is looked for at every token.
Stop = Annotated[str, Meta(min_length=1, max_length=200)]
Stops = Stop | Annotated[list[Stop], Meta(max_length=16)]

# Limits by the name that Chat Completions has for them now, and by ours.
LIMIT = {"max_completion_tokens": "max_tokens"}


def read(options: dict[str, Any], shape: type[T]) -> T:
    """Options as `shape`; raises `Invalid` naming the option, and the nearest one that exists."""
    known = shape.__struct_fields__
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
            raise Invalid(f"There is no option {name[:60]!r}; {hint}", field=f"options.{name[:60]}")
    try:
        return msgspec.convert(options, shape)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `")
        raise Invalid(f"{detail}.", field=f"options.{path.rpartition('$.')[2].rstrip('`')}") from error


def renamed(options: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Options of two names under one: `names` has the other name and ours. Raises `Invalid` when both are given."""
    for other, ours in names.items():
        if other in options and ours in options:
            raise Invalid(f"{other!r} and {ours!r} are one option; give one.", field=f"options.{other}")
    return {names.get(name, name): value for name, value in options.items()}


def named(error: Invalid) -> str:
    """What is wrong, with the name of the option that it is about: a turn's failure has no field."""
    return f"{error.field}: {error.detail}" if error.field.startswith("options.") else error.detail


def stops(given: Stops | None) -> tuple[str, ...]:
    """Stop sequences, however they were given."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def least(*limits: int | None) -> int | None:
    """The smallest of these limits; None is no limit."""
    return min((limit for limit in limits if limit is not None), default=None)
