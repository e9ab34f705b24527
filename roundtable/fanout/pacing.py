"""When a replay shows what: pure arithmetic on two clocks, the table's (`at`) and the viewer's (`now`); in seconds."""

import math

import msgspec

SLOWEST, FASTEST = 0.1, 100.0
LONGEST_GAP = 3600.0
# A viewer who is later than this goes on from where she is; less is made up for, or each wake-up of a few
# milliseconds would make the replay slower than the table was.
SLACK = 0.5


class Tempo(msgspec.Struct, frozen=True):
    """`speed` times as fast as it happened, and silences at the table longer than `max_gap` cut to it.

    The cut is made in the table's time, before `speed`: so the same replay at twice the speed takes half as long.
    """

    speed: float = 1.0
    max_gap: float = 5.0


class Score:
    """One viewer's place in time. Whatever comes first is due at once."""

    def __init__(self, tempo: Tempo, now: float) -> None:
        self.tempo = tempo
        self.paused = False
        self.restart(now)

    def restart(self, now: float) -> None:
        """Begin anew, somewhere else at the table."""
        self._at: float | None = None  # the table's time of what was shown last
        self._since = now  # from when on the viewer waits for what is next
        self._waited = 0.0  # and what she had waited until then, in the table's time

    def due(self, at: float) -> float:
        """When to show what happened at `at`, next after what was shown; infinity while paused."""
        return math.inf if self.paused else self._since + self._silence(at) / self.tempo.speed

    def show(self, at: float, now: float) -> None:
        """What happened at `at` is shown."""
        self._since = max(self._since + self._silence(at) / self.tempo.speed, now - SLACK)
        self._at, self._waited = max(at, self._at or at), 0.0

    def change(self, now: float, *, speed: float | None = None, paused: bool | None = None) -> None:
        """Go on at another speed, or stand still, or go on. Of a silence under way, what is over stays over."""
        if not self.paused:
            self._waited += max(0.0, now - self._since) * self.tempo.speed
        self._since = now
        self.tempo = Tempo(self.tempo.speed if speed is None else speed, self.tempo.max_gap)
        self.paused = self.paused if paused is None else paused

    def _silence(self, at: float) -> float:
        whole = 0.0 if self._at is None else min(max(0.0, at - self._at), self.tempo.max_gap)
        return max(0.0, whole - self._waited)
