"""One stream as this node follows it: where its tail stands, and everyone who reads it, pushed to or pulling."""

import asyncio
from collections.abc import Sequence

from protocol.cursor import Cursor
from roundtable.fanout.channel import Channel, Left
from roundtable.fanout.kinds import reason_of_end
from roundtable.fanout.ledger import Ledger
from roundtable.fanout.reading import Reading
from roundtable.log.base import Record


class Followed:
    """A stream this node follows: where its tail stands, why it ended if it has, and who reads it."""

    def __init__(self, tip: Cursor, reason: str | None) -> None:
        self.tip = tip
        self.reason = reason
        self.deleted = False
        self.elsewhere = 0  # readers on other nodes
        self.channels: dict[tuple[str, str], Channel] = {}
        self.readings: set[Reading] = set()
        self.coming = 0  # readers for whom something is still read
        self.ledger: Ledger | None = None  # once somebody asks for what takes one
        self.counting = asyncio.Lock()

    @property
    def unread(self) -> bool:
        """Whether nobody reads it, nor is about to."""
        return not (self.channels or self.readings or self.coming)

    def readers(self) -> int:
        """How many read it on this node."""
        return sum(channel.readers for channel in self.channels.values()) + len(self.readings)

    def spectators(self) -> int:
        """How many read it on all nodes."""
        return self.readers() + self.elsewhere

    def count(self, channel: Channel, step: int) -> None:
        """One reader of a channel more, or less."""
        channel.readers += step
        if not channel.readers:
            del self.channels[channel.view.name, channel.framing.name]
        self.nudge()

    def nudge(self) -> None:
        """The number of spectators has changed."""
        for channel in self.channels.values():
            channel.nudge()

    def add(self, reading: Reading) -> None:
        """A reading begins."""
        self.readings.add(reading)
        if self.reason is not None:
            reading.close(self.reason)
        self.nudge()

    def remove(self, reading: Reading) -> None:
        """A reading is over."""
        self.readings.discard(reading)
        self.nudge()

    def offer(self, name: str, records: Sequence[Record]) -> None:
        """Entries that follow the tip."""
        self.tip = records[-1].cursor
        self.reason = self.reason or reason_of_end(name, records)
        if self.ledger:
            for record in records:
                self.ledger.extend(*record)
        for channel in self.channels.values():
            channel.offer(records)
            if self.reason is not None:
                channel.close(self.reason)
        for reading in self.readings:
            reading.offer(records)
            if self.reason is not None:
                reading.close(self.reason)

    def delete(self) -> None:
        """The stream is gone."""
        self.deleted = True
        for channel in self.channels.values():
            channel.close("deleted")
        self.dismiss("deleted")

    def dismiss(self, left: Left) -> None:
        """Send everyone away."""
        for channel in self.channels.values():
            channel.dismiss(left)
        for reading in self.readings:
            reading.dismiss(left)
