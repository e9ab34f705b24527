"""Who moderates, chairs and keeps the record: a seat for it, or else one of the panel, and always the same."""

from protocol.findings import BudgetDegraded
from protocol.messages import Office, Panelist
from protocol.transcript import Transcript


def chair(transcript: Transcript) -> Panelist | None:
    """Who sums up, and reads what others said for the record; where her model was too dear, who does it instead. None
    when nobody is here."""
    return _cheaper(transcript) or next(iter(_in_line(transcript, "chair", "moderator")), None)


def _cheaper(transcript: Transcript) -> Panelist | None:
    for saving in transcript.found(BudgetDegraded):
        seat = transcript.seat(saving.panelist) if saving.measure == "cheaper_chair" else None
        if seat in transcript.here():
            return seat
    return None


def is_chair_lost(transcript: Transcript) -> bool:
    """Whether the panel has a seat for its chair, and who sits there failed for good: nobody's synthesis is hers."""
    seats = [seat.name for seat in transcript.panel if seat.role == "chair"]
    left = [name for name in seats if name not in transcript.removed]
    return bool(left) and all(name in transcript.absent for name in left) and _cheaper(transcript) is None


def moderators(transcript: Transcript) -> list[Panelist]:
    """Who gives the floor, and who does when she cannot, in order."""
    return _in_line(transcript, "moderator", "chair")


def _in_line(transcript: Transcript, *offices: Office) -> list[Panelist]:
    """Who of those here holds one of the offices, in their order; then the first who takes part."""
    here = transcript.here()
    seats = [panelist for office in offices for panelist in here if panelist.role == office]
    return seats + [panelist for panelist in here if not panelist.role][:1]
