"""Records as the bytes of one view in one framing: straight from the log, or through the stages of the view."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from protocol.cursor import Cursor
from roundtable.fanout import framing as plain
from roundtable.fanout.framing import Frames, Framing, View
from roundtable.fanout.ledger import Ledger
from roundtable.fanout.stages import Item, enriched, filtered, merged, unreached
from roundtable.log.base import Record


class Batch(NamedTuple):
    """Consecutive entries, the bytes of each, and after which of them (by seq) nobody can go on from these bytes."""

    cursors: list[Cursor]
    wires: list[bytes]
    unreached: set[int]


def encode(view: View, framing: Framing, records: Sequence[Record]) -> bytes:
    """All frames of the records; `b""` if the view shows nothing of them."""
    if view.stages is None:
        return plain.encode(view, framing, records)
    return wire(framing, finished(view, [item for record in records for item in items(view, record)]))


def batch(view: View, framing: Framing, records: Sequence[Record]) -> Batch:
    """The records' frames apart."""
    if view.stages is None:
        wires = [plain.encode(view, framing, [record]) for record in records]
        return Batch([record.cursor for record in records], wires, set())
    return parcel(view, framing, records, [item for record in records for item in items(view, record)])


def parcel(view: View, framing: Framing, records: Sequence[Record], told: Sequence[Item]) -> Batch:
    """The same of items that were made of the records before."""
    done = finished(view, told)
    wires = {seq: wire(framing, group) for seq, group in groupby(done, lambda item: item.cursor.seq)}
    return Batch(
        [record.cursor for record in records],
        [wires.get(record.cursor.seq, b"") for record in records],
        unreached(done),
    )


def bound(view: View, ledger: Ledger | None) -> View:
    """The view with what its stages know of its stream."""
    return view._replace(stages=view.stages and view.stages._replace(ledger=ledger))


def items(view: View, record: Record, frames: Frames | None = None) -> list[Item]:
    """What an entry holds, frame by frame, and whether each is shown; frame k of n stands at `term-seq.k`, the last one
    at `term-seq`. `frames` in place of the view's own."""
    at, stages = record.cursor, view.stages
    if stages and stages.ledger:
        stages.ledger.extend(at.seq, record.body)
    told = (frames or view.frames)(record)
    made = [
        Item(Cursor(at.term, at.seq, part % len(told)), event, data)
        for part, (event, data) in enumerate(told, 1)
    ]
    return list(filtered(made, stages.admits)) if stages and stages.admits else made


def finished(view: View, told: Sequence[Item]) -> list[Item]:
    """The items after the stages that look at several, and what is known of their stream added."""
    stages = view.stages
    if stages and stages.hold:
        told = merged(told)
    if stages and stages.extras and stages.ledger:
        told = list(enriched(told, stages.extras, stages.ledger))
    return list(told)


def wire(framing: Framing, told: Iterable[Item]) -> bytes:
    """The frames of what is shown."""
    return b"".join([framing.frame(each.cursor, each.event, each.data) for each in told if each.shown])
