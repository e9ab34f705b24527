"""A verdict for people, in plain words: who answered, the answer, who dissents, who stands where, and who was moved.

Every form it is shown in is made of this; nothing here is Markdown or HTML.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocol.findings import Claim, ClaimMade, Correction, Dissent, Position, StanceTaken, VerdictGiven
from protocol.transcript import Found, Transcript
from protocol.views import positions

_STANDS: dict[Position, str] = {"support": "supports", "oppose": "opposes", "unsure": "is unsure of"}


class Shown(NamedTuple):
    """The verdict, and in sentences what else there is to say of it."""

    given: VerdictGiven
    moves: Sequence[str]
    corrections: Sequence[str]
    confidence: str
    source: str


def newest(t: Transcript) -> Shown | None:
    """The last verdict of a table that came to one."""
    found = [each for each in t.findings if isinstance(each.finding, VerdictGiven)]
    return _shown(t, found) if found else None


def _shown(t: Transcript, found: list[Found]) -> Shown:
    given = found[-1].finding
    assert isinstance(given, VerdictGiven)
    before = [
        each.seq for each in found[:-1] if isinstance(each.finding, VerdictGiven) and each.finding.answer
    ]
    moves = positions.moves(t, max(before, default=0)) if given.source == "stances" else []
    return Shown(
        given,
        [moved(move.panelist, move.after, move.claim.text, move.by, flagged=move.flagged) for move in moves],
        corrections(given),
        confidence(given),
        source(given),
    )


def corrections(given: VerdictGiven) -> list[str]:
    """Where the chair was not followed."""
    return [_corrected(each) for each in given.corrections]


def _corrected(each: Correction) -> str:
    stands = _STANDS[each.holds]
    return (
        f"The chair has it otherwise, but {each.panelist} {stands} this, as was put on record: {each.claim}"
    )


def confidence(given: VerdictGiven) -> str:
    """How sure the chair is, and why; empty where she did not say."""
    sure = f"Confidence: {given.confidence}." if given.confidence else ""
    return f"{sure} {given.why}".strip()


def source(given: VerdictGiven) -> str:
    """Where the claims come from."""
    match given.source:
        case "stances":
            return "Who stands where was put on record during the discussion."
        case "chair":
            return "Who stands where is the chair's word; it was not put on record."
        case _:
            return ""


def sides(claim: Claim) -> list[tuple[str, list[str]]]:
    """Who is for and against it, and who is unsure, without those sides on which nobody is."""
    named = [("for", claim.supports), ("against", claim.opposes), ("unsure", claim.unsure)]
    return [(side, names) for side, names in named if names]


def whose(dissent: Dissent) -> str:
    """Whose words a dissent is in."""
    return "in her own words" if dissent.turn else "as the chair puts it"


def moved(panelist: str, after: Position, claim: str, by: str, *, flagged: bool) -> str:
    """That somebody changed her mind, and whether she had reason to."""
    moved_by = f", moved by {by}" if by else ""
    return f"{panelist} now {_STANDS[after]} this{moved_by}{', without a new argument' if flagged else ''}: {claim}"


class Moves:
    """Tells of each move as it happens."""

    def __init__(self) -> None:
        self._claims: dict[str, str] = {}

    def hear(self, event: ClaimMade | StanceTaken) -> str:
        """The sentence, or nothing."""
        if isinstance(event, ClaimMade):
            self._claims[event.claim] = event.text
        elif event.moved:
            text = self._claims.get(event.claim, event.claim)
            flagged = not event.new_argument
            return moved(event.panelist, event.stance, text, event.moved_by, flagged=flagged)
        return ""
