"""A policy: one round, from the last seat to the first."""

from protocol.transcript import Transcript
from roundtable.policies import Plan, Seat


class LastFirst:
    """Decides from the transcript and nothing else."""

    name = "last_first"
    title = "Last first"
    summary = "Each speaks once, and the first seat has the last word."
    blind = False

    def plan(self, transcript: Transcript) -> Plan:
        """One turn after the other; the table ends when everybody has spoken."""
        if transcript.of("started"):
            return Plan()
        if queued := transcript.of("queued"):
            return Plan(run=(queued[0].turn,))
        if transcript.round == 0:
            return Plan(round=1)
        heard = len(transcript.turns)
        if heard == len(transcript.panel):
            return Plan(end="all_spoke")
        return Plan(queue=(Seat(transcript.panel[-1 - heard].name),))
