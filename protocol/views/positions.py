"""Who stood where on which claim, round by round, and who moved whom: what the stances of a table come to."""

from collections.abc import Sequence
from typing import NamedTuple

from protocol.findings import ClaimMade, Position, StanceTaken
from protocol.transcript import Transcript


class Row(NamedTuple):
    """A claim, and the stances on it in the order in which they were taken."""

    claim: ClaimMade
    stances: Sequence[StanceTaken]

    def now(self) -> dict[str, StanceTaken]:
        """The newest stance of each panelist who took one."""
        return {stance.panelist: stance for stance in self.stances}

    def by_round(self) -> dict[str, dict[int, StanceTaken]]:
        """Of each panelist, her stance by round."""
        cells: dict[str, dict[int, StanceTaken]] = {}
        for stance in self.stances:
            cells.setdefault(stance.panelist, {})[stance.round] = stance
        return cells

    def holding(self, position: Position) -> list[str]:
        """Who stands there now."""
        return [name for name, stance in self.now().items() if stance.stance == position]


class Move(NamedTuple):
    """A panelist who changed her mind. `by` is whose argument it was, if anybody's; `flagged`: there was none that she
    had not heard before."""

    panelist: str
    claim: ClaimMade
    round: int
    before: Position
    after: Position
    by: str
    flagged: bool


def rows(t: Transcript, since: int = 0) -> list[Row]:
    """The claims that were made after entry `since`, in order."""
    found = [each.finding for each in t.findings if each.seq > since]
    stances = [finding for finding in found if isinstance(finding, StanceTaken)]
    return [
        Row(claim, [stance for stance in stances if stance.claim == claim.claim])
        for claim in found
        if isinstance(claim, ClaimMade)
    ]


def moves(t: Transcript, since: int = 0) -> list[Move]:
    """Who moved, oldest first."""
    found = [move for row in rows(t, since) for move in _moves(row)]
    return sorted(found, key=lambda move: move.round)


def _moves(row: Row) -> list[Move]:
    found, before = [], dict[str, Position]()
    for stance in row.stances:
        was = before.get(stance.panelist, stance.stance)
        if stance.moved and was != stance.stance:
            found.append(
                Move(
                    stance.panelist, row.claim, stance.round, was, stance.stance, stance.moved_by,
                    not stance.new_argument,
                )
            )  # fmt: skip
        before[stance.panelist] = stance.stance
    return found
