"""A panelist's options, read strictly: what a provider does not know is refused by name, never ignored."""

from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec

from protocol.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)


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
        detail, _, path = str(error).partition(" - at `$.")
        raise Invalid(f"{detail}.", field=f"options.{path.rstrip('`')}") from error


def least(*limits: int | None) -> int | None:
    """The smallest of these limits; None is no limit."""
    return min((limit for limit in limits if limit is not None), default=None)
