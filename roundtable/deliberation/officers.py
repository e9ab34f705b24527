"""Who moderates, chairs and keeps the record: a seat for it, or else one of the panel, and always the same."""

from protocol.findings import BudgetDegraded
from protocol.messages import Office, Panelist
from protocol.transcript import Transcript


def chair(transcript: Transcript) -> Panelist | None:
    """Who sums up, and reads what others said for the record; where her model was too dear, who does it instead. None
    when nobody is here."""
    for saving in transcript.found(BudgetDegraded):
        cheaper = transcript.seat(saving.panelist) if saving.measure == "cheaper_chair" else None
        if cheaper in transcript.here():
            return cheaper
    return next(iter(_in_line(transcript, "chair", "moderator")), None)


def moderators(transcript: Transcript) -> list[Panelist]:
    """Who gives the floor, and who does when she cannot, in order."""
    return _in_line(transcript, "moderator", "chair")


def _in_line(transcript: Transcript, *offices: Office) -> list[Panelist]:
    """Who of those here holds one of the offices, in their order; then the first who takes part."""
    here = transcript.here()
    seats = [panelist for office in offices for panelist in here if panelist.role == office]
    return seats + [panelist for panelist in here if not panelist.role][:1]
