"""Who moderates, chairs and keeps the record: a seat for it, or else one of the panel, and always the same."""

from protocol.findings import BudgetDegraded
from protocol.messages import Office, Panelist
from protocol.transcript import Transcript


def officer(transcript: Transcript, *offices: Office) -> Panelist | None:
    """Who holds the first of these offices that is held by somebody who is here; else the first who takes part; None
    when nobody is here."""
    return next(iter(in_line(transcript, *offices)), None)


def in_line(transcript: Transcript, *offices: Office) -> list[Panelist]:
    """Who does it, and who does when she cannot, in order."""
    here = transcript.here()
    seats = [panelist for office in offices for panelist in here if panelist.role == office]
    return seats + [panelist for panelist in here if not panelist.role][:1]


def chair(transcript: Transcript) -> Panelist | None:
    """Who sums up, and reads what others said for the record; where her model was too dear, who does it instead."""
    for saving in transcript.found(BudgetDegraded):
        cheaper = transcript.seat(saving.panelist) if saving.measure == "cheaper_chair" else None
        if cheaper in transcript.here():
            return cheaper
    return officer(transcript, "chair", "moderator")


def moderators(transcript: Transcript) -> list[Panelist]:
    """Who gives the floor, and who does when she cannot, in order."""
    return in_line(transcript, "moderator", "chair")
