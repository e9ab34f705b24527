"""Speaks when spoken to: each message of a person is answered once by everyone, or by whom it was put to.

What one turn answers is all that was said before it began, so two messages in a row need not cost two answers. Nobody
is passed over for having failed: the next message may come when the key is mended, and silence would tell nobody.
"""

from protocol.transcript import Posted, Transcript, Turn
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat


class Reply:
    """Implements `TurnPolicy`."""

    name = "reply"
    title = "When spoken to"
    summary = "Everyone answers each message of a person once, in seat order, and is silent otherwise."
    blind = False

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        if owing := tuple(_owing(transcript)):
            return Plan(queue=owing)
        if transcript.of("started"):
            return order.WAIT
        queued = transcript.of("queued")
        return Plan(run=(queued[0].turn,)) if queued else Plan(end="answered")


def _owing(transcript: Transcript) -> list[Seat]:
    """A seat for each who has a message to her that her last turn, if any, does not answer."""
    last = {turn.panelist: turn for turn in transcript.turns}
    owing = list[Seat]()
    for panelist in transcript.seated():
        name = panelist.name
        if name in transcript.muted:
            continue
        message = next((each for each in reversed(transcript.messages) if each.to in ("", name)), None)
        if message and not (name in last and _answers(last[name], message)):
            owing.append(Seat(name, reason=order.ASKED if message.to else ""))
    return owing


def _answers(turn: Turn, message: Posted) -> bool:
    """Whether the turn is, will be or would have been an answer to the message: what was cancelled in the queue is not
    asked for again."""
    if turn.started_seq:
        return turn.started_seq > message.seq
    return turn.status == "queued" or message.at <= turn.ended_at
