"""What a stream says about itself: none of it is logged, none has an `id`, and so none moves the reader."""

import msgspec


class Notice(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all notices; `type` is the tag."""


class Heartbeat(Notice, frozen=True, tag="hb"):
    """Nothing happened for a while. `head` is the cursor of the last entry."""

    head: str
    spectators: int | msgspec.UnsetType = msgspec.UNSET


class Reset(Notice, frozen=True, tag="reset"):
    """What was asked for is gone: fetch the snapshot, and go on after `cursor`."""

    reason: str
    cursor: str


class End(Notice, frozen=True, tag="end"):
    """There will never be more, and this was all of it. `reason` as in `table.closed`."""

    cursor: str
    reason: str


ANY = Heartbeat | Reset | End
"""Everything a stream may say beside its entries."""
