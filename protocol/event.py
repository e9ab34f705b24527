"""The base of everything that can happen, wherever it is logged."""

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all events. `type` is the struct's tag."""
