"""Everything that may be asked of a table while it talks: a method per command.

table = client.table(id)
await table.barge_in("One moment.", to="Ada")
"""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import asdict

from protocol import commands
from protocol.asked import AskedLimits, AskedSeat
from protocol.events import Entry
from protocol.messages import Panelist

Send = Callable[..., Awaitable[Any]]


class Steering:
    """Each gives the entry that is the command's effect; None when it is accepted and still to come. `key` is made up
    unless given. Raises as `Tables.command` does."""

    def __init__(self, id: str, send: Send) -> None:
        self.id = id
        self._send = send

    async def say(self, text: str, *, to: str = "", author: str = "", key: str = "") -> Entry | None:
        """Post a message, or put it to one panelist."""
        return await self._ask(commands.Say(text, to, author), key)

    async def barge_in(
        self, text: str = "", *, to: str = "", author: str = "", key: str = ""
    ) -> Entry | None:
        """Take the floor at the next sentence's end; without `text` the table waits for it."""
        return await self._ask(commands.BargeIn(text, to, author), key)

    async def raise_hand(self, *, author: str = "", key: str = "") -> Entry | None:
        """Ask for the floor once who speaks has ended."""
        return await self._ask(commands.RaiseHand(author), key)

    async def lower_hand(self, *, author: str = "", key: str = "") -> Entry | None:
        """Let the table go on after all."""
        return await self._ask(commands.LowerHand(author), key)

    async def pause(self, *, key: str = "") -> Entry | None:
        """Begin no new turn."""
        return await self._ask(commands.Pause(), key)

    async def resume(self, *, key: str = "") -> Entry | None:
        """Go on after a pause, or wake from rest."""
        return await self._ask(commands.Resume(), key)

    async def close(self, *, key: str = "") -> Entry | None:
        """End it for good."""
        return await self._ask(commands.Close(), key)

    async def cancel(self, turn: str, *, key: str = "") -> Entry | None:
        """End one turn by its id."""
        return await self._ask(commands.Cancel(turn), key)

    async def retry(self, turn: str, *, key: str = "") -> Entry | None:
        """Try a failed or cancelled turn again."""
        return await self._ask(commands.Retry(turn), key)

    async def skip(self, panelist: str = "", *, key: str = "") -> Entry | None:
        """Pass over whoever has the floor, or the one named."""
        return await self._ask(commands.Skip(panelist), key)

    async def mute(self, panelist: str, *, key: str = "") -> Entry | None:
        """Give her no turns."""
        return await self._ask(commands.Mute(panelist), key)

    async def unmute(self, panelist: str, *, key: str = "") -> Entry | None:
        """Give her turns again."""
        return await self._ask(commands.Unmute(panelist), key)

    async def add(self, seat: Panelist, *, key: str = "") -> Entry | None:
        """Seat another panelist."""
        return await self._ask(commands.Add(_seat(seat)), key)

    async def remove(self, panelist: str, *, key: str = "") -> Entry | None:
        """Let her leave; what she said stays."""
        return await self._ask(commands.Remove(panelist), key)

    async def swap(self, panelist: str, seat: Panelist, *, key: str = "") -> Entry | None:
        """Put another in her place, or another model under her name."""
        return await self._ask(commands.Swap(panelist, _seat(seat)), key)

    async def extend(self, *, key: str = "", **limits: float) -> Entry | None:
        """Set limits anew, by name: `max_rounds=6`. Those not named stay."""
        return await self._ask(commands.Extend(AskedLimits(**limits)), key)  # type: ignore[arg-type]

    async def verdict(self, *, key: str = "") -> Entry | None:
        """End the discussion and come to a verdict now."""
        return await self._ask(commands.Conclude(), key)

    async def stress_test(self, *, key: str = "") -> Entry | None:
        """Have the answers of a discussion that rests judged again, in other orders and at equal lengths."""
        return await self._ask(commands.StressTest(), key)

    async def title(self, title: str, *, key: str = "") -> Entry | None:
        """Call it by another name than its topic; an empty one takes that back."""
        return await self._ask(commands.Title(title), key)

    async def _ask(self, command: commands.ANY, key: str) -> Entry | None:
        entry: Entry | None = (await self._send(self.id, command, key=key)).entry
        return entry


def _seat(seat: Panelist) -> AskedSeat:
    return AskedSeat(**asdict(seat))
