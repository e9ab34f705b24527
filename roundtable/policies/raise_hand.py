"""One at a time, and whoever wants the floor most.

Before each speech all who may have the floor are asked at the same time for a bid (`bid`): how much they want it, and
what for. The greatest claim wins (`deliberation/bids.py`: the bid, how long she waited, how much she spoke), never
the same panelist's twice in a row, and the reason beside the turn says what decided. Bids are read by this method
alone. One that fails or cannot be read counts 0 and is not asked for again; where everyone bids 0 twice in a row,
nobody has more to say. The first speech of a sitting goes without, to whoever spoke least: there is nothing yet to
bid on, and who asks should not wait for a dozen answers before the first word. A round is as many speeches as
panelists present. What it costs: for each speech of n panelists n - 1 calls more, each as long as a prompt and a
line of answer, and the time of the slowest of them. Where the limit on turns has no room for bids and a speech,
the speech goes without.
"""

from collections.abc import Iterator

from protocol.findings import BidMade
from protocol.kinds import BID
from protocol.messages import Until
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import bids, ledger
from roundtable.deliberation.brief import Brief
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat


class RaiseHand:
    """Implements `TurnPolicy`."""

    name = "raise_hand"
    title = "Who wants it most"
    summary = (
        "Everyone bids for the floor before each speech; the highest bid wins, and nobody waits for ever."
    )
    blind = False
    until = Until(loop=True, passes=True)

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        if first := order.first_of_all(transcript):
            return first
        plan = _under_way(transcript)
        if plan is not None:
            return plan
        before, now = _bidding(transcript)
        seats = tuple(Seat(name, BID) for name in ledger.candidates(transcript))
        if not now and ledger.speeches(transcript) and order.affords(transcript, len(seats) + 1):
            return Plan(round=order.round_to_begin(transcript), queue=seats)
        if _nothing(transcript, before) and _nothing(transcript, now):
            return Plan(end="passes")
        return Plan(round=order.round_to_begin(transcript), queue=(_winner(transcript, now),))

    def brief(self, transcript: Transcript, turn: Turn) -> Brief | None:
        """Of a bid."""
        return bids.BRIEF if turn.kind == BID else None


def _under_way(transcript: Transcript) -> Plan | None:
    """One speech, or as many bids as there are; None when there is neither. Who is asked does not wait for bids that
    have not begun."""
    started, queued = transcript.of("started"), transcript.of("queued")
    line = [turn for turn in queued if turn.kind != BID]
    if line and not started:
        return Plan(run=(order.next_in_line(line).turn,))
    if queued and not line and all(turn.kind == BID for turn in started):
        return Plan(run=order.one_each(queued, started))
    return order.WAIT if started else None


def _bidding(transcript: Transcript) -> tuple[list[Turn], list[Turn]]:
    """The bids for the speech before, and those for the next; answers to a person come between and need none."""
    before, now = list[Turn](), list[Turn]()
    for turn in transcript.sitting():
        if turn.kind == BID:
            now.append(turn)
        elif ledger.is_speech(turn) and turn.reason != order.ASKED:
            before, now = now, []
    return before, now


def _nothing(transcript: Transcript, turns: list[Turn]) -> bool:
    """Whether all of these bids are for nothing, and no person said anything since. Who could not be read has not said
    so."""
    urgency = {bid.turn: bid.urgency for bid in transcript.found(BidMade)}
    later = any(message.seq > turns[0].seq for message in transcript.messages) if turns else True
    return not later and all(urgency.get(turn.turn) == 0 for turn in turns)


def _winner(transcript: Transcript, turns: list[Turn]) -> Seat:
    asked = {turn.turn for turn in turns}
    made = {bid.panelist: bid for bid in transcript.found(BidMade) if bid.turn in asked}
    claims = bids.claims(transcript, {name: bid.urgency for name, bid in made.items()})
    name = max(claims, key=lambda name: claims[name])
    return Seat(name, reason="; ".join(_reasons(transcript, name, made, bids_were_asked=bool(turns))))


def _reasons(
    transcript: Transcript, name: str, made: dict[str, BidMade], *, bids_were_asked: bool
) -> Iterator[str]:
    """Why she speaks next, the weightiest first."""
    bid, waits, tokens = made.get(name), ledger.waited(transcript)[name], ledger.spoken(transcript)
    if bid and bid.urgency:
        yield f"bid {bid.urgency} of {bids.HIGHEST}{': ' if bid.about else ''}{bid.about}"
    elif bids_were_asked:
        yield "no bid"
    elif ledger.speeches(transcript):
        yield "no room for bids"
    if waits and any(other.urgency > (bid.urgency if bid else 0) for other in made.values()):
        yield f"waited {waits} speech{'' if waits == 1 else 'es'}"
    if any(tokens.values()) and name == ledger.least_heard(transcript):
        yield "spoke least so far"
