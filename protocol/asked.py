"""Seats and limits as they are asked for: bounded, and strict where logs may hold what later versions add.

Bounds are for the schema only; what is out of them is told in words by whoever checks (`hosting/convening.py`).
"""

import re
from typing import Annotated

import msgspec

from protocol.messages import Limits, Panelist

MAX_FALLBACK = 4
"""Models that speak for one that cannot: each may take minutes to fail, and the audience waits."""
MAX_TEXT = 20_000
"""Characters a person may say at once."""
MAX_TITLE = 200
"""Characters: a line in a list."""
MAX_SEATS = 12
"""As many hues as eyes can tell apart, and as many voices as a reader can follow."""
MAX_PERSONA = 4_000
"""Characters: two pages, which every prompt of hers carries."""
MAX_NAME = 40
"""Characters: what fits beside a speech, in a label and in a list."""
MAX_LIMIT = 1e12
"""Of anything: more is a slip of the keyboard, and sums of it are still exact."""
NOT_IN_NAMES = frozenset('<>[]{}"`*:,@\\/|')
"""What would break labels, fences and lists: brackets, quotes, colons, asterisks; and line breaks."""


def bound(**keywords: object) -> msgspec.Meta:
    """For the schema only."""
    return msgspec.Meta(extra_json_schema=keywords)


_TAKEN = re.escape("".join(sorted(NOT_IN_NAMES)))
_NAME = rf"^[^\s{_TAKEN}]([^{_TAKEN}]*[^\s{_TAKEN}])?$"
_LIMIT = bound(exclusiveMinimum=0, exclusiveMaximum=MAX_LIMIT)


# `convening.check_name` says more: letters that cannot be seen are more than a pattern can say.
Name = Annotated[str, bound(minLength=1, maxLength=MAX_NAME, pattern=_NAME)]


class AskedSeat(Panelist, frozen=True, forbid_unknown_fields=True):
    """A seat as asked for: a misspelt member is an error here, while logs may hold what later versions add."""

    name: Name
    model: Annotated[str, bound(pattern=r"^[^:]+:.+")]
    persona: Annotated[str, bound(maxLength=MAX_PERSONA)] = ""


class AskedLimits(Limits, frozen=True, forbid_unknown_fields=True):
    """Limits as asked for, strict likewise."""

    max_turns: Annotated[int, _LIMIT] | None = None
    max_rounds: Annotated[int, _LIMIT] | None = None
    max_tokens: Annotated[int, _LIMIT] | None = None
    max_seconds: Annotated[float, _LIMIT] | None = None
    max_dollars: Annotated[float, _LIMIT] | None = None
