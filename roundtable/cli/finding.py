"""What `doctor` finds: one thing, how it is, and how to mend it."""

from typing import Literal

import msgspec

State = Literal["ok", "warning", "wrong"]


class Finding(msgspec.Struct, frozen=True):
    """`wrong` keeps something from working; a `warning` does not, yet. `hint` says how to mend it."""

    what: str
    state: State
    detail: str
    hint: str = ""
